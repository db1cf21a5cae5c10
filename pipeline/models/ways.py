"""Ways of scoring every item for a user, and the candidates they name together.

A way is named `part/way`, and so is a fact of a candidate; parts are what an ablation leaves out.
Shapes: U users, B users of a block, I items, N candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from pipeline.models import scoring
from pipeline.models.order import Candidates
from pipeline.models.retrieval import Filters
from pipeline.models.scoring import Scores

FLOOR, FINE = 1e-4, 1e-5


class Ways(Protocol):
    """Some ways of scoring, and facts of a user with an item that an order may read beside them."""

    def scores(self, users: np.ndarray) -> dict[str, Scores]:
        """Scores [B, I] by way, the caller's own; what is not positive is no candidate of the way."""

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

    def scores(self, users: np.ndarray) -> dict[str, Scores]:
        """Scores of every way."""
        found: dict[str, Scores] = {}
        for member in self.members:
            found |= member.scores(users)
        allowed, excluded = self.filters.allowed, self.filters.excluded
        if excluded is not None:
            excluded = excluded[users]
        return {way: scoring.without(one, allowed, excluded) for way, one in found.items()}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """Facts of all of them."""
        known: dict[str, np.ndarray] = {}
        for member in self.members:
            known |= member.facts(users, row, item)
        return known


@dataclass(frozen=True)
class Taste:
    """Likeness of an item's text to what a user took: cosine with the mean of its vectors.

    Attributes:
        profile: CSR [U, I] what each user took, by weight.
        texts: float32 [I, T] unit vectors.
    """

    profile: sp.csr_matrix
    texts: np.ndarray

    def scores(self, users: np.ndarray) -> dict[str, Scores]:
        """Cosines, 0 where they are negative."""
        taste = np.asarray(self.profile[users] @ self.texts)
        taste /= np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-9)
        found = taste @ self.texts.T
        return {"text/taste": np.maximum(found, 0, out=found)}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """Nothing but the cosine."""
        return {}


def chosen(scores: Mapping[str, Scores], users: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row and item of what stands among the `count` best positive scores of any way, by row, then item; and of which.

    Args:
        scores: by way.
        users: rows there are.
        count: how many each way names, the first of equal ones.

    Returns:
        int [N], int [N], bool [N, W].
    """
    width, ways = next(iter(scores.values())).shape[1], len(scores)
    keys = []
    for way, one in enumerate(scores.values()):
        row, item, _rank = scoring.ranked(one, count)
        shared = one.shape[0] < users
        place = (np.arange(users)[:, None] * width + item).ravel() if shared else row * width + item
        keys.append(place * ways + way)
    place, which = np.divmod(np.sort(np.concatenate(keys)), ways)
    first = np.r_[True, place[1:] != place[:-1]][: len(place)]
    named = np.zeros((int(first.sum()), ways), bool)
    named[np.cumsum(first) - 1, which] = True
    return *np.divmod(place[first], width), named


def opinions(scores: Mapping[str, Scores], row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
    """What every way thinks of candidates, by row: its score beside the user's best, and both logs; [N] each."""
    columns = {}
    for way, one in scores.items():
        value, most = scoring.values(one, row, item), np.maximum(scoring.most(one), 1e-12)
        most = most[row] if one.shape[0] > 1 else most
        columns[f"{way}.share"] = value / most
        columns[f"{way}.log_share"] = np.log(value / most + FLOOR)
        columns[f"{way}.log"] = np.log(value + FINE)
    return columns


def candidates(ways: Ways, users: np.ndarray, count: int) -> Candidates:
    """The best of each way for some users, with what every way thinks of them and the facts of each."""
    return among(ways, ways.scores(users), users, count)


def among(ways: Ways, scores: Mapping[str, Scores], users: np.ndarray, count: int) -> Candidates:
    """The same of the ways' scores of these users."""
    row, item, named = chosen(scores, len(users), count)
    columns = opinions(scores, row, item) | ways.facts(users, row, item)
    features = np.stack(list(columns.values()), axis=1).astype(np.float32)
    return Candidates(users[row], item, features, named, tuple(columns), tuple(scores))
