"""A learned order of candidates, whatever named them: gradient-boosted trees, kept as LightGBM's plain text.

A candidate is an item that some way of scoring put among a user's best; its features say what every way thinks of it.
The model is a classifier of what came next, whose score is the log-odds (LightGBM, Ke et al. 2017).
Shapes: B users of a block, I items, N candidates, F features, W ways.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import lightgbm
import numpy as np

from pipeline import at_work
from pipeline.learning.harness import one_thread
from pipeline.models import scoring
from pipeline.models.scoring import Scores
from pipeline.models.tree_scores import Trees

BLOCK = 256
T = TypeVar("T")

Lists = tuple[np.ndarray, np.ndarray, np.ndarray]
DIGITS = 9  # of a score: past these, sums in another order would decide


@dataclass(frozen=True)
class Candidates:
    """Items worth ordering, by user, then item.

    Attributes:
        user, item: int [N].
        features: float32 [N, F].
        named: bool [N, W] which way put it among a user's best.
        columns: F names of the features, `part/...`.
        ways: W names of the ways, `part/...`.
    """

    user: np.ndarray
    item: np.ndarray
    features: np.ndarray
    named: np.ndarray
    columns: tuple[str, ...]
    ways: tuple[str, ...]

    def only(self, rows: np.ndarray) -> "Candidates":
        """Some of them."""
        return replace(
            self, user=self.user[rows], item=self.item[rows], features=self.features[rows], named=self.named[rows]
        )

    def without(self, part: str) -> "Candidates":
        """Those that other parts name too, with what the others think of them."""
        columns = [i for i, name in enumerate(self.columns) if part_of(name) != part]
        ways = [i for i, name in enumerate(self.ways) if part_of(name) != part]
        rows = self.named[:, ways].any(axis=1)
        return Candidates(
            self.user[rows],
            self.item[rows],
            self.features[np.ix_(rows, np.array(columns, int))],
            self.named[np.ix_(rows, np.array(ways, int))],
            tuple(self.columns[i] for i in columns),
            tuple(self.ways[i] for i in ways),
        )

    @classmethod
    def joined(cls, parts: "list[Candidates]") -> "Candidates":
        """Several blocks as one."""
        user, item, features, named = (
            np.concatenate(column)
            for column in zip(*((one.user, one.item, one.features, one.named) for one in parts), strict=True)
        )
        return cls(user, item, features, named, parts[0].columns, parts[0].ways)


def part_of(name: str) -> str:
    """The part a way or a feature belongs to."""
    return name.partition("/")[0]


def blocks(users: np.ndarray) -> Iterator[np.ndarray]:
    """At most BLOCK users at a time."""
    for start in range(0, len(users), BLOCK):
        yield users[start : start + BLOCK]


def each_block(work: Callable[[np.ndarray], T], users: np.ndarray, threads: int) -> Iterator[T]:
    """What is made of blocks of users, in their order, so many blocks at work at once once all is open."""
    with one_thread:
        yield from at_work.after_one(work, blocks(users), threads)


def joined(parts: list[Lists]) -> Lists:
    """Lists of several blocks as one."""
    user, item, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
    return user, item, rank


def best(scores: Scores, users: np.ndarray, k: int) -> Lists:
    """The k best positive scores of each user: user, item, rank (1 is best), ties by item.

    Args:
        scores: [B, I].
        users: int [B] the rows' users.
        k: places.
    """
    row, item, rank = scoring.ranked(scoring.dense(scores, len(users)) if scores.shape[0] == 1 else scores, k)
    return users[row], item, rank


class Order:
    """A learned order of candidates."""

    TREES, LEAVES, RATE = 300, 31, 0.05

    def __init__(self, model: lightgbm.Booster) -> None:
        self.model = model

    @classmethod
    def learn(cls, found: Candidates, hit: np.ndarray, seed: int, threads: int, trees: int = TREES) -> "Order":
        """Learn from users of whom something is among their candidates.

        Args:
            found: candidates.
            hit: bool [N] those that came next.
            seed: of the drawing.
            threads: part of what makes two runs equal.
            trees: how many.
        """
        useful = np.isin(found.user, found.user[hit])
        features = found.features if useful.all() else found.features[useful]  # a copy of all of them is not small
        data = lightgbm.Dataset(features, hit[useful].astype(np.int8), feature_name=list(found.columns))
        settings = {
            "objective": "binary", "num_leaves": cls.LEAVES, "learning_rate": cls.RATE, "min_data_in_leaf": 100,
            "lambda_l2": 5.0, "feature_fraction": 0.8, "seed": seed, "num_threads": threads, "deterministic": True,
            "force_row_wise": True, "verbosity": -1,
        }  # fmt: skip
        return cls(lightgbm.train(settings, data, num_boost_round=trees))

    @property
    def columns(self) -> list[str]:
        """Names of the features it reads."""
        return [str(name) for name in self.model.feature_name()]

    @cached_property
    def _trees(self) -> Trees:
        return Trees.of(self.model)

    def ranked(self, found: Candidates, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The k best candidates of each user, ties by item: their rows, scores (log-odds) and places (0 is best)."""
        score = np.round(self._trees.scores(found.features), DIGITS)
        order = np.lexsort((-score, found.user))  # of equal ones the first item stays first
        user = found.user[order]
        place = np.arange(len(user)) - np.searchsorted(user, user)
        kept = place < k
        return order[kept], score[order[kept]], place[kept]

    def lists(self, found: Candidates, k: int) -> Lists:
        """The k best candidates of each user: user, item, rank (1 is best)."""
        rows, _score, place = self.ranked(found, k)
        return found.user[rows], found.item[rows], place + 1

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Each feature's share of the score, float64 [N, F] (TreeSHAP, Lundberg et al. 2018)."""
        return np.asarray(self.model.predict(features, pred_contrib=True))[:, :-1]

    def shares(self) -> dict[str, float]:
        """What share of the gain of its trees each part brings, largest first."""
        gains: dict[str, float] = {}
        for name, gain in zip(self.columns, self.model.feature_importance("gain"), strict=True):
            gains[part_of(name)] = gains.get(part_of(name), 0.0) + float(gain)
        total = sum(gains.values()) or 1.0
        return {part: gain / total for part, gain in sorted(gains.items(), key=lambda one: (-one[1], one[0]))}

    def as_dict(self) -> dict[str, str]:
        """JSON-able: LightGBM's own text."""
        return {"lightgbm": self.model.model_to_string()}

    @classmethod
    def from_dict(cls, values: dict[str, str]) -> "Order":
        """Back from `as_dict`."""
        return cls(lightgbm.Booster(model_str=values["lightgbm"]))
