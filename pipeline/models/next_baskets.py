"""What a user's next basket holds: own habits, neighbours, what follows and goes together: ways to score every item.

Ways: own baskets decayed at three speeds, the baskets of users alike in habit or in what is rare (temporal item
frequency with neighbours, TIFU-KNN, Hu et al. 2020), what stood in the basket after one with the user's latest items,
what shares baskets with them, and popularity.
Shapes: U users, B users of a block, I items, S baskets, N candidates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from pipeline import at_work
from pipeline.features.sequences import Lines
from pipeline.models import cart, row_loops, scoring
from pipeline.models.next_items import PRIOR, Habits, damped
from pipeline.models.scoring import Scores

SLOW, QUICK = 0.9, 0.6
NEIGHBOURS = 300
CROWD = 15_000  # users among whom neighbours are looked for: each user is held against all of them
LARGEST = 40  # a larger basket is a stock-up, which pairs everything with everything
EDGES, AT_ONCE = 20_000_000, 1024  # pairs of items that a graph keeps, the strongest of each; items counted at once
COUNTED = 3_000_000  # lines that graphs are counted from, at most, each user's newest: so their cost stays flat
DAMPING = Habits(source_power=0.5, target_power=0.3)


@dataclass(frozen=True)
class Baskets:
    """What users bought together, user after user, each oldest first.

    Attributes:
        item: int [M] items, each once a basket.
        basket: int [M] place of the basket, ascending.
        owner: int [S] user of each basket, ascending.
        shape: users and items there are.
    """

    item: np.ndarray
    basket: np.ndarray
    owner: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(cls, lines: Lines, items: int) -> "Baskets":
        """From basket lines."""
        user = np.repeat(np.arange(len(lines)), np.diff(lines.start))
        first = np.r_[True, (user[1:] != user[:-1]) | (lines.basket[1:] != lines.basket[:-1])][: len(user)]
        return cls(lines.item, np.cumsum(first) - 1, user[first], (len(lines), items))

    @cached_property
    def lines(self) -> Lines:
        """As basket lines, each basket a day after the one before."""
        start = np.searchsorted(self.owner[self.basket], np.arange(self.shape[0] + 1))
        return Lines(self.item, self.basket, self.age[self.basket], start)

    @cached_property
    def age(self) -> np.ndarray:
        """Int [S] how many baskets the same user has after each."""
        ends = np.searchsorted(self.owner, self.owner, side="right")
        return np.asarray(ends - 1 - np.arange(len(self.owner)))

    @cached_property
    def sizes(self) -> np.ndarray:
        """Int [U] how many baskets each user has."""
        return np.bincount(self.owner, minlength=self.shape[0])

    def without_last(self, count: int) -> "Baskets":
        """Each user's baskets but for the last ones."""
        return self._only(self.age >= count)

    def newest(self, lines: int) -> "Baskets":
        """Each user's newest baskets, so many of everybody's as hold no more lines together; two at least."""
        held = np.cumsum(np.bincount(self.age, np.bincount(self.basket, minlength=len(self.owner))))
        return self._only(self.age < max(int(np.searchsorted(held, lines, side="right")), 2))

    def _only(self, kept: np.ndarray) -> "Baskets":
        place = np.cumsum(kept) - 1
        rows = kept[self.basket]
        return Baskets(self.item[rows], place[self.basket[rows]], self.owner[kept], self.shape)

    def from_end(self, count: int) -> sp.csr_matrix:
        """The basket so far from each user's end, 1 the last; bool CSR [U, I], empty for who has fewer."""
        rows = (self.age == count - 1)[self.basket]
        user = self.owner[self.basket[rows]]
        return sp.csr_matrix((np.ones(len(user), bool), (user, self.item[rows])), shape=self.shape)

    @cached_property
    def count(self) -> sp.csr_matrix:
        """How often each user bought what: float32 CSR [U, I]."""
        return self.profile(1.0)

    def mixed(self, other: "Baskets", chosen: np.ndarray) -> "Baskets":
        """The chosen users' baskets (bool [U]) of the same users' others, everybody else's of these."""
        parts = self._only(~chosen[self.owner]), other._only(chosen[other.owner])
        owner = np.concatenate([part.owner for part in parts])
        order = np.argsort(owner, kind="stable")
        place = np.argsort(order)  # of each basket among all
        basket = np.concatenate([place[parts[0].basket], place[len(parts[0].owner) + parts[1].basket]])
        lines = np.argsort(basket, kind="stable")
        return Baskets(np.concatenate([part.item for part in parts])[lines], basket[lines], owner[order], self.shape)

    def profile(self, decay: float) -> sp.csr_matrix:
        """How often each user bought what, each basket back counting `decay` times less: float32 CSR [U, I]."""
        pairs, weights = self.pairs, decay ** np.arange(self.sizes.max(initial=0))
        return pairs.matrix(np.add.reduceat(weights[pairs.age], pairs.first) if len(pairs.first) else pairs.first)

    @cached_property
    def pairs(self) -> "Pairs":
        """Users with what they bought."""
        span = int(self.sizes.max(initial=1))
        key = (self.owner[self.basket] * self.shape[1] + self.item) * span + self.age[self.basket]
        pair, age = np.divmod(np.sort(key), span)
        first = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]][: len(pair)])
        user, item = np.divmod(pair[first], self.shape[1])
        start = np.searchsorted(user, np.arange(self.shape[0] + 1))
        return Pairs(item.astype(np.int32), start, age.astype(np.int32), first, self.shape)

    @cached_property
    def held(self) -> sp.csr_matrix:
        """Float32 CSR [S, I]."""
        ones = np.ones(len(self.item), np.float32)
        return sp.csr_matrix((ones, (self.basket, self.item)), shape=(len(self.owner), self.shape[1]))


