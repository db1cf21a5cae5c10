"""Last night's lists beside tonight's, counted again from published rows: no code of the balance, no column of its.

Rows are joined and grouped, where the balance compares arrays; overlap is summed over items, where the metric sums over
depths. Users and items are named by their keys, or by numbers in their order (`numbers`). Not here: what is promised
(`promises`).
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.contracts.tables import RECOMMENDATIONS
from pipeline.policy import Policy

LIST = ["user_key", "surface"]
ROW = [*LIST, "item_id"]
COLUMNS = [*ROW, "rank", "kept_since", "change_cause", "is_fallback"]
HABIT = ["user_key", "item_id"]


@dataclass(frozen=True)
class Budget:
    """What a night may change in one list: replacements, and first places that stay."""

    replacements: int
    pinned: int


@dataclass(frozen=True)
class World:
    """What happened, from feeds and features, as of the night.

    Attributes:
        day: business day.
        last_day: business day of the snapshot before; None when there is none.
        active: keys of users with an event after `last_day` and up to `day`.
        readable: keys of users whose own purchases may be read.
        items: item_id, shelf (category by which goods are compared), recommendable; of tonight's catalogue.
        taken: user_key, item_id, times (how often, by baskets and days) and last_on of all purchases up to `day`.
        tried: item_id, buyers and again (those who took it more than once), of everybody where `taken` is of some.
        budgets: by state, idle and active.
        policy: of the balance.
        same_pages: last night's pages were laid out under the same settings.
        ads: keys of users who agreed to personalised ads; None takes all to have.
    """

    day: date
    last_day: date | None
    active: Collection[Hashable]
    readable: Collection[Hashable]
    items: pd.DataFrame
    taken: pd.DataFrame
    budgets: Mapping[str, Budget]
    policy: Policy
    same_pages: bool = True
    ads: Collection[Hashable] | None = None
    tried: pd.DataFrame | None = None

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Places of each surface's list."""
        return {str(name): surface.size for name, surface in self.policy.surfaces.items()}

    @cached_property
    def lasting(self) -> pd.Series:
        """Whether people take an item again and again, by item id."""
        by_item = (buyers(self.taken) if self.tried is None else self.tried).set_index("item_id")
        own = self.items.set_index("item_id")[["shelf"]].join(by_item).fillna({"buyers": 0, "again": 0})
        found = own[["buyers", "again"]]
        for wider in (own.shelf, pd.Series(0, own.index)):  # who knows too little asks the shelf, then the shop
            pooled = own.groupby(wider)[["buyers", "again"]].transform("sum")
            found = found.where(found.buyers >= self.policy.min_buyers, pooled)
        lasting: pd.Series = (found.again > 0) & (found.again >= self.policy.replenishable_share * found.buyers)
        return lasting

    @cached_property
    def days_since(self) -> pd.Series:
        """Days since a readable user took an item, by user and item."""
        last = self.taken[self.taken.user_key.isin(list(self.readable))].set_index(HABIT).last_on
        return (pd.Timestamp(self.day) - pd.to_datetime(last)).dt.days

    def barred(self, rows: pd.DataFrame) -> pd.Series:
        """Which rule of the contract each row breaks tonight, empty where none."""
        fit = self.items.item_id[self.items.recommendable]
        days = rows[HABIT].merge(self.days_since.reset_index(name="days"), on=HABIT, how="left").days.to_numpy()
        lasting = self.lasting.reindex(rows.item_id, fill_value=False).to_numpy(bool)
        rest = by_name(rows.surface, {str(name): one.rest_days for name, one in self.policy.surfaces.items()})
        broken = {
            "unavailable": ~rows.item_id.isin(fit),
            "just_bought": (days < self.policy.just_bought_days) & ~lasting,
            "resting": days < rest,
            "unwanted_ad": self.unwanted(rows),
        }
        return pd.Series(np.select(list(broken.values()), list(broken), ""), rows.index, dtype=object)

    def unwanted(self, rows: pd.DataFrame) -> pd.Series:
        """Rows of ads to users who did not agree to them."""
        agreed = rows.user_key if self.ads is None else list(self.ads)
        return rows.surface.eq("ad") & ~rows.user_key.isin(agreed)


def buyers(taken: pd.DataFrame) -> pd.DataFrame:
    """By item_id, buyers and how many of them took it again, of rows as of `World.taken`."""
    again = taken[["item_id"]].assign(again=taken.times > 1)
    return again.groupby("item_id").again.agg(buyers="size", again="sum").reset_index()


def lists(tables: Mapping[str, pa.Table], day: date | None) -> pd.DataFrame:
    """All users' lists of a snapshot or a staging, the cart's among them; rows by user, surface and rank.

    Args:
        tables: recommendations and cart_recommendations; without them there are no rows.
        day: of the snapshot: rows from before `kept_since` was noted say their own day.
    """
    parts = [_frame(tables.get("recommendations", RECOMMENDATIONS.schema.empty_table()), COLUMNS)]
    if "cart_recommendations" in tables:
        carts = _frame(tables["cart_recommendations"], ["context", "context_id", *COLUMNS])
        carts = carts[carts.context == "basket"].assign(user_key=lambda rows: rows.context_id)
        parts.append(carts.assign(surface="cart", is_fallback=False))
    rows = pd.concat(parts).reindex(columns=COLUMNS).sort_values([*LIST, "rank"], ignore_index=True)
    since = pd.to_datetime(rows.kept_since)
    return rows.assign(kept_since=since.fillna(pd.Timestamp(day)) if day else since)


