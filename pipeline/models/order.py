"""A learned order of candidates, whatever named them: gradient-boosted trees, kept as LightGBM's plain text.

A candidate is an item that some way of scoring put among a user's best; its features say what every way thinks of it.
The model is a classifier of what came next, whose score is the log-odds (LightGBM, Ke et al. 2017).
Shapes: B users of a block, I items, N candidates, F features.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import lightgbm
import numpy as np

BLOCK = 512
FLOOR, FINE = 1e-4, 1e-5

Lists = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Candidates:
    """Items worth ordering: user int [N], item int [N], features float32 [N, F]; by user, then item."""

    user: np.ndarray
    item: np.ndarray
    features: np.ndarray

    def only(self, rows: np.ndarray) -> "Candidates":
        """Some of them."""
        return Candidates(self.user[rows], self.item[rows], self.features[rows])

    @classmethod
    def joined(cls, parts: "list[Candidates]") -> "Candidates":
        """Several blocks as one."""
        return cls(
            *(np.concatenate(column) for column in zip(*((p.user, p.item, p.features) for p in parts), strict=True))
        )


def blocks(users: np.ndarray) -> Iterator[np.ndarray]:
    """At most BLOCK users at a time."""
    for start in range(0, len(users), BLOCK):
        yield users[start : start + BLOCK]


def joined(parts: list[Lists]) -> Lists:
    """Lists of several blocks as one."""
    user, item, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
    return user, item, rank


def best(scores: np.ndarray, users: np.ndarray, k: int) -> Lists:
    """The k best positive scores of each user: user, item, rank (1 is best), ties by item.

    Args:
        scores: [B, I].
        users: int [B] the rows' users.
        k: places.
    """
    k = min(k, scores.shape[1])
    bound = np.partition(scores, -k, axis=1)[:, -k]
    row, item = np.nonzero((scores >= bound[:, None]) & (scores > 0))
    order = np.lexsort((item, -scores[row, item], row))
    row, item = row[order], item[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row) + 1
    return users[row[rank <= k]], item[rank <= k], rank[rank <= k]


def chosen(scores: Mapping[str, np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and item of what stands among the `count` best positive scores [B, I] of any way; by row, then item."""
    kept = np.zeros(next(iter(scores.values())).shape, bool)
    for one in scores.values():
        top = np.argpartition(-one, min(count, one.shape[1] - 1), axis=1)[:, :count]
        own = np.zeros(one.shape, bool)
        np.put_along_axis(own, top, np.take_along_axis(one, top, axis=1) > 0, axis=1)
        kept |= own
    row, item = np.nonzero(kept)
    return row, item


def opinions(scores: Mapping[str, np.ndarray], row: np.ndarray, item: np.ndarray) -> list[np.ndarray]:
    """What every way thinks of candidates: its score beside the user's best one, and both logs; [N] each."""
    columns = []
    for one in scores.values():
        value, most = one[row, item], np.maximum(one.max(axis=1), 1e-12)[row]
        columns += [value / most, np.log(value / most + FLOOR), np.log(value + FINE)]
    return columns


class Order:
    """A learned order of candidates."""

    ROUNDS, LEAVES, RATE = 300, 31, 0.05

    def __init__(self, model: lightgbm.Booster) -> None:
        self.model = model

    @classmethod
    def learn(cls, found: Candidates, hit: np.ndarray, seed: int, threads: int) -> "Order":
        """Learn from users of whom something is among their candidates.

        Args:
            found: candidates.
            hit: bool [N] those that came next.
            seed: of the drawing.
            threads: part of what makes two runs equal.
        """
        useful = np.isin(found.user, found.user[hit])
        data = lightgbm.Dataset(found.features[useful], hit[useful].astype(np.int8))
        settings = {
            "objective": "binary", "num_leaves": cls.LEAVES, "learning_rate": cls.RATE, "min_data_in_leaf": 100,
            "lambda_l2": 5.0, "feature_fraction": 0.8, "seed": seed, "num_threads": threads, "deterministic": True,
            "force_row_wise": True, "verbosity": -1,
        }  # fmt: skip
        return cls(lightgbm.train(settings, data, num_boost_round=cls.ROUNDS))

    def lists(self, found: Candidates, k: int) -> Lists:
        """The k best candidates of each user: user, item, rank (1 is best), ties by item."""
        score = np.round(self.model.predict(found.features, raw_score=True), 9)
        order = np.lexsort((found.item, -score, found.user))
        user, item = found.user[order], found.item[order]
        place = np.arange(len(user)) - np.searchsorted(user, user)
        kept = place < k
        return user[kept], item[kept], place[kept] + 1
