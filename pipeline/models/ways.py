"""Ways of scoring every item for a user, and the candidates they name together.

A way is named `part/way`, and so is a fact of a candidate; parts are what an ablation leaves out.
Shapes: U users, B users of a block, I items, N candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from pipeline.models.order import Candidates
from pipeline.models.retrieval import Filters

FLOOR, FINE = 1e-4, 1e-5


class Ways(Protocol):
    """Some ways of scoring, and facts of a user with an item that an order may read beside them."""

    def scores(self, users: np.ndarray) -> dict[str, np.ndarray]:
        """Scores float32 [B, I] by way; what is not positive is no candidate of the way."""

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """Facts [N] by name, of candidates given by the row among `users` and the item."""


@dataclass(frozen=True)
class Joined:
    """Several ways as one, scoring 0 what may not be listed.

    Attributes:
        members: the ways.
        filters: what stands in no list, and what a user does not get.
    """

    members: tuple[Ways, ...]
    filters: Filters = field(default_factory=Filters)

    def scores(self, users: np.ndarray) -> dict[str, np.ndarray]:
        """Scores float32 [B, I] of every way."""
        found: dict[str, np.ndarray] = {}
        for member in self.members:
            found |= member.scores(users)
        for scores in found.values():
            self._hide(scores, users)
        return found

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """Facts of all of them."""
        known: dict[str, np.ndarray] = {}
        for member in self.members:
            known |= member.facts(users, row, item)
        return known

    def _hide(self, scores: np.ndarray, users: np.ndarray) -> None:
        if self.filters.allowed is not None:
            scores[:, ~self.filters.allowed] = 0
        if self.filters.excluded is not None:
            held = self.filters.excluded[users]
            scores[np.repeat(np.arange(len(users)), np.diff(held.indptr)), held.indices] = 0


@dataclass(frozen=True)
class Taste:
    """Likeness of an item's text to what a user took: cosine with the mean of its vectors.

    Attributes:
        profile: CSR [U, I] what each user took, by weight.
        texts: float32 [I, T] unit vectors.
    """

    profile: sp.csr_matrix
    texts: np.ndarray

    def scores(self, users: np.ndarray) -> dict[str, np.ndarray]:
        """Cosines, 0 where they are negative."""
        taste = np.asarray(self.profile[users] @ self.texts)
        taste /= np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-9)
        return {"text/taste": np.maximum(taste @ self.texts.T, 0)}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """Nothing but the cosine."""
        return {}


def chosen(scores: Mapping[str, np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row and item of what stands among the `count` best positive scores of any way, by row, then item; and of which.

    Args:
        scores: [B, I] by way.
        count: how many each way names.

    Returns:
        int [N], int [N], bool [N, W].
    """
    shape = next(iter(scores.values())).shape
    named = np.zeros((len(scores), *shape), bool)
    for own, one in zip(named, scores.values(), strict=True):
        top = np.argpartition(-one, min(count, one.shape[1] - 1), axis=1)[:, :count]
        np.put_along_axis(own, top, np.take_along_axis(one, top, axis=1) > 0, axis=1)
    row, item = np.nonzero(named.any(axis=0))
    return row, item, named[:, row, item].T


def opinions(scores: Mapping[str, np.ndarray], row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
    """What every way thinks of candidates: its score beside the user's best one, and both logs; [N] each."""
    columns = {}
    for way, one in scores.items():
        value, most = one[row, item], np.maximum(one.max(axis=1), 1e-12)[row]
        columns[f"{way}.share"] = value / most
        columns[f"{way}.log_share"] = np.log(value / most + FLOOR)
        columns[f"{way}.log"] = np.log(value + FINE)
    return columns


def candidates(ways: Ways, users: np.ndarray, count: int) -> Candidates:
    """The best of each way for some users, with what every way thinks of them and the facts of each."""
    scores = ways.scores(users)
    row, item, named = chosen(scores, count)
    columns = opinions(scores, row, item) | ways.facts(users, row, item)
    features = np.stack(list(columns.values()), axis=1).astype(np.float32)
    return Candidates(users[row], item, features, named, tuple(columns), tuple(scores))
