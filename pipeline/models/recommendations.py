"""The recommender: candidates from several sources, fused by weights learned on a week nothing else has seen.

Sources: personal frequency, sequential co-visitation, the text-aware transformer, text affinity, popularity.
Shapes: U users, B users of a block, R columns (recommendable items), K list places, F features.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from pipeline.features.history import History
from pipeline.models import baselines

BLOCK = 256
FEATURES = (
    "recent_baskets",
    "bought_before",
    "all_baskets",
    "days_since",
    "due",
    "overdue",
    "co_visitation",
    "transformer",
    "text",
    "popularity",
    "promoted",
    "activity",
)
SOURCES = ("popularity", "personal_frequency", "co_visitation", "transformer", "text")
SHARES = {"personal_frequency": 1.0, "transformer": 0.5, "co_visitation": 0.4, "text": 0.15, "popularity": 0.2}


@dataclass(frozen=True)
class Knowledge:
    """All that scoring reads, as of one day.

    Attributes:
        history: users and items.
        columns: int [R] items that may be listed.
        transitions: CSR [I, I].
        states: float32 [U, D] transformer states.
        vectors: float32 [I, D] transformer item vectors.
        texts: float32 [I, T] unit text vectors.
    """

    history: History
    columns: np.ndarray
    transitions: sp.csr_matrix
    states: np.ndarray
    vectors: np.ndarray
    texts: np.ndarray


@dataclass(frozen=True)
class Fusion:
    """Learned weights over standardised features; the score is the log-odds of a purchase in the next days."""

    mean: list[float]
    deviation: list[float]
    weights: list[float]
    intercept: float

    def score(self, features: np.ndarray) -> np.ndarray:
        """Scores [...] of features [..., F]."""
        scaled = (features - np.array(self.mean)) / np.array(self.deviation)
        return np.asarray(scaled @ np.array(self.weights) + self.intercept)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, weights by feature name."""
        return {
            "weights": dict(zip(FEATURES, self.weights, strict=True)),
            "mean": self.mean,
            "deviation": self.deviation,
            "intercept": self.intercept,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Fusion":
        """Back from `as_dict`."""
        return cls(
            values["mean"], values["deviation"], [values["weights"][name] for name in FEATURES], values["intercept"]
        )


@dataclass(frozen=True)
class Lists:
    """Ranked lists: item places int [U, K] (-1 pads), scores [U, K], and the features behind them [U, K, F]."""

    items: np.ndarray
    scores: np.ndarray
    features: np.ndarray


def blocks(users: int) -> Iterator[slice]:
    """Slices of at most BLOCK users."""
    for start in range(0, users, BLOCK):
        yield slice(start, min(start + BLOCK, users))


def source_scores(known: Knowledge, users: slice) -> dict[str, np.ndarray]:
    """Each source's scores for a block of users: float32 [B, R]."""
    history, columns = known.history, known.columns
    taste = np.asarray(history.weight[users] @ known.texts)
    taste /= np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-9)
    return {
        "popularity": baselines.popularity(history, users, columns),
        "personal_frequency": baselines.personal_frequency(history, users, columns),
        "co_visitation": baselines.co_visitation(history, users, columns, known.transitions),
        "transformer": known.states[users] @ known.vectors[columns].T,
        "text": taste @ known.texts[columns].T,
    }