def standing(before: pd.DataFrame, world: World) -> pd.DataFrame:
    """Last night's rows that tonight goes on from: as long as lists are tonight, of those who may still be read.

    What was made of a user's own purchases is not kept when they may no longer be read, nor an ad that is not wanted.
    Whether a row may not be shown any more is told as `barred`.
    """
    before = before[~world.unwanted(before)]
    personal = before[~before.is_fallback.astype(bool) & ~before.user_key.isin(list(world.readable))]
    withdrawn = pd.MultiIndex.from_frame(before[LIST]).isin(pd.MultiIndex.from_frame(personal[LIST]))
    before = before[(before["rank"] <= by_name(before.surface, world.sizes)) & ~withdrawn]
    return before.assign(barred=world.barred(before) != "")


def beside(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Each item that a list holds or held: its row of last night beside that of tonight, and its side."""
    return before.merge(now, on=ROW, how="outer", suffixes=("_before", "_now"), indicator="side")


def compare(
    now: pd.DataFrame, before: pd.DataFrame, both: pd.DataFrame, spent: pd.Series, world: World
) -> pd.DataFrame:
    """One row a list of tonight, counted from rows alone.

    Args:
        now: tonight's rows.
        before: last night's that stand.
        both: as of `beside`.
        spent: voluntary replacements of the six nights before, by user and surface.
        world: what happened.

    Returns:
        By user_key and surface: size; had (places last night); state; newcomers; gone (items of last night's that may
        not be shown any more); voluntary; spent; budget, pinned, rbo and floor of the row; is_same; first, last and
        ranks (the least, the most and how many distinct ones), items (distinct ones).
    """
    found = now.groupby(LIST)[["rank", "item_id"]].agg(
        size=("rank", "size"),
        first=("rank", "min"),
        last=("rank", "max"),
        ranks=("rank", "nunique"),
        items=("item_id", "nunique"),
    )
    found["places"] = by_name(found.index.get_level_values("surface"), world.sizes)
    kept = both[both.side == "both"]
    had = before.groupby(LIST).barred.agg(["size", "sum"])
    newcomers = both[both.side == "right_only"].groupby(LIST).size().to_frame("newcomers")
    found = found.join([newcomers, had.set_axis(["had", "gone"], axis=1), spent.to_frame("spent")])
    counts = ["size", "places", "newcomers", "had", "gone", "spent"]
    found[counts] = found[counts].fillna(0).astype(int)
    # Of whom nothing was taken yet nothing is known to act on.
    acting = set(world.active) & set(world.taken.user_key)
    active = found.index.get_level_values("user_key").isin(list(acting))
    found["state"] = np.where(found.had == 0, "new", np.where(active, "active", "idle"))
    new, act = found.state == "new", found.state == "active"
    found.loc[new, "spent"] = 0
    found["voluntary"] = np.where(new, 0, np.maximum(found.newcomers - found.gone, 0))
    found["is_same"] = (found.had == found["size"]) & (found.newcomers == 0)
    found["rbo"] = _overlap(kept, found, world.policy.rbo_p)
    idle, busy = world.budgets["idle"], world.budgets["active"]
    week = np.clip(world.policy.week_limit - found.spent, 0, idle.replacements)
    found["budget"] = np.select([new, act], [found.places, busy.replacements], week)
    found["pinned"] = np.minimum(np.select([new, act], [0, busy.pinned], idle.pinned), found.had)
    promised = [
        floor(*row, world.policy.rbo_p) for row in found[["places", "budget", "pinned"]].itertuples(index=False)
    ]
    found["floor"] = np.where(new | (found.gone > 0), np.nan, promised)
    return found


@cache
def floor(places: int, budget: int, pinned: int, p: float) -> float:
    """The promised overlap of a list: each depth may lose so many of its first items."""
    total = sum(p**d for d in range(places))
    lost = sum(p ** (d - 1) / total * min(max(d - pinned, 0), budget) / d for d in range(1, places + 1))
    return max(1 - lost, 0.0)


def _overlap(kept: pd.DataFrame, found: pd.DataFrame, p: float) -> pd.Series:
    """Rank-biased overlap: an item in both lists counts at every depth from the lower of its two places on.

    So does a place that is empty in both. With v_d = w_d / d, an item at places a and b adds the sum of v_d over
    d >= max(a, b).
    """
    rank, out = kept[["rank_before", "rank_now"]].max(axis=1).astype(int), pd.Series(np.nan, found.index)
    places_of = by_name(kept.surface, {str(name): one for name, one in found.places.groupby("surface").first().items()})
    for places in found.places.unique():
        weight = p ** np.arange(places)
        # Of each place on, 0 first: what something that is shared from there on adds; then the sum of these.
        part = np.r_[np.cumsum((weight / weight.sum() / np.arange(1, places + 1))[::-1])[::-1], 0]
        empty = np.cumsum(part[::-1])[::-1]
        mine = kept[places_of == places]
        gained = mine[LIST].assign(part=part[np.minimum(rank[mine.index] - 1, places)]).groupby(LIST).part.sum()
        chosen = found[(found.places == places) & (found.state != "new")]
        longest = chosen[["had", "size"]].max(axis=1).clip(upper=places)
        out.loc[chosen.index] = gained.reindex(chosen.index, fill_value=0) + empty[longest]
    return out


def by_name(names: pd.Series | pd.Index, values: Mapping[str, float]) -> np.ndarray:
    """The value of each of many names, of which few are different ones: float [N], nan where it has none."""
    place, different = pd.factorize(names)
    return np.array([values.get(name, np.nan) for name in different], float)[place]


def _frame(table: pa.Table, columns: Collection[str]) -> pd.DataFrame:
    """Columns of a table, those that it has; its words are not asked for and would take most of the room."""
    return table.select([name for name in table.column_names if name in columns]).to_pandas(date_as_object=False)
