"""The recommender of a night: ways of scoring as of a day, and the order learned on a week nothing else has seen.

Ways that count: what users take again (`next_baskets`) or once (`next_items`, `linear`), and what only days tell. Ways
that read: the text-aware transformer and the taste in texts.
Shapes: U users, B users of a block, R columns (items that may be listed), I items, K list places, F features.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from pipeline.features.history import History
from pipeline.models import baselines, linear, next_baskets, next_items, scoring, sequential
from pipeline.models.baskets import Baskets
from pipeline.models.linear import Linear
from pipeline.models.next_items import Habits, Sequences
from pipeline.models.order import Candidates, Order, each_block
from pipeline.models.retrieval import Filters
from pipeline.models.scoring import Scores
from pipeline.models.ways import Joined, Taste, Ways, among, candidates

# Ways that are known by a name of their own: the strong simple recommenders, and what stands beside them.
SOURCES = {
    "popularity": "popularity/recent",
    "personal_frequency": "personal/weight",
    "co_visitation": "co_visitation/next",
    "neighbours": "neighbours/habits",
    "complements": "complements/all",
    "linear": "linear/next",
    "transformer": "transformer/next",
    "text": "text/taste",
}
BASELINES = ("popularity", "personal_frequency", "co_visitation")
TAUGHT, HEARD = 7_500, 1_500_000  # users that teach the order, and their candidates, at most: so its cost stays flat


@dataclass(frozen=True)
class Days:
    """What only days tell: sales of late, and when a user took an item.

    Attributes:
        history: users and items.
        columns: int [R] items that may be listed.
    """

    history: History
    columns: np.ndarray

    def scores(self, users: np.ndarray) -> dict[str, Scores]:
        """Users who took the item of late; the user's own baskets with it, halved per 30 days of age."""
        recent = self.history.buyers_recent[None, self.columns].astype(np.float32)
        return {"popularity/recent": recent, "personal/weight": self.history.weight[users][:, self.columns]}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """Days since the user took it, its share of the days between two times, and its promotion this week."""
        place = self.columns[item]
        age, gap = (
            scoring.values(one[users], row, place).astype(np.float64) for one in (self.history.age, self.history.gap)
        )
        return {
            "personal/days_since": age,
            "personal/days_due": np.divide(age, gap, out=np.zeros_like(age), where=gap > 0),
            "promotion/stores": self.history.stores[place],
        }


@dataclass(frozen=True)
class Knowledge:
    """All that scoring reads, as of one day.

    Attributes:
        history: users and items.
        columns: int [R] items that may be listed.
        counted, read: the ways.
        flows: gives what is taken after what, or with it: CSR [R, R].
        taken: CSR [U, R] by what a user's taste is known.
        filters: what a user does not get.
    """

    history: History
    columns: np.ndarray
    counted: tuple[Ways, ...]
    flows: Callable[[], sp.csr_matrix]
    taken: sp.csr_matrix
    filters: Filters
    read: tuple[Ways, ...] = ()

    @cached_property
    def into(self) -> sp.csc_matrix:
        """The flows by what is taken after: CSC [R, R]."""
        return self.flows().tocsc()

    @property
    def ways(self) -> Joined:
        """All of them."""
        return Joined(self.counted + self.read, self.filters)

    def reading(self, model: sequential.Sequential, rows: np.ndarray, texts: np.ndarray, length: int) -> "Knowledge":
        """The same with a transformer and its texts.

        Args:
            model: trained.
            rows: int [I] vocabulary row of each item.
            texts: float32 [I, T] unit text vectors.
            length: items it reads.
        """
        states = sequential.States(model, self.history.lines, rows, texts, length)
        vectors = sequential.item_vectors(model, rows, texts)[self.columns]
        taste = Taste(self.taken, texts[self.columns])
        return replace(self, read=(sequential.Ways(states, vectors), taste))


def repeated(history: History, columns: np.ndarray, threads: int = 1) -> Knowledge:
    """Knowledge of a shop whose users take the same items again and again; arguments as of `once`."""
    lines = history.lines.among(columns, history.baskets.shape[1])
    baskets = next_baskets.Ways.of(Baskets.of(lines, len(columns)), threads)
    counted = (Days(history, columns), baskets)
    return Knowledge(history, columns, counted, lambda: baskets.graphs.follows, history.weight[:, columns], Filters())


def once(history: History, columns: np.ndarray, texts: np.ndarray, linear_items: int, threads: int) -> Knowledge:
    """Knowledge of a shop whose users take an item once; what they took is listed no more.

    Args:
        history: users and items.
        columns: int [R] items that may be listed.
        texts: float32 [I, T] unit text vectors.
        linear_items: items of the linear model, at most.
        threads: at work.
    """
    lines = history.lines.among(columns, history.baskets.shape[1])
    sequences = Sequences(lines.item, lines.start)
    alike = {"meaning": next_items.nearness(texts[columns], threads)}
    steps = next_items.Ways.of(sequences, len(columns), alike, Habits())
    learned = Linear.learn(lines, len(columns), linear_items)
    profile = sequences.profile(len(columns), linear.MEMORY, linear.READ)
    counted = (Days(history, columns), steps, linear.Ways(learned, profile))
    flows = steps.graphs["co_visitation/next"]
    return Knowledge(history, columns, counted, lambda: flows, profile, Filters(excluded=history.baskets[:, columns]))