def candidates(
    scores: dict[str, np.ndarray], history: History, columns: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Union of each source's best items: (row, column) of every candidate, in row order."""
    chosen = np.zeros(scores["transformer"].shape, bool)
    for name, share in SHARES.items():
        best = baselines.top(baselines.filled(scores[name], history, columns), max(1, int(count * share)))
        np.put_along_axis(chosen, best, True, axis=1)
    row, column = np.nonzero(chosen)
    return row, column


def features(
    known: Knowledge, users: slice, scores: dict[str, np.ndarray], row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """Features [N, F] of candidates (row of the block, column)."""
    history, items = known.history, known.columns[column]

    def bought(matrix: sp.csr_matrix) -> np.ndarray:
        return np.asarray(matrix[users][row, items]).ravel().astype(np.float64)

    count, age, gap = bought(history.baskets), bought(history.age), bought(history.gap)
    ratio = np.divide(age, gap, out=np.zeros_like(age), where=gap > 0)
    logits = scores["transformer"].astype(np.float64)
    peak = logits.max(axis=1, keepdims=True)
    total = peak + np.log(np.exp(logits - peak).sum(axis=1, keepdims=True))
    flow = scores["co_visitation"].astype(np.float64)
    flow = flow / np.maximum(flow.sum(axis=1, keepdims=True), 1e-9)
    activity = np.asarray(history.weight[users].sum(axis=1)).ravel()
    return np.stack(
        [
            np.log1p(bought(history.weight)),
            (count > 0).astype(float),
            np.log1p(count),
            np.where(age > 0, np.log1p(age), 0.0),
            np.where(ratio > 0, np.exp(-(np.log(np.maximum(ratio, 1e-3)) ** 2)), 0.0),
            np.log1p(np.minimum(ratio, 20.0)),
            np.log(flow[row, column] + 1e-6),
            (logits - total)[row, column],
            scores["text"][row, column],
            np.log1p(history.buyers_recent[items]),
            np.log1p(history.stores[items]),
            np.log1p(activity)[row],
        ],
        axis=1,
    )


def learn_fusion(known: Knowledge, truth: sp.csr_matrix, count: int, seed: int) -> Fusion:
    """Weights from a week's purchases: logistic regression over the users' candidates.

    Args:
        known: as of the end of the fit period, of users who bought something in the week after.
        truth: bool CSR [U, I] what they bought in that week.
        count: candidates a user, see SHARES.
        seed: of the solver.
    """
    rows, labels = [], []
    for users in blocks(len(known.history.users)):
        scores = source_scores(known, users)
        row, column = candidates(scores, known.history, known.columns, count)
        rows.append(features(known, users, scores, row, column))
        labels.append(np.asarray(truth[users][row, known.columns[column]]).ravel())
    table, label = np.concatenate(rows), np.concatenate(labels)
    mean, deviation = table.mean(0), np.maximum(table.std(0), 1e-6)
    fitted = LogisticRegression(C=1.0, max_iter=500, random_state=seed).fit((table - mean) / deviation, label)
    digits = 8  # past these the last bits of the solver's sums would decide a file's hash
    return Fusion(
        mean.round(digits).tolist(),
        deviation.round(digits).tolist(),
        fitted.coef_[0].round(digits).tolist(),
        round(float(fitted.intercept_[0]), digits),
    )


def rank(
    known: Knowledge, fusion: Fusion, count: int, k: int, progress: Callable[[int, int], None] | None = None
) -> Lists:
    """Each user's k best items by fused score; ties by item id."""
    users_total = len(known.history.users)
    items = np.full((users_total, k), -1, np.int64)
    values = np.zeros((users_total, k))
    why = np.zeros((users_total, k, len(FEATURES)))
    for users in blocks(users_total):
        scores = source_scores(known, users)
        row, column = candidates(scores, known.history, known.columns, count)
        table = features(known, users, scores, row, column)
        fused = np.round(fusion.score(table), 6)
        order = np.lexsort((column, -fused, row))
        row, column, fused, table = row[order], column[order], fused[order], table[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        kept = place < k
        at = (users.start + row[kept], place[kept])
        items[at], values[at], why[at] = known.columns[column[kept]], fused[kept], table[kept]
        if progress:
            progress(users.stop, users_total)
    return Lists(items, values, why)


def rank_alone(known: Knowledge, k: int) -> dict[str, np.ndarray]:
    """Lists of each source by itself, popularity deciding among its ties: int [U, K] a source."""
    out: dict[str, list[np.ndarray]] = {source: [] for source in SOURCES}
    for users in blocks(len(known.history.users)):
        for source, scores in source_scores(known, users).items():
            out[source].append(known.columns[baselines.top(baselines.filled(scores, known.history, known.columns), k)])
    return {source: np.concatenate(parts) for source, parts in out.items()}
