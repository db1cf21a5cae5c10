"""What the modules of a page are worth to each user, learned from what users did with the goods each would have shown.

A module is replayed: the goods it would have shown a user at the start of a past week, by what was known then, are held
against what the user took in it (purchases, or logged touches where the shop logs them). Worth is the posterior mean of
such hits a week: a Gamma prior fitted by moments over users, Poisson counts (Marshall 1991), so that a user of whom
little is known is near the mean of all. Touches favour what stood on top: a logged worth is of a module where it was.
Shapes: U users, B users of a block, I items, R items that may be listed, C categories, M modules.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline import at_work
from pipeline.features.history import History
from pipeline.features.sequences import Lines
from pipeline.models import next_baskets, next_items, row_loops
from pipeline.models.baskets import Baskets
from pipeline.models.next_items import Habits, Sequences
from pipeline.pages import MODULES, Module

BLOCK = 2048
DIGITS, EXACT = 6, 12
LATELY = 28  # days for which what was bought stays out of the shelf of the user's categories
SEASON, LONG = 90, 180  # days of baskets that say what goes with what, of purchases that say which categories
CATEGORIES, SHELF = 3, 60  # top categories of a user, goods of a category or of all that are looked through
FOLLOWERS = 30
BELOW = 1e-6  # of what is common beside a user's own


@dataclass(frozen=True)
class Goods:
    """What modules choose from, as of the history's day.

    Attributes:
        history: users and items.
        listed: bool [I] may be listed.
        category: int [I] number of the item's category, -1 for none.
        offered: bool [I] promoted in the week, or aimed at by a live campaign.
        rating: float [I] mean stars, 0 where nobody rated.
        touched: CSR [U, I] how often of late, nothing where the item was taken since.
        repeats: users take the same item again.
    """

    history: History
    listed: np.ndarray
    category: np.ndarray
    offered: np.ndarray
    rating: np.ndarray
    touched: sp.csr_matrix
    repeats: bool


@dataclass(frozen=True)
class Shelves:
    """The goods of every module, for any users of a history."""

    goods: Goods

    @cached_property
    def columns(self) -> np.ndarray:
        """Int [R] items that may be listed."""
        return np.flatnonzero(self.goods.listed)

    @cached_property
    def shares(self) -> sp.csr_matrix:
        """Share of each category among what a user took of late, recent baskets counting more: CSR [U, C]."""
        history, category = self.goods.history, self.goods.category
        own = _where(history.weight, history.age, 1, LONG)
        known = np.flatnonzero(category >= 0)
        of = sp.csr_matrix(
            (np.ones(len(known), np.float32), (known, category[known])),
            shape=(len(category), int(category.max(initial=0)) + 1),
        )
        taken = sp.csr_matrix(own @ of)
        return sp.csr_matrix(sp.diags(1 / np.maximum(np.asarray(taken.sum(1)).ravel(), 1e-9)) @ taken)

    @cached_property
    def top_categories(self) -> sp.csr_matrix:
        """The shares of each user's top categories: CSR [U, C]."""
        return sp.csr_matrix(self.shares.multiply(top(self.shares, CATEGORIES)))

    def shown(self, users: np.ndarray, count: int) -> dict[Module, sp.csr_matrix]:
        """The goods each module shows some users, at most so many: bool CSR [B, R] a module."""
        goods, history = self.goods, self.goods.history
        ever = history.baskets[users][:, self.columns]
        barred = () if goods.repeats else (ever,)
        age = history.age[users][:, self.columns]
        lately = _where(age, age, 1, LATELY) if goods.repeats else ever
        none = sp.csr_matrix(ever.shape, dtype=np.float32)
        recent, last, follows, beside = self._taken_with
        scores = {
            "buy_again": self._due(users) if goods.repeats else none,
            "your_categories": _without(self.top_categories[users] @ self._popular_by_category, lately),
            "new_for_you": _without(recent[users] @ follows, ever),
            "complements": _without(last[users] @ beside, last[users], *barred),
            "offers": _without(self.shares[users] @ self._offered_by_category + self._common("offers", users), *barred),
            "top_rated": _without(self._common("top_rated", users), ever),
            "shop_favourites": _without(self._common("shop_favourites", users), *barred),
            "continue": goods.touched[users][:, self.columns],
        }
        return {module: top(scores[module], count) for module in MODULES}

    @property
    def for_strangers(self) -> set[Module]:
        """Modules that show something to a user of whom nothing is known."""
        return {module for module, row in self._common_rows.items() if row.nnz}

    def _due(self, users: np.ndarray) -> sp.csr_matrix:
        """Own baskets by recency, less for what was bought sooner than the user's days between two purchases."""
        weight, age, gap = (
            sp.csr_matrix(one[users][:, self.columns])
            for one in (self.goods.history.weight, self.goods.history.age, self.goods.history.gap)
        )
        place = (np.repeat(np.arange(len(users)), np.diff(weight.indptr)), weight.indices)
        since, between = (np.asarray(one[place]).ravel() for one in (age, gap))
        due = np.minimum(np.divide(since, between, out=np.full_like(since, 0.5), where=between > 0), 1)
        return sp.csr_matrix((weight.data * due, weight.indices, weight.indptr), shape=weight.shape)

    @cached_property
    def _popular(self) -> np.ndarray:
        """Float [R] who took each item lately."""
        return self.goods.history.buyers_recent[self.columns].astype(np.float64)

    def _by_category(self, worth: np.ndarray) -> sp.csr_matrix:
        """The best goods of each category, beside its best one: CSR [C, R]; worthless ones are left out."""
        category = self.goods.category[self.columns]
        kept = np.flatnonzero((category >= 0) & (worth > 0))
        shape = (self.shares.shape[1], len(self.columns))
        rows = sp.csr_matrix((worth[kept], (category[kept], kept)), shape=shape)
        best = sp.csr_matrix(rows.multiply(top(rows, SHELF)))
        most = np.maximum(best.max(axis=1).toarray().ravel(), 1e-9)
        return sp.csr_matrix(sp.diags(1 / most) @ best)

    @cached_property
    def _popular_by_category(self) -> sp.csr_matrix:
        return self._by_category(self._popular)

    @cached_property
    def _offered_by_category(self) -> sp.csr_matrix:
        return self._by_category(self._popular * self.goods.offered[self.columns])

    @cached_property
    def _common_rows(self) -> dict[Module, sp.csr_matrix]:
        """What modules show everybody, best first, below anything of a user's own: CSR [1, R] a module."""
        worth: dict[Module, np.ndarray] = {
            "offers": self._popular * self.goods.offered[self.columns],
            "top_rated": self.goods.rating[self.columns],
            "shop_favourites": self._popular,
        }
        rows = {
            module: sp.csr_matrix(one[None, :] * BELOW / max(one.max(initial=0), 1)) for module, one in worth.items()
        }
        return {module: sp.csr_matrix(row.multiply(top(row, SHELF))) for module, row in rows.items()}

    def _common(self, module: Module, users: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix(np.ones((len(users), 1))) @ self._common_rows[module]

    @cached_property
    def _lines(self) -> Lines:
        return self.goods.history.lines.among(self.columns, len(self.goods.listed))

    @cached_property
    def _taken_with(self) -> tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix, sp.csr_matrix]:
        """What users took of late and last, CSR [U, R]; what follows an item, and what goes with it, CSR [R, R]."""
        size = len(self.columns)
        if not self.goods.repeats:
            sequences = Sequences(self._lines.item, self._lines.start)
            taken = np.bincount(sequences.item, minlength=size).astype(np.float64)
            follows = next_items.co_visitation(next_items.pairs(sequences, size, Habits()), taken, Habits())
            return sequences.profile(size, 0.8, 20), sequences.profile(size, 1.0, 1), follows, follows
        season = Baskets.of(self._lines.lately(SEASON), size)
        held = season.held
        same = np.flatnonzero(season.owner[1:] == season.owner[:-1])
        counts = sp.csr_matrix(held[same].T @ held[same + 1])
        counts.data[counts.data < 2] = 0  # once is chance
        counts.eliminate_zeros()
        follows = next_items.damped(counts, np.asarray(held.sum(0)).ravel(), next_baskets.DAMPING)
        paired = held[np.flatnonzero(np.asarray(held.sum(1)).ravel() <= next_baskets.LARGEST)]
        last = Baskets.of(self._lines, size).from_end(1).astype(np.float32)
        return season.profile(next_baskets.SLOW), last, _strongest(follows), _strongest(next_baskets.lifts(paired))