@dataclass(frozen=True)
class Lists:
    """Ranked lists of some users.

    Attributes:
        users: int [B] places in the history.
        items: int [B, K] places in the catalogue; -1 pads.
        scores: float [B, K] log-odds.
        features: float32 [B, K, F] behind them.
    """

    users: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class Lesson:
    """A week that teaches: what was known before it, who took something in it (places), what: bool CSR [U, I]."""

    known: Knowledge
    users: np.ndarray
    truth: sp.csr_matrix

    def taught(self, count: int, most: int, seed: int, threads: int) -> tuple[Candidates, np.ndarray]:
        """Candidates of at most so many users, and which of them were taken."""

        def met(block: np.ndarray) -> tuple[Candidates, np.ndarray]:
            found = candidates(self.known.ways, block, count)
            hit = np.asarray(self.truth[found.user, self.known.columns[found.item]]).ravel()
            useful = np.isin(found.user, found.user[hit])  # who took none of theirs teaches nothing
            return found.only(useful), hit[useful]

        some = np.sort(np.random.default_rng(seed).permutation(self.users)[:most])
        parts, hits = zip(*each_block(met, some, threads), strict=True)
        return Candidates.joined(list(parts)), np.concatenate(hits)


def taught(lessons: Iterable[Lesson], count: int, seed: int, threads: int) -> tuple[Candidates, np.ndarray]:
    """What an order is learned from: candidates, and which of them were taken.

    Args:
        lessons: weeks, the most telling first; of later ones only as many users are heard as are still wanted.
        count: candidates a way names.
        seed: of the drawing of users.
        threads: blocks at work at once.
    """
    parts, hits, left, offset = [], [], TAUGHT, 0
    for lesson in lessons:
        found, hit = lesson.taught(count, left, seed, threads)
        parts.append(replace(found, user=found.user + offset))
        hits.append(hit)
        left -= min(left, len(lesson.users))
        offset += len(lesson.known.history.users)
        if not left:
            break
    return _heard(Candidates.joined(parts), np.concatenate(hits), seed)


def _heard(found: Candidates, hit: np.ndarray, seed: int) -> tuple[Candidates, np.ndarray]:
    """What users drawn by a seed say, no more of them than have HEARD candidates together."""
    users, sizes = np.unique(found.user, return_counts=True)
    drawn = np.random.default_rng(seed).permutation(len(users))
    some = np.isin(found.user, users[drawn[np.cumsum(sizes[drawn]) <= HEARD]])
    return (found, hit) if some.all() else (found.only(some), hit[some])


def rank(known: Knowledge, order: Order, users: np.ndarray, count: int, k: int) -> Lists:
    """The k best items of a block of users (ascending places)."""
    return ordered(known, order, candidates(known.ways, users, count), users, k)


def ordered(known: Knowledge, order: Order, found: Candidates, users: np.ndarray, k: int) -> Lists:
    """The k best candidates of a block of users (ascending places)."""
    rows, score, place = order.ranked(found, k)
    at = (np.searchsorted(users, found.user[rows]), place)
    items = np.full((len(users), k), -1, np.int64)
    scores = np.zeros((len(users), k))
    features = np.zeros((len(users), k, found.features.shape[1]), np.float32)
    items[at], scores[at], features[at] = known.columns[found.item[rows]], score, found.features[rows]
    return Lists(users, items, scores, features)


def rank_blocks(known: Knowledge, order: Order, users: np.ndarray, count: int, k: int, threads: int) -> Iterator[Lists]:
    """The k best items of users (ascending places), block after block, so many at work at once."""
    return each_block(lambda block: rank(known, order, block, count, k), users, threads)


def rank_all(known: Knowledge, order: Order, users: np.ndarray, count: int, k: int, threads: int) -> np.ndarray:
    """The k best items of users (ascending places): int [B, K]."""
    ranked = rank_blocks(known, order, users, count, k, threads)
    return np.concatenate([np.zeros((0, k), np.int64), *(lists.items for lists in ranked)])


def rank_beside(
    known: Knowledge, order: Order, users: np.ndarray, count: int, k: int, threads: int
) -> dict[str, np.ndarray]:
    """Lists of each source by itself, popularity deciding among its ties, and `fused`: int [B, K] a source."""

    def ranked(block: np.ndarray) -> dict[str, np.ndarray]:
        scores = known.ways.scores(block)
        popular, found = scores["popularity/recent"], {}
        for source, way in SOURCES.items():
            if way in scores:
                best = known.columns[baselines.lists(scores[way], popular, k)]
                found[source] = np.broadcast_to(best, (len(block), best.shape[1]))
        return found | {"fused": ordered(known, order, among(known.ways, scores, block, count), block, k).items}

    parts = list(each_block(ranked, users, threads))
    return {source: np.concatenate([part[source] for part in parts]) for source in (parts[0] if parts else ())}
