"""Which item comes next in a user's sequence: several ways to score every item.

Ways: co-visitation (what followed what, forwards and backwards, decayed by distance, normalised by popularity), two
hops of it, likeness of content, and what followed alike items, which reaches an item nobody has taken yet.
Shapes: U users, B users of a block, I items, N candidates.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from pipeline.features.sequences import Lines
from pipeline.models import retrieval, scoring
from pipeline.models.order import best, blocks
from pipeline.models.retrieval import Filters
from pipeline.models.scoring import Scores

NEIGHBOURS, FOLLOWERS = 100, 50
PRIOR = 10.0


@dataclass(frozen=True)
class Sequences:
    """What users took, oldest first: `item` int [M] places, `start` int [U + 1] where each user begins."""

    item: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        """How many users."""
        return len(self.start) - 1

    @cached_property
    def sizes(self) -> np.ndarray:
        """Int [U] how many items each user has."""
        return np.diff(self.start)

    @cached_property
    def lines(self) -> Lines:
        """The same as basket lines, each item a basket of its own, a day after the one before."""
        place = np.arange(len(self.item))
        return Lines(self.item, place, self.start[1:][self.user] - 1 - place, self.start)

    @cached_property
    def user(self) -> np.ndarray:
        """Int [M] whose each item is."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def without_last(self, count: int) -> "Sequences":
        """Each user's items but for the last ones; who has no more keeps none."""
        left = np.maximum(np.diff(self.start) - count, 0)
        kept = np.arange(len(self.item)) - self.start[self.user] < left[self.user]
        return Sequences(self.item[kept], np.r_[0, np.cumsum(left)])

    def from_end(self, count: int) -> np.ndarray:
        """Int [U] the item so far from the end, 1 the last; -1 for who has fewer."""
        at = self.start[1:] - count
        return np.where(at >= self.start[:-1], self.item[np.maximum(at, 0)], -1)

    def profile(self, items: int, decay: float, limit: int) -> sp.csr_matrix:
        """Each user's latest items, each step back counting `decay` times less: float32 CSR [U, I]."""
        back = self.start[1:][self.user] - 1 - np.arange(len(self.item))
        near = back < limit
        weight = (decay ** back[near].astype(np.float64)).astype(np.float32)
        return sp.csr_matrix((weight, (self.user[near], self.item[near])), shape=(len(self), items))


@dataclass(frozen=True)
class Habits:
    """Hyper-parameters of the ways, chosen on the validation item.

    Attributes:
        window: steps within which two items are seen together.
        distance: decay of a pair by each further step.
        backward: what an item counts for those that come after it.
        source_power, target_power: damping by how often an item was taken.
        memory: decay of a user's items by each step back.
    """

    window: int = 10
    distance: float = 0.8
    backward: float = 0.6
    source_power: float = 0.5
    target_power: float = 0.3
    memory: float = 0.5


def pairs(sequences: Sequences, items: int, habits: Habits) -> sp.csr_matrix:
    """Decayed counts of item j after item i in one user's sequence: float32 CSR [I, I]."""
    total = sp.csr_matrix((items, items), dtype=np.float32)
    for gap in range(1, habits.window + 1):
        same = sequences.user[gap:] == sequences.user[:-gap]
        first, second = sequences.item[:-gap][same], sequences.item[gap:][same]
        weight = np.full(len(first), habits.distance ** (gap - 1), np.float32)
        total = total + sp.csr_matrix((weight, (first, second)), shape=(items, items))
    total.setdiag(0)
    total.eliminate_zeros()
    return total.tocsr()