def top(scores: sp.csr_matrix, count: int) -> sp.csr_matrix:
    """The largest positive entries of each row, at most so many, ties by column: bool CSR."""
    scores = sp.csr_matrix(scores)
    exact = np.round(scores.data.astype(np.float64), EXACT)
    row, column, _rank = row_loops.best(scores.indptr, scores.indices, exact, count)
    return sp.csr_matrix((np.ones(len(row), bool), (row, column)), shape=scores.shape)


def _strongest(graph: sp.csr_matrix) -> sp.csr_matrix:
    return sp.csr_matrix(graph.multiply(top(graph, FOLLOWERS)))


def _where(values: sp.csr_matrix, by: sp.csr_matrix, low: int, high: int) -> sp.csr_matrix:
    """The values where another matrix lies between two bounds."""
    inside = by.copy()
    inside.data = ((by.data >= low) & (by.data <= high)).astype(np.float32)
    return sp.csr_matrix(values.multiply(inside))


def _without(scores: sp.csr_matrix, *held: sp.csr_matrix) -> sp.csr_matrix:
    """The scores but for the places that others hold."""
    for one in held:
        scores = sp.csr_matrix(scores - scores.multiply(one > 0))
    return scores


def replayed(shelves: Shelves, taken: sp.csr_matrix, count: int, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """How many of its goods were taken from each module, and whether it had any to show: float and bool [U, M].

    Args:
        shelves: modules as of the day before.
        taken: CSR [U, I] what users then took, or how often they touched it.
        count: goods a module shows.
        threads: blocks of users at work at once.
    """
    users = len(shelves.goods.history.users)
    hits, shows = np.zeros((users, len(MODULES))), np.zeros((users, len(MODULES)), bool)

    def work(start: int) -> None:
        block = np.arange(start, min(start + BLOCK, users))
        truth = taken[block][:, shelves.columns].astype(np.float64)
        for module, goods in enumerate(shelves.shown(block, count).values()):
            hits[block, module] = np.asarray(goods.multiply(truth).sum(1)).ravel()
            shows[block, module] = np.diff(goods.indptr) > 0

    for _done in at_work.after_one(work, range(0, users, BLOCK), threads):
        pass
    return hits, shows


@dataclass(frozen=True)
class Evidence:
    """What users did with each module over the weeks in which it had something to show: float [U, M] each."""

    users: pa.Array
    hits: np.ndarray
    weeks: np.ndarray

    @classmethod
    def none(cls, users: pa.Array) -> "Evidence":
        """Of users of whom nothing is known."""
        return cls(users, *(np.zeros((len(users), len(MODULES))) for _ in range(2)))

    def add(self, users: pa.Array, hits: np.ndarray, shows: np.ndarray) -> None:
        """Count one more week, of those users who are among these."""
        row = np.asarray(pc.fill_null(pc.index_in(users, self.users), -1))
        known = row >= 0
        self.hits[row[known]] += hits[known]
        self.weeks[row[known]] += shows[known]


def shrunken(hits: np.ndarray, weeks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hits a week of each user and module, drawn to the mean of all by how little is known: [U, M]; that mean [M].

    Hits are Poisson of a rate that is Gamma over users. Its mean m is all hits over all weeks w, its variance what the
    weighted spread of rates is above chance: (sum w (h/w - m)^2 - (n - 1) m) / (sum w - sum w^2 / sum w). Where users
    differ no more than by chance, everybody has the mean.

    Source: Marshall 1991, Mapping Disease and Mortality Rates Using Empirical Bayes Estimators.
    """
    whole, count = np.maximum(weeks.sum(0), 1e-9), (weeks > 0).sum(0)
    mean = hits.sum(0) / whole
    rate = np.divide(hits, weeks, out=np.zeros_like(hits), where=weeks > 0)
    spread = (weeks * (rate - mean) ** 2).sum(0) - np.maximum(count - 1, 0) * mean
    spread = np.maximum(spread / np.maximum(whole - (weeks**2).sum(0) / whole, 1e-9), 0)
    # The prior counts as mean / spread weeks: none where users have nothing in common, all where they do not differ.
    prior = np.divide(mean, spread, out=np.full_like(mean, np.inf), where=spread > 0)
    own = weeks / np.where(np.isinf(prior), 1, weeks + prior) * ~np.isinf(prior)
    return np.round(mean + own * (rate - mean), DIGITS), np.round(mean, DIGITS)
