"""A closed-form linear recommender: ridge regression from what users took lately to what they took soon after.

The item-to-item weights of EASE (Steck 2019) with time: each step of a user's past is an example, its latest items
decayed, its target the next ones (as in SLIST, Choi et al. 2021). Only as many items as fit in memory take part.
Shapes: U users, B users of a block, I items, R items that take part, N examples.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from pipeline.features.sequences import Lines
from pipeline.models.scoring import Scores

MEMORY, FADING = 0.7, 0.6  # decay of what was taken before, and of what is taken after, each step
READ, TARGETS = 10, 3
RIDGE = 20.0


@dataclass(frozen=True)
class Linear:
    """What an item taken says of every other.

    Attributes:
        places: int [R] the items that take part, ascending.
        weights: float32 [R, R].
    """

    places: np.ndarray
    weights: np.ndarray

    @classmethod
    def learn(cls, lines: Lines, items: int, most: int) -> "Linear":
        """Solve it.

        Args:
            lines: what users took.
            items: how many there are.
            most: items that take part: the ones taken most.
        """
        taken = np.bincount(lines.item, minlength=items)
        places = np.sort(np.lexsort((np.arange(items), -taken))[:most])
        past, after = _examples(lines, items)
        past, after = past[:, places], after[:, places]
        gram = (past.T @ past).toarray().astype(np.float32)
        gram[np.diag_indices(len(places))] += RIDGE
        wanted = (past.T @ after).toarray().astype(np.float32)
        weights = scipy.linalg.solve(gram, wanted, assume_a="pos", overwrite_a=True)
        np.fill_diagonal(weights, 0)
        return cls(places, weights)


def _examples(lines: Lines, items: int) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Every step of every user's past but its end: what was taken up to it and what after, float32 CSR [N, I]."""
    user = np.repeat(np.arange(len(lines)), np.diff(lines.start))
    place = np.arange(len(user))

    def near(reach: range, decay: float) -> sp.csr_matrix:
        parts = []
        for step, gap in enumerate(reach):
            other = place + gap
            same = (other >= 0) & (other < len(user))
            same[same] &= user[other[same]] == user[same]
            parts.append((place[same], lines.item[other[same]], np.full(int(same.sum()), decay**step, np.float32)))
        row, item, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
        return sp.csr_matrix((weight, (row, item)), shape=(len(user), items))

    steps = np.flatnonzero(np.r_[user[1:] == user[:-1], False][: len(user)])
    return near(range(0, -READ, -1), MEMORY)[steps], near(range(1, TARGETS + 1), FADING)[steps]


@dataclass(frozen=True)
class Ways:
    """The linear recommender as a way of scoring.

    Attributes:
        model: what is learned.
        profile: CSR [U, I] what each user took, decayed by steps.
    """

    model: Linear
    profile: sp.csr_matrix

    def scores(self, users: np.ndarray) -> dict[str, Scores]:
        """Scores float32 [B, I], 0 where they are negative and for items that take no part."""
        scores = np.zeros((len(users), self.profile.shape[1]), np.float32)
        said = self.profile[users][:, self.model.places] @ self.model.weights
        scores[:, self.model.places] = np.maximum(said, 0)
        return {"linear/next": scores}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        """Nothing but the score."""
        return {}