def damped(
    counts: sp.csr_matrix, taken: np.ndarray, habits: Habits, items: np.ndarray | slice = slice(None)
) -> sp.csr_matrix:
    """Counts of some items [A, I] divided by powers of how often both items were taken; of all, unless it is said."""
    source, target = (taken[items] + PRIOR) ** -habits.source_power, (taken + PRIOR) ** -habits.target_power
    weights = np.repeat(source, np.diff(counts.indptr)) * counts.data * target[counts.indices]
    return sp.csr_matrix((weights.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)


def co_visitation(forward: sp.csr_matrix, taken: np.ndarray, habits: Habits) -> sp.csr_matrix:
    """What goes with what, in both directions: float32 CSR [I, I]; `forward` are `pairs`."""
    return damped(forward + habits.backward * forward.T, taken, habits)


def likeness(content: sp.csr_matrix, neighbours: int = NEIGHBOURS) -> sp.csr_matrix:
    """Cosine of each item's content with its nearest others: float32 CSR [I, I].

    Args:
        content: CSR [I, C] unit rows; an empty row is alike to nothing.
        neighbours: how many an item keeps.
    """
    items = content.shape[0]
    rows, others, cosines = [], [], []
    for block in blocks(np.arange(items)):
        near = (content[block] @ content.T).toarray()
        near[np.arange(len(block)), block] = 0
        row, other, _ = best(near, block, neighbours)
        rows.append(row)
        others.append(other)
        cosines.append(near[row - block[0], other])
    return sp.csr_matrix(
        (np.concatenate(cosines), (np.concatenate(rows), np.concatenate(others))),
        shape=(items, items),
        dtype=np.float32,
    )


def nearness(vectors: np.ndarray, threads: int, neighbours: int = NEIGHBOURS) -> sp.csr_matrix:
    """Cosine of each item's vector with its nearest others, where it is positive: float32 CSR [I, I].

    Args:
        vectors: float32 [I, T] unit rows.
        threads: at work.
        neighbours: how many an item keeps.
    """
    items = len(vectors)
    near = retrieval.search(
        vectors, vectors, neighbours, Filters(excluded=sp.eye(items, format="csr")), threads=threads
    )
    row, place = np.nonzero(near.scores > 0)
    return sp.csr_matrix((near.scores[row, place], (row, near.items[row, place])), shape=(items, items))


def _profiles(sequences: Sequences, ways: Iterable[str], items: int, memory: float) -> dict[str, sp.csr_matrix]:
    """What each way reads of a user: the latest items, the last one alone, or more of them."""
    latest, last = sequences.profile(items, memory, 20), sequences.profile(items, memory, 1)
    profiles = {way: last if way.endswith("_last") else latest for way in ways}
    return profiles | {"co_visitation/long": sequences.profile(items, 0.8, 50)}


@dataclass(frozen=True)
class Ways:
    """All that scoring reads, as of the end of the sequences.

    Attributes:
        sequences: what is known of each user.
        taken: float [I] how often each item was taken.
        graphs: CSR [I, I] by way.
        profiles: CSR [U, I] by way.
        memory: decay of a user's items by each step back.
    """

    sequences: Sequences
    taken: np.ndarray
    graphs: dict[str, sp.csr_matrix]
    profiles: dict[str, sp.csr_matrix]
    memory: float = Habits.memory

    @classmethod
    def of(cls, sequences: Sequences, items: int, alike: Mapping[str, sp.csr_matrix], habits: Habits) -> "Ways":
        """Count and normalise.

        Args:
            sequences: what is known.
            items: how many there are.
            alike: `likeness` or `nearness` of items, by name of what they are alike in.
            habits: hyper-parameters.
        """
        taken = np.bincount(sequences.item, minlength=items).astype(np.float64)
        forward = pairs(sequences, items, habits)
        follows = co_visitation(forward, taken, habits)
        near = normalize(scoring.strongest(follows, FOLLOWERS), "l1")
        graphs = {
            "co_visitation/next": follows,
            "co_visitation/next_last": follows,
            "co_visitation/after": damped(forward, taken, habits),
            "co_visitation/long": damped(forward + forward.T, taken, habits),
            "co_visitation/two_hops": (near @ near @ sp.diags((taken + PRIOR) ** -0.2)).tocsr(),
        }
        for name, others in alike.items():
            graphs[f"text/{name}"] = graphs[f"text/{name}_last"] = others
            graphs[f"text/after_{name}"] = (normalize(others, "l1") @ near).tocsr()
        return cls(sequences, taken, graphs, _profiles(sequences, graphs, items, habits.memory), habits.memory)

    def visited(self, sequences: Sequences) -> "Ways":
        """The same for other users, whose sequences leave what goes with what as it is."""
        profiles = _profiles(sequences, self.graphs, len(self.taken), self.memory)
        return replace(self, sequences=sequences, profiles=profiles)

    def scores(self, users: np.ndarray) -> dict[str, Scores]:
        """Scores of every way."""
        found: dict[str, Scores] = {
            way: (self.profiles[way][users] @ graph).astype(np.float32) for way, graph in self.graphs.items()
        }
        return found | {"popularity/taken": self.taken[None, :].astype(np.float32)}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """How often the item was taken, and how much the user took."""
        sizes = np.diff(self.sequences.start)[users]
        return {
            "popularity/log_taken": np.log1p(self.taken[item]),
            "user/log_items": np.log(np.maximum(sizes, 1))[row],
        }