@dataclass(frozen=True)
class Pairs:
    """Users with items that they bought, by user, then item, and how many baskets ago that was.

    Attributes:
        item: int32 [P] of each pair.
        start: int [U + 1] where each user's pairs begin.
        age: int32 [M] baskets that the user has after each with the item, ascending in a pair.
        first: int [P] where each pair's ages begin.
        shape: users and items there are.
    """

    item: np.ndarray
    start: np.ndarray
    age: np.ndarray
    first: np.ndarray
    shape: tuple[int, int]

    def matrix(self, values: np.ndarray) -> sp.csr_matrix:
        """Values [P] as float32 CSR [U, I]."""
        return sp.csr_matrix((values.astype(np.float32), self.item, self.start), shape=self.shape)


@dataclass(frozen=True)
class Rhythm:
    """Of each user and item bought: baskets since the last one with it (1 is the latest), and baskets between two.

    Attributes:
        since: float32 CSR [U, I].
        gap: float32 CSR [U, I]; nothing where it was bought once.
    """

    since: sp.csr_matrix
    gap: sp.csr_matrix

    @classmethod
    def of(cls, baskets: Baskets) -> "Rhythm":
        """Read it off the baskets."""
        pairs = baskets.pairs
        last = np.r_[pairs.first[1:], len(pairs.age)][: len(pairs.first)] - 1
        newest, oldest = pairs.age[pairs.first], pairs.age[last]
        return cls(pairs.matrix(newest + 1), pairs.matrix((oldest - newest) / np.maximum(last - pairs.first, 1)))


