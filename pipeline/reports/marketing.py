"""The page marketing reads in the morning: a card for each campaign, whom it reaches, what to expect, what changed.

Read from published tables alone, so that it says what the exports hold; nothing of it needs a network. Shares are of
audiences that reached the minimum size. Not here: the night's models and gates (`reports.night`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES, AD_PLACEMENTS, USER_PROFILES
from pipeline.privacy.floors import PLATFORM_FLOORS
from pipeline.record import FILES, last_values
from pipeline.reports.drawing import BLUE, MUTED, STYLE, Drawing, Plot, new_figure, write
from pipeline.settings import Night
from pipeline.warehouse import snapshot
from pipeline.warehouse.snapshot import Snapshot

PAGE = "marketing.html"
BANDS = ("value", "middle", "premium")
CATEGORIES = 5
CURVES = 8  # campaigns drawn in one figure


@dataclass(frozen=True)
class Card:
    """One campaign on the page: its row of the summary, and what its users have in common.

    Attributes:
        told: row of ad_audience_summary.
        users: keys of who would be contacted, likeliest first.
        propensity: theirs.
        held: users held out.
        worth_cents: expected of all contacts, their cost taken off.
        bands: price bands with their share of the audience and of all shoppers.
        categories: likewise, those that set the audience apart most.
        platforms: name, floor and whether the matched audience reaches it.
        placed: ad slots that it stands in, and shoppers who see it there.
    """

    told: Mapping[str, Any]
    users: pa.Array
    propensity: np.ndarray
    held: int
    worth_cents: float
    bands: Sequence[tuple[str, float, float]]
    categories: Sequence[tuple[str, float, float]]
    platforms: Sequence[tuple[str, int, bool]]
    placed: tuple[int, int]


def render(night: Night) -> Path | None:
    """Write the page beside the night's report; None when the night published nothing."""
    published = last_values(night.record, "tags").get("snapshot")
    if published is None:
        return None
    cards = read_cards(snapshot.open_snapshot(night.warehouse, published))
    folder = night.record / FILES / "marketing"
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        plots = [write(drawing, folder) for drawing in (_expected(cards), _reach(cards)) if drawing]
    page = night.record / PAGE
    page.write_text(_page(night, published, cards, plots), encoding="utf-8")
    return page


def read_cards(source: Snapshot) -> list[Card]:
    """The cards of a snapshot: published audiences first, those of most expected responses before others."""
    rows = source.table(
        AD_AUDIENCES.name, ["campaign_id", "user_key", "propensity", "expected_value_cents", "is_holdout"]
    )
    profiles = source.table(USER_PROFILES.name, ["user_key", "price_band", "category_affinities"])
    traits = Traits.of(profiles)
    ads = source.table(AD_PLACEMENTS.name, ["campaign_id", "user_key"])
    cards = []
    for told in source.table(AD_AUDIENCE_SUMMARY.name).to_pylist():
        mine = rows.filter(pc.equal(rows.column("campaign_id"), told["campaign_id"]))
        contacted = mine.filter(pc.invert(mine.column("is_holdout")))
        users = contacted.column("user_key").combine_chunks()
        seen = ads.filter(pc.equal(ads.column("campaign_id"), told["campaign_id"])).column("user_key")
        cards.append(
            Card(
                told,
                users,
                np.asarray(contacted.column("propensity")),
                len(mine) - len(contacted),
                float(pc.sum(contacted.column("expected_value_cents")).as_py() or 0),
                traits.bands(users),
                traits.categories(users),
                [(name, floor, name in (told["platforms_ok"] or [])) for name, floor in PLATFORM_FLOORS.items()],
                (len(seen), len(seen.unique())),
            )
        )
    return sorted(cards, key=lambda card: (not card.told["is_published"], -card.told["expected_responses"]))


@dataclass(frozen=True)
class Traits:
    """What profiles say of all shoppers: keys [U], bool [U, bands] and bool [U, categories]."""

    users: pa.Array
    in_band: np.ndarray
    buys: np.ndarray
    names: Sequence[str]

    @classmethod
    def of(cls, profiles: pa.Table) -> "Traits":
        """From user_profiles."""
        users = profiles.column("user_key").combine_chunks()
        band = profiles.column("price_band").to_pylist()
        liked = [[one["name"] for one in row or []] for row in profiles.column("category_affinities").to_pylist()]
        names = sorted({name for row in liked for name in row})
        place = {name: at for at, name in enumerate(names)}
        buys = np.zeros((len(users), len(names)), bool)
        for row, mine in zip(buys, liked, strict=True):
            row[[place[name] for name in mine]] = True
        return cls(
            users, np.array([[one == name for name in BANDS] for one in band]).reshape(-1, len(BANDS)), buys, names
        )

    def bands(self, users: pa.Array) -> list[tuple[str, float, float]]:
        """Price bands, with their share among some users and among all."""
        return self._shares(users, self.in_band, BANDS)

    def categories(self, users: pa.Array) -> list[tuple[str, float, float]]:
        """The categories whose share among some users exceeds that among all most."""
        shares = self._shares(users, self.buys, self.names)
        return sorted(shares, key=lambda one: (one[2] - one[1], one[0]))[:CATEGORIES]

    def _shares(self, users: pa.Array, flags: np.ndarray, names: Sequence[str]) -> list[tuple[str, float, float]]:
        places = pc.drop_null(pc.index_in(users, self.users)).to_numpy(zero_copy_only=False)
        if not len(places):
            return []
        return list(zip(names, flags[places].mean(0).tolist(), flags.mean(0).tolist(), strict=True))


