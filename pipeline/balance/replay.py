"""Nights lived through again: the same rankings under an operating point, each night's lists following the last one's.

A replay begins without lists, so its first night is everybody's first. Not here: where rankings come from (stages and
the backtest hand them over), what is measured (`replayed`), and which point is taken (`operating_point`).
Shapes: U users of the night, K places, I items, G categories.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline.balance import coherence, experience, explore
from pipeline.balance.coherence import Facts
from pipeline.balance.experience import Lists, Measures
from pipeline.balance.point import Point
from pipeline.balance.surface import ACTIVE, IDLE, NEW, Rankings, Standing, balance_surface
from pipeline.metrics import stability
from pipeline.policy import Policy

WEEK = 7


@dataclass(frozen=True)
class Evening:
    """What a night makes lists of.

    Attributes:
        day: business day.
        users: user keys, ascending [U].
        ids: item ids by place [I].
        idle: bool [U] without an event since the night before.
        rankings: by surface.
        facts: of the contract.
        taste: CSR [U, G] share of each category in the user's history.
        evidence: float [U] pieces of evidence of a user.
        category: int [I]; -1 for items of none.
        salt: of who explores, to which the surface is added.
    """

    day: date
    users: pa.Array
    ids: pa.Array
    idle: np.ndarray
    rankings: Mapping[str, Rankings]
    facts: Facts
    taste: sp.csr_matrix
    evidence: np.ndarray
    category: np.ndarray
    salt: str


@dataclass(frozen=True)
class Carried:
    """One surface's lists and how they came about, on the way to the next night.

    Attributes:
        users: user keys, ascending [U].
        ids: item ids by place [I].
        items: int [U, K], -1 pads.
        spent: int [U, 6] voluntary replacements of the last six nights, oldest first.
        unchanged: int [U] nights in a row without a change.
    """

    users: pa.Array
    ids: pa.Array
    items: np.ndarray
    spent: np.ndarray
    unchanged: np.ndarray

    @classmethod
    def nothing(cls, evening: Evening, size: int) -> "Carried":
        """Before a first night."""
        users = len(evening.users)
        spent = np.zeros((users, WEEK - 1), np.int64)
        return cls(evening.users, evening.ids, np.full((users, size), -1), spent, np.zeros(users, np.int64))

    def to(self, evening: Evening) -> "Carried":
        """The same by the users and places of a later night, which may know more of both but no fewer items.

        Raises:
            ValueError: an item of a list has no place in the later night, so nobody could tell that it is gone.
        """
        place = np.asarray(pc.fill_null(pc.index_in(self.ids, evening.ids), -1)).astype(np.int64)
        items = np.where(self.items >= 0, place[self.items], -1)
        if (lost := (self.items >= 0) & (items < 0)).any():
            first = self.ids[int(self.items[lost][0])]
            raise ValueError(f"{evening.day}: item {first} has no place; give items that left the catalogue one, too")
        row = np.asarray(pc.fill_null(pc.index_in(evening.users, self.users), -1)).astype(np.int64)
        known = row >= 0
        return Carried(
            evening.users,
            evening.ids,
            np.where(known[:, None], items[row], -1),
            np.where(known[:, None], self.spent[row], 0),
            np.where(known, self.unchanged[row], 0),
        )


@dataclass(frozen=True)
class Lived:
    """A night of a replay: every surface's lists and their measures, in one order."""

    evening: Evening
    lists: Sequence[Lists]
    measures: Sequence[Measures]

    def shown(self, surface: str) -> np.ndarray:
        """A surface's lists int [U, K] of all users, -1 pads."""
        (one,) = (one for one in self.lists if one.surface == surface)
        items = np.full((len(self.evening.users), one.after.shape[1]), -1)
        items[one.users] = one.after
        return items


Step = Callable[[Evening, str, Carried], Lists]


def balanced(evenings: Iterable[Evening], points: Callable[[date], Point], policy: Policy) -> Iterator[Lived]:
    """Each night's lists under the operating point of its day; evenings are consecutive, oldest first."""

    def step(evening: Evening, surface: str, carried: Carried) -> Lists:
        state = _state(evening, carried)
        drawn = explore.draws(evening.users.to_pylist(), f"{evening.salt}:{surface}")
        spent = carried.spent.sum(1)
        standing = Standing(state, spent, carried.unchanged, evening.evidence, evening.taste, drawn)
        made = balance_surface(
            carried.items,
            evening.rankings[surface],
            coherence.eligible(evening.facts, surface),
            standing,
            evening.category,
            points(evening.day),
            policy,
        )
        return _lists(surface, carried, made.items, state, made.budget, made.pinned, made.voluntary, made.forced)

    return _lived(evenings, policy, step)


def free(evenings: Iterable[Evening], policy: Policy) -> Iterator[Lived]:
    """Each night's lists as the models alone would show them: the heads of the rankings, without budget or contract.

    What left the catalogue, or is sold out, counts as forced there, too.
    """

    def step(evening: Evening, surface: str, carried: Carried) -> Lists:
        size = carried.items.shape[1]
        items = evening.rankings[surface].free.items[:, :size]
        after = np.pad(items, ((0, 0), (0, size - items.shape[1])), constant_values=-1)
        state, users = _state(evening, carried), len(evening.users)
        forced = ((carried.items >= 0) & ~evening.facts.recommendable[carried.items]).sum(1)
        voluntary = np.where(state == NEW, 0, stability.voluntary(carried.items, after, forced))
        return _lists(surface, carried, after, state, np.full(users, size), np.zeros(users, int), voluntary, forced)

    return _lived(evenings, policy, step)


def _lived(evenings: Iterable[Evening], policy: Policy, step: Step) -> Iterator[Lived]:
    carried: dict[str, Carried] = {}
    for evening in evenings:
        lists: list[Lists] = []
        for surface, settings in policy.surfaces.items():
            had = carried[surface].to(evening) if surface in carried else Carried.nothing(evening, settings.size)
            lists.append(step(evening, surface, had))
        measures = experience.measure(lists, evening.taste, evening.category, policy)
        for one, measured in zip(lists, measures, strict=True):
            spent = measured.by_night[:, 1:]
            carried[one.surface] = Carried(evening.users, evening.ids, one.after, spent, measured.unchanged)
        yield Lived(evening, lists, measures)


def _state(evening: Evening, carried: Carried) -> np.ndarray:
    """New is who has no list of this surface yet."""
    return np.where((carried.items < 0).all(1), NEW, np.where(evening.idle, IDLE, ACTIVE))


def _lists(
    surface: str,
    carried: Carried,
    after: np.ndarray,
    state: np.ndarray,
    budget: np.ndarray,
    pinned: np.ndarray,
    voluntary: np.ndarray,
    forced: np.ndarray,
) -> Lists:
    return Lists(
        surface=surface,
        users=np.arange(len(after)),
        before=carried.items,
        after=after,
        state=state.astype(np.int8),
        budget=budget,
        pinned=pinned,
        voluntary=voluntary,
        forced=forced,
        spent=carried.spent,
        unchanged=carried.unchanged,
    )