def flows(
    first: sp.csr_matrix,
    then: sp.csr_matrix,
    weighed: Callable[[sp.csr_matrix, np.ndarray], sp.csr_matrix],
    threads: int = 1,
) -> sp.csr_matrix:
    """How often items stood in rows of which others stood in the same ones, weighed: CSR [I, I], the strongest pairs.

    Args:
        first: CSR [N, I].
        then: CSR [N, I].
        weighed: what is kept of the counts CSR [A, I] of so many items, given their places [A].
        threads: at work at once.
    """
    count, by_item = first.shape[1], first.T.tocsr()

    def part(start: int) -> sp.csr_matrix:
        some = np.arange(start, min(start + AT_ONCE, count))
        return scoring.strongest(weighed(scoring.product(by_item[some], then), some), max(EDGES // count, 1))

    return sp.vstack(list(at_work.each(part, range(0, count, AT_ONCE), threads)), format="csr")


def others(counts: sp.csr_matrix, items: np.ndarray) -> sp.csr_matrix:
    """Counts [A, I] of items [A] with others than themselves."""
    counts.data[counts.indices == np.repeat(items, np.diff(counts.indptr))] = 0
    return counts


def lifts(held: sp.csr_matrix, threads: int = 1) -> sp.csr_matrix:
    """Log of the surely least lift of items in one basket, where it is above chance: CSR [I, I]."""
    counts = np.asarray(held.sum(0)).ravel()

    def sure(joint: sp.csr_matrix, items: np.ndarray) -> sp.csr_matrix:
        joint = joint.tocoo()
        lift = cart.sure_lift(joint.data, counts[items[joint.row]], counts[joint.col], held.shape[0])
        kept = (lift > 1) & (items[joint.row] != joint.col)
        return sp.csr_matrix((np.log(lift[kept]), (joint.row[kept], joint.col[kept])), shape=joint.shape)

    return flows(held, held, sure, threads)


@dataclass(frozen=True)
class Crowd:
    """Users among whom neighbours are looked for.

    Attributes:
        users: int [C] places, ascending.
        near: CSR [I, C] their unit rows by which they are found, by kind.
        habits: CSR [C, I] what they stand for.
    """

    users: np.ndarray
    near: dict[str, sp.csr_matrix]
    habits: sp.csr_matrix

    @classmethod
    def of(cls, habits: sp.csr_matrix, rare: sp.csr_matrix) -> "Crowd":
        """All users, or as many drawn as are looked through; unit rows CSR [U, I]."""
        users = np.sort(np.random.default_rng(0).permutation(habits.shape[0])[:CROWD])
        return cls(users, {"habits": habits[users].T.tocsr(), "rare": rare[users].T.tocsr()}, habits[users])

    def alike(self, kind: str, rows: sp.csr_matrix, whose: np.ndarray) -> sp.csr_matrix:
        """Mean habits of the nearest of the crowd: CSR [B, I].

        Args:
            kind: by which unit rows they are near.
            rows: CSR [B, I] such rows of who asks.
            whose: int [B] whom each is or stands for, who is no neighbour of theirs.
        """
        place = np.minimum(np.searchsorted(self.users, whose), len(self.users) - 1)
        own = np.where(self.users[place] == whose, place, -1)
        count = min(NEIGHBOURS, len(self.users) - 1)
        near = row_loops.nearest(scoring.parts(rows), scoring.parts(self.near[kind]), len(self.users), own, count)
        return scoring.product(scoring.matrix(near, len(self.users)), self.habits)


@dataclass(frozen=True)
class Guests:
    """Users who are none of the crowd among whom neighbours are looked for.

    Attributes:
        whose: int [V] whom of the crowd each stands for, who is no neighbour of theirs.
        crowd: it.
    """

    whose: np.ndarray
    crowd: Crowd


def units(count: sp.csr_matrix, slow: sp.csr_matrix, rarity: np.ndarray) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Unit rows of users by habit, and by what is rare: CSR [U, I] each.

    Args:
        count: CSR [U, I] what they bought.
        slow: the same, slowly decayed.
        rarity: float [I].
    """
    rare = normalize(count.power(0.5) @ sp.diags(rarity)).tocsr().astype(np.float32)
    return normalize(slow).tocsr(), rare


@dataclass(frozen=True)
class Graphs:
    """What all baskets tell of items, each counted when it is first asked for.

    Attributes:
        baskets: of all users.
        threads: at work at once.
    """

    baskets: Baskets
    threads: int = 1

    @cached_property
    def follows(self) -> sp.csr_matrix:
        """From one basket to the next: CSR [I, I]."""
        same = np.flatnonzero(self._newest.owner[1:] == self._newest.owner[:-1])
        held = self._newest.held
        return flows(held[same], held[same + 1], self._weighed, self.threads)

    @cached_property
    def together(self) -> sp.csr_matrix:
        """In one basket, large ones counting less: CSR [I, I]."""
        shared = sp.diags(np.maximum(np.asarray(self._paired.sum(1)).ravel(), 1) ** -0.5) @ self._paired
        return flows(shared, shared, lambda part, items: self._weighed(others(part, items), items), self.threads)

    @cached_property
    def lifts(self) -> sp.csr_matrix:
        """Log of the surely least lift in one basket: CSR [I, I]."""
        return lifts(self._paired, self.threads)

    @cached_property
    def bought(self) -> np.ndarray:
        """Baskets with each item: float [I]."""
        return np.asarray(self.baskets.count.sum(0)).ravel().astype(np.float64)

    @cached_property
    def rarity(self) -> np.ndarray:
        """Log of how many users there are to each buyer: float [I]."""
        return np.log(self.baskets.shape[0] / np.maximum(self._buyers, 1))

    @cached_property
    def returns(self) -> np.ndarray:
        """Share of each item's buyers who bought it again: float [I]."""
        return (np.asarray((self.baskets.count > 1).sum(0)).ravel() + 1) / (self._buyers + PRIOR)

    @cached_property
    def _buyers(self) -> np.ndarray:
        return np.asarray((self.baskets.count > 0).sum(0)).ravel()

    @cached_property
    def _newest(self) -> Baskets:
        return self.baskets.newest(COUNTED)

    @cached_property
    def _paired(self) -> sp.csr_matrix:
        held = self._newest.held
        return held[np.flatnonzero(np.asarray(held.sum(1)).ravel() <= LARGEST)]

    @cached_property
    def _often(self) -> np.ndarray:
        return np.asarray(self._newest.held.sum(0)).ravel().astype(np.float64)

    def _weighed(self, part: sp.csr_matrix, items: np.ndarray) -> sp.csr_matrix:
        return damped(part, self._often, DAMPING, items)


@dataclass(frozen=True)
class Ways:
    """All that scoring reads, as of the end of the baskets, each counted when it is first asked for.

    Attributes:
        baskets: what is known of users.
        graphs: of items.
        open: bool CSR [U, I] baskets to be completed, which are none of `baskets`; their last ones, where left out.
        guests: whose baskets these are, if not the crowd's own.
    """

    baskets: Baskets
    graphs: Graphs
    open: sp.csr_matrix | None = None
    guests: Guests | None = None

    @classmethod
    def of(cls, baskets: Baskets, threads: int = 1) -> "Ways":
        """Of all users' baskets; so many threads count at once."""
        return cls(baskets, Graphs(baskets, threads))

    def visited(self, baskets: Baskets, whose: np.ndarray) -> "Ways":
        """The same for other baskets than the crowd's, whose graphs and habits stay as they are.

        Args:
            baskets: of V users.
            whose: int [V] whom of the crowd each stands for.
        """
        return Ways(baskets, self.graphs, guests=Guests(whose, self.crowd))

    @cached_property
    def slow(self) -> sp.csr_matrix:
        """Own baskets with an item, slowly decayed: CSR [U, I]."""
        return self.baskets.profile(SLOW)

    @cached_property
    def quick(self) -> sp.csr_matrix:
        """The same, quickly decayed."""
        return self.baskets.profile(QUICK)

    @cached_property
    def last(self) -> sp.csr_matrix:
        """The open or the latest basket: CSR [U, I]."""
        return (self.baskets.from_end(1) if self.open is None else self.open).astype(np.float32)

    @cached_property
    def rhythm(self) -> Rhythm:
        """Of the user with the item."""
        return Rhythm.of(self.baskets)

    @cached_property
    def units(self) -> tuple[sp.csr_matrix, sp.csr_matrix]:
        """Unit rows by which users are neighbours, by habit and by what is rare: CSR [U, I] each."""
        return units(self.baskets.count, self.slow, self.graphs.rarity)

    @cached_property
    def crowd(self) -> Crowd:
        """Among whom neighbours are looked for."""
        return self.guests.crowd if self.guests else Crowd.of(*self.units)

    def scores(self, users: np.ndarray) -> dict[str, Scores]:
        """Scores of every way."""
        whose = users if self.guests is None else self.guests.whose[users]
        graphs, (habits, rare) = self.graphs, self.units
        sums = {
            "personal/recent": self.quick[users],
            "personal/slow": self.slow[users],
            "personal/all": self.baskets.count[users],
            "neighbours/habits": self.crowd.alike("habits", habits[users], whose),
            "neighbours/rare": self.crowd.alike("rare", rare[users], whose),
            "co_visitation/next": scoring.product(self.quick[users], graphs.follows),
            "complements/all": scoring.product(self.slow[users], graphs.together),
            "complements/lift": scoring.product(self.last[users], graphs.lifts),
            "complements/last": scoring.product(self.last[users], graphs.together),
        }
        found: dict[str, Scores] = {way: one.astype(np.float32, copy=False) for way, one in sums.items()}
        return found | {"popularity/bought": graphs.bought[None, :].astype(np.float32)}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """The user's rhythm with the item, how often it is bought, again too, and how much the user buys."""

        def own(matrix: sp.csr_matrix) -> np.ndarray:
            return scoring.values(matrix[users], row, item)

        count = self.baskets.count
        times, since, gap = own(count), own(self.rhythm.since), own(self.rhythm.gap)
        sizes = self.baskets.sizes[users]
        lines = np.asarray(count[users].sum(1)).ravel() / np.maximum(sizes, 1)
        return {
            "personal/since": since,
            "personal/gap": gap,
            "personal/due": np.divide(since, gap, out=np.zeros_like(since), where=gap > 0),
            "personal/rate": times / np.maximum(sizes, 1)[row],
            "popularity/log_bought": np.log1p(self.graphs.bought[item]),
            "popularity/returns": self.graphs.returns[item],
            "user/baskets": sizes[row],
            "user/lines": lines[row],
        }