def overlaps(cards: Sequence[Card]) -> list[list[float]]:
    """Share of each published audience that the other reaches, too: row by column, 0 to 1."""
    sets = [set(card.users.to_pylist()) for card in cards]
    return [[len(one & other) / max(1, len(one)) for other in sets] for one in sets]


def _expected(cards: Sequence[Card]) -> Drawing | None:
    """Expected responses of each published campaign with their interval."""
    shown = [card.told for card in reversed(cards) if card.told["is_published"]]
    if not shown:
        return None
    figure, axes = new_figure(height=0.9 + 0.4 * len(shown))
    for place, told in enumerate(shown):
        low, middle, high = (told[f"expected_responses{end}"] for end in ("_low", "", "_high"))
        axes.plot([low, high], [place, place], color=BLUE, linewidth=3, solid_capstyle="round", alpha=0.45)
        axes.plot(middle, place, "o", color=BLUE, markersize=6)
        axes.annotate(f"{middle:,.0f}", (max(middle, high), place), (8, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(shown)), [_short(told["campaign_name"]) for told in shown])
    axes.set(xlabel="expected responses", ylim=(-0.6, len(shown) - 0.4), xlim=(0, None))
    axes.margins(x=0.16)
    axes.grid(visible=False, axis="y")
    told_words = "; ".join(
        f"{told['campaign_name']} {told['expected_responses']:,.0f}, {told['expected_responses_low']:,.0f} to "
        f"{told['expected_responses_high']:,.0f}"
        for told in reversed(shown)
    )
    return Drawing(
        "expected-responses", "Responses to expect until the campaign ends", f"Expected responses: {told_words}.",
        "If everybody in the audience is contacted. The line is the 95 % interval.", figure,
    )  # fmt: skip


def _reach(cards: Sequence[Card]) -> Drawing | None:
    """Share of the expected responses that the first so many contacts bring."""
    shown = [card for card in cards if card.told["is_published"] and card.propensity.sum() > 0][:CURVES]
    if not shown:
        return None
    figure, axes = new_figure(height=3.3)
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle="--")
    at_fifth = []
    for number, card in enumerate(shown):
        come = np.r_[0, np.cumsum(card.propensity)] / card.propensity.sum() * 100
        axes.plot(
            np.linspace(0, 100, len(come)),
            come,
            linewidth=2.2 if number == 0 else 1.4,
            label=_short(card.told["campaign_name"]),
        )
        at_fifth.append(f"{card.told['campaign_name']} {come[round(len(come) * 0.2)]:.0f} %")
    axes.set(xlabel="contacts, likeliest first, %", ylabel="expected responses, %", xlim=(0, 100), ylim=(0, 100))
    axes.legend(loc="lower right")
    return Drawing(
        "reach", "What the first contacts bring", f"The first fifth of contacts brings: {', '.join(at_fifth)}.",
        "The dashed line is contacting in any order: the further above it, the more a smaller budget reaches.", figure,
    )  # fmt: skip


def _short(words: str, most: int = 24) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _page(night: Night, published: str, cards: Sequence[Card], plots: Sequence[Plot]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.reports"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["percent"] = lambda share: f"{share * 100:.0f} %"
    environment.filters["money"] = lambda cents: f"{cents / 100:,.0f} {night.shop.currency}"
    reached = [card for card in cards if card.told["is_published"]]
    return environment.get_template("marketing.html.j2").render(
        night=night,
        snapshot=published,
        weekday=f"{night.day:%A}, {night.day.day} {night.day:%B %Y}",
        cards=cards,
        reached=reached,
        overlaps=overlaps(reached),
        plots=plots,
        people=len({key for card in reached for key in card.users.to_pylist()}),
        responses=sum(card.told["expected_responses"] for card in reached),
        planned=sum(card.told["planned"] for card in reached),
        planned_cost=sum(card.told["planned_cost_cents"] for card in reached),
    )
