"""Users' baskets as arrays, user after user: what they hold, how old they are, and the rhythm of an item in them.

Shapes: U users, I items, S baskets, M lines, P pairs of a user and an item.
"""

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import scipy.sparse as sp

from pipeline.features.sequences import Lines


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
        return Lines(self.item, self.basket, self.age[self.basket], self.start)

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

    def of_users(self, users: np.ndarray) -> "Baskets":
        """Those of some users (places), who are then numbered as they stand there."""
        sizes = self.start[users + 1] - self.start[users]
        bounds = np.r_[0, np.cumsum(sizes)]
        rows = np.arange(bounds[-1]) + np.repeat(self.start[users] - bounds[:-1], sizes)
        user, basket = np.repeat(np.arange(len(users)), sizes), self.basket[rows]
        first = np.r_[True, (user[1:] != user[:-1]) | (basket[1:] != basket[:-1])][: len(rows)]
        return Baskets(self.item[rows], np.cumsum(first) - 1, user[first], (len(users), self.shape[1]))

    @cached_property
    def start(self) -> np.ndarray:
        """Int [U + 1] where each user's lines begin."""
        return np.searchsorted(self.owner[self.basket], np.arange(self.shape[0] + 1))

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
    def buyers(self) -> tuple[np.ndarray, np.ndarray]:
        """Users who bought each item, and those who did again: int [I] each."""
        return _buyers(self.owner, self.basket, self.item, self.shape[1])

    @cached_property
    def held(self) -> sp.csr_matrix:
        """Float32 CSR [S, I]."""
        ones = np.ones(len(self.item), np.float32)
        return sp.csr_matrix((ones, (self.basket, self.item)), shape=(len(self.owner), self.shape[1]))


@numba.njit(nogil=True)
def _buyers(owner: np.ndarray, basket: np.ndarray, item: np.ndarray, items: int) -> tuple[np.ndarray, np.ndarray]:
    """As of `Baskets.buyers`."""
    bought, again = np.zeros(items, np.int64), np.zeros(items, np.int64)
    last, last_again = np.full(items, -1), np.full(items, -1)  # users counted
    for line in range(len(item)):
        user, one = owner[basket[line]], item[line]
        if last[one] != user:
            last[one] = user
            bought[one] += 1
        elif last_again[one] != user:
            last_again[one] = user
            again[one] += 1
    return bought, again


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

    @property
    def times(self) -> np.ndarray:
        """Int [P] baskets with each pair."""
        return np.diff(np.r_[self.first, len(self.age)])

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
        between = pairs.times - 1
        newest, oldest = pairs.age[pairs.first], pairs.age[pairs.first + between]
        return cls(pairs.matrix(newest + 1), pairs.matrix((oldest - newest) / np.maximum(between, 1)))
