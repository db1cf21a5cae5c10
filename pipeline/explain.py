"""Why: plain words for the largest contribution to a score."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from pipeline.models.order import part_of
from pipeline.models.pairs import exact
from pipeline.models.recommendations import Knowledge, Lists
from pipeline.models.scoring import strongest
from pipeline.models.sparse_rows import best, entries, values

# What speaks for an item, by the part of the model; the rest (`user`) is the same for all of a user's items.
GROUPS = {
    "personal": "repeat",
    "co_visitation": "follows",
    "complements": "follows",
    "neighbours": "neighbours",
    "transformer": "fits",
    "linear": "fits",
    "text": "alike",
    "popularity": "popular",
    "promotion": "promoted",
}
RHYTHM = frozenset({"personal/gap", "personal/due", "personal/days_due", "personal/since", "personal/days_since"})

GROUP_WORDS = {
    "repeat": "how often and how lately you bought it",
    "rhythm": "the days between two times you buy it",
    "follows": "what goes with what you buy, or comes after it",
    "neighbours": "shoppers with baskets like yours",
    "fits": "the order of what you bought",
    "alike": "how near it is to what you buy",
    "popular": "how many buy it",
    "promoted": "displays and mailers this week",
}

# How sentences begin or end whose numbers are of the night.
EVERY, HABIT = "You buy it about every", "You bought it"
PROMOTED = "On display or in the mailer this week"
POPULAR, OTHERS = "shoppers bought it in the last 4 weeks", "Bought by other shoppers of late"

HEAVY = 50  # of a user's items among which the nearest is looked for, those that weigh most
FEW = 5  # buyers from which they are counted

AUDIENCE_WORDS = {
    "days_since_basket": "shopped lately",
    "baskets_90d": "shops often",
    "spend_90d": "spends much",
    "lines_per_basket_180d": "fills large baskets",
    "price_paid_180d": "buys at a bargain",
    "target_lines_180d": "often buys the advertised goods",
    "target_share_180d": "the advertised goods fill much of the basket",
    "target_items_180d": "buys many of the advertised goods",
    "target_spend_180d": "spends much on the advertised goods",
    "target_items_60d": "bought many of the advertised goods lately",
    "target_weight": "buys the advertised goods now",
    "sends_before": "is in many campaigns",
    "responses_before": "has responded before",
    "response_rate_before": "responds to most campaigns",
    "coupons_before": "has responded many times",
    "taste_of_targets": "buys goods like those advertised",
    "taste_of_creative": "buys what the creative is about",
    "taste_of_responders": "buys what responders buy",
    "targets": "the campaign covers many goods",
    "campaign_days": "the campaign runs long",
}


def group_contributions(contributions: np.ndarray, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Each group's share of the log-odds: [N] from contributions [N, F] of named features."""
    groups = ["rhythm" if name in RHYTHM else GROUPS.get(part_of(name), "") for name in columns]
    return {
        group: contributions[:, [at for at, one in enumerate(groups) if one == group]].sum(1)
        for group in dict.fromkeys((*GROUPS.values(), "rhythm"))
    }


@dataclass
class Tally:
    """How much each feature moved the places that were given words, on average.

    Attributes:
        moved: float64 [F] sums of absolute contributions.
        places: how many.
    """

    moved: np.ndarray = field(default_factory=lambda: np.zeros(0))
    places: int = 0

    def add(self, contributions: np.ndarray) -> None:
        """Count contributions [N, F]."""
        self.join(Tally(np.abs(contributions).sum(0), len(contributions)))

    def join(self, other: "Tally") -> None:
        """Count what another has counted."""
        if other.places:
            self.moved = self.moved + other.moved if self.places else other.moved
            self.places += other.places

    def means(self, columns: Sequence[str]) -> dict[str, float]:
        """Mean absolute contribution in log-odds by feature, largest first; none where nothing was explained."""
        if not self.places:
            return {}
        found = dict(zip(columns, (self.moved / self.places).round(6).tolist(), strict=True))
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


