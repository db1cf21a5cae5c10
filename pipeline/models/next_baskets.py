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
from pipeline.models import cart, row_loops, scoring
from pipeline.models.baskets import Baskets, Rhythm
from pipeline.models.next_items import PRIOR, Habits, damped
from pipeline.models.scoring import Scores

SLOW, QUICK = 0.9, 0.6
NEIGHBOURS = 300
CROWD = 15_000  # users among whom neighbours are looked for: each user is held against all of them
LARGEST = 40  # a larger basket is a stock-up, which pairs everything with everything
EDGES, AT_ONCE = 20_000_000, 1024  # pairs of items that a graph keeps, the strongest of each; items counted at once
COUNTED = 3_000_000  # lines that graphs are counted from, at most, each user's newest: so their cost stays flat
DAMPING = Habits(source_power=0.5, target_power=0.3)


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
    def of(cls, baskets: Baskets, rarity: np.ndarray) -> "Crowd":
        """All users, or as many drawn as are looked through; rarity float [I]."""
        users = np.sort(np.random.default_rng(0).permutation(baskets.shape[0])[:CROWD])
        own = baskets.of_users(users)
        habits, rare = units(own.profile(1.0), own.profile(SLOW), rarity)
        return cls(users, {"habits": habits.T.tocsr(), "rare": rare.T.tocsr()}, habits)

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
    """What all baskets tell of items, and the crowd of their users, each counted when it is first asked for.

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
        return np.bincount(self.baskets.item, minlength=self.baskets.shape[1]).astype(np.float64)

    @cached_property
    def rarity(self) -> np.ndarray:
        """Log of how many users there are to each buyer: float [I]."""
        return np.log(self.baskets.shape[0] / np.maximum(self.baskets.buyers[0], 1))

    @cached_property
    def returns(self) -> np.ndarray:
        """Share of each item's buyers who bought it again: float [I]."""
        buyers, again = self.baskets.buyers
        return (again + 1) / (buyers + PRIOR)

    @cached_property
    def crowd(self) -> Crowd:
        """Among whom neighbours are looked for."""
        return Crowd.of(self.baskets, self.rarity)

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
    """All that scoring reads, as of the end of the baskets.

    Attributes:
        baskets: what is known of users.
        graphs: of items, and among whom neighbours are looked for.
        open: bool CSR [U, I] baskets to be completed, which are none of `baskets`; their last ones, where left out.
        whose: int [U] whom of the crowd each user stands for, who is no neighbour of theirs; themselves if left out.
    """

    baskets: Baskets
    graphs: Graphs
    open: sp.csr_matrix | None = None
    whose: np.ndarray | None = None

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
        return Ways(baskets, self.graphs, whose=whose)

    def scores(self, users: np.ndarray) -> dict[str, Scores]:
        """Scores of every way."""
        whose = users if self.whose is None else self.whose[users]
        own, graphs = self.baskets.of_users(users), self.graphs
        count, slow, quick = (own.profile(decay) for decay in (1.0, SLOW, QUICK))
        last = (own.from_end(1) if self.open is None else self.open[users]).astype(np.float32)
        habits, rare = units(count, slow, graphs.rarity)
        sums = {
            "personal/recent": quick,
            "personal/slow": slow,
            "personal/all": count,
            "neighbours/habits": graphs.crowd.alike("habits", habits, whose),
            "neighbours/rare": graphs.crowd.alike("rare", rare, whose),
            "co_visitation/next": scoring.product(quick, graphs.follows),
            "complements/all": scoring.product(slow, graphs.together),
            "complements/lift": scoring.product(last, graphs.lifts),
            "complements/last": scoring.product(last, graphs.together),
        }
        found: dict[str, Scores] = {way: one.astype(np.float32, copy=False) for way, one in sums.items()}
        return found | {"popularity/bought": graphs.bought[None, :].astype(np.float32)}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """The user's rhythm with the item, how often it is bought, again too, and how much the user buys."""
        own = self.baskets.of_users(users)
        count, rhythm = own.profile(1.0), Rhythm.of(own)
        times, since, gap = (scoring.values(one, row, item) for one in (count, rhythm.since, rhythm.gap))
        sizes = own.sizes
        lines = np.asarray(count.sum(1)).ravel() / np.maximum(sizes, 1)
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