class Explains(Protocol):
    """Whatever tells what each feature adds to a score."""

    @property
    def columns(self) -> list[str]:
        """Names of the features."""

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Each feature's share of the score, float64 [N, F]."""


@dataclass(frozen=True)
class Words:
    """Sentences for places of lists.

    Attributes:
        known: what the ranking read.
        order: of the order that ranked.
        titles: item names by place.
        shelves: the narrowest category of each item.
        tally: of all that was explained.
        texts: float32 [I, T] unit text vectors, where the nearest of the user's items shall be named.
    """

    known: Knowledge
    order: Explains
    titles: Sequence[str]
    shelves: Sequence[str]
    tally: Tally = field(default_factory=Tally)
    texts: np.ndarray | None = None

    def reasons(self, lists: Lists, wanted: np.ndarray) -> np.ndarray:
        """The largest group of contributions, in words. Object array [B, K]; places that are not wanted stay empty.

        Args:
            lists: what was ranked.
            wanted: bool [B, K].
        """
        out = np.full(wanted.shape, "", dtype=object)
        row, column = np.nonzero(wanted)
        if not len(row):
            return out
        user, item, history = lists.users[row], lists.items[row, column], self.known.history
        age, baskets, gap = (values(one, user, item) for one in (history.age, history.baskets, history.gap))
        contributions = self.order.contributions(lists.features[row, column])
        self.tally.add(contributions)
        by_group = group_contributions(contributions, self.order.columns)
        by_group["repeat"][baskets == 0] = -np.inf
        by_group["rhythm"][(baskets == 0) | (gap <= 0)] = -np.inf
        names, most = list(by_group), np.stack(list(by_group.values())).argmax(0)
        told = np.full(len(row), "", dtype=object)
        for group in np.unique(most):
            mine, name = np.flatnonzero(most == group), names[group]
            days_ago = age[mine].astype(np.int64) - 1
            if name == "rhythm":
                told[mine] = [
                    _rhythm(days, ago) for days, ago in zip(gap[mine].tolist(), days_ago.tolist(), strict=True)
                ]
            elif name == "repeat":
                told[mine] = [
                    _habit(times, ago)
                    for times, ago in zip(baskets[mine].astype(np.int64).tolist(), days_ago.tolist(), strict=True)
                ]
            else:
                told[mine] = self._shop_words(name, user[mine], item[mine])
        out[row, column] = told
        return out

    def _shop_words(self, group: str, user: np.ndarray, item: np.ndarray) -> list[str]:
        """Words of a reason that is not the user's own habit with the item, of N places."""
        history, titles = self.known.history, self.titles
        buyers = history.buyers_recent[item].astype(np.int64).tolist()
        if group == "follows":
            sources = zip(self._sources(user, item).tolist(), buyers, strict=True)
            return [
                f"Often in the next basket after {titles[one]}" if one >= 0 else popular_words(count)
                for one, count in sources
            ]
        if group == "alike":
            nearest = zip(self._nearest(user, item), item, strict=True)
            return [
                f"Close to {titles[one]}, which you bought"
                if one >= 0
                else f"Close to what you buy: {self.shelves[it]}"
                for one, it in nearest
            ]
        if group == "fits":
            return ["Fits your latest baskets"] * len(item)
        if group == "neighbours":
            return ["Bought by shoppers with baskets like yours"] * len(item)
        if group == "promoted":
            stores = history.stores[item]
            return [_promoted(count) for count in stores]
        return [popular_words(count) for count in buyers]

    def _sources(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """The user's item from which most flows to another item: int [N], -1 where nothing does."""
        columns = self.known.columns
        place, source, weight = entries(self.known.history.weight[user])
        at = np.minimum(np.searchsorted(columns, source), len(columns) - 1)
        listed = np.flatnonzero(columns[at] == source)
        place, source, weight, at = place[listed], source[listed], weight[listed], at[listed]
        flow = values(self.known.into.T, np.searchsorted(columns, item)[place], at)
        return best(place, source, weight * flow, len(item))

    def _nearest(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """The user's other item that adds most to how near an item is to what the user takes: int [N], -1 for none.

        Nearness is a sum over what the user took, so what an item adds is its Shapley value in it.
        """
        if self.texts is None:
            return np.full(len(item), -1)
        some, own = np.unique(user, return_inverse=True)
        place, source, weight = entries(strongest(self.known.taken[some], HEAVY)[own])
        mine = self.known.columns[source]
        near = exact(self.texts, self.texts, mine, item[place])
        return best(place, mine, np.where(mine == item[place], 0, weight * near), len(item))


def plain_words(baskets: int, age: int, buyers: int) -> str:
    """The reason of an item nobody's model speaks for: the user's own habit, else how many took it.

    Args:
        baskets: of the user that hold it.
        age: days since the last of them, plus one.
        buyers: who bought it of late.
    """
    return _habit(baskets, age - 1) if baskets else popular_words(buyers)


def renewed(reason: str, gap: float, baskets: int, age: int, buyers: int, stores: int) -> str:
    """A reason of last night with tonight's days and counts, of an item that the user has not bought since.

    Args:
        reason: what hangs on neither stays as it is.
        gap: days between two times the user buys it.
        baskets: of the user that hold it.
        age: days since the last of them, plus one.
        buyers: who bought it of late.
        stores: that put it on display or in the mailer.
    """
    if reason.startswith(EVERY) and gap > 0:
        return _rhythm(gap, age - 1)
    if reason.startswith(PROMOTED) and stores:
        return _promoted(stores)
    hangs = reason.startswith((EVERY, HABIT, PROMOTED)) or reason.endswith((POPULAR, OTHERS))
    return plain_words(baskets, age, buyers) if hangs else reason


def basket_reasons(leads: np.ndarray, often: np.ndarray, titles: Sequence[str]) -> np.ndarray:
    """Why items complete open baskets: object [B, K].

    Args:
        leads: int [B, K] the basket's item each goes with, -1 for none.
        often: bool [B, K] the user has bought it lately.
        titles: item names by place.
    """
    own = np.where(often, "You often buy it", "Fits your basket").astype(object)
    with_lead = [f"Goes with {titles[lead]} in your basket" for lead in leads[leads >= 0]]
    own[leads >= 0] = with_lead
    return own


def popular_words(buyers: int) -> str:
    """The reason of a popular item; so few that they might be known are not counted out."""
    return f"{buyers} {POPULAR}" if buyers >= FEW else OTHERS


def audience_reasons(contributions: np.ndarray, names: Sequence[str], most: int = 2) -> list[str]:
    """The largest positive contributions of each row, in words: [N]."""
    order = np.argsort(-contributions, axis=1, kind="stable")[:, :most]
    words = [AUDIENCE_WORDS[name] for name in names]
    out = []
    for row, first in zip(contributions, order, strict=True):
        chosen = [words[i] for i in first if row[i] > 0.05]
        out.append((" and ".join(chosen) or "like the average contact").capitalize())
    return out


def shelf_names(categories: pa.ChunkedArray) -> list[str]:
    """The narrowest part of each category path, lower case."""
    return [(path or "other").rsplit(" > ", 1)[-1].lower() for path in categories.to_pylist()]


def _rhythm(gap: float, days_ago: int) -> str:
    return f"{EVERY} {gap:.0f} days, last {_ago(days_ago)}"


def _habit(times: int, days_ago: int) -> str:
    return f"{HABIT} {_times(times)}, last {_ago(days_ago)}"


def _promoted(stores: float) -> str:
    return f"{PROMOTED} ({stores:.0f} placements)"


def _ago(days: int) -> str:
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
