"""Whether a measure surely differs between groups of people, and how well memberships tell a trait of them.

Shapes: U users, A memberships. Not here: which groups and limits there are (`audit`), and gaps without intervals
(`exposure.largest_gap`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

SURE = 0.95
FOLDS = 5


@dataclass(frozen=True)
class Gap:
    """A group's mean less that of everybody else, with its interval; an infinite one where nothing can be said."""

    group: str
    users: int
    mean: float
    gap: float
    low: float
    high: float

    def beyond(self, limit: float) -> bool:
        """The gap is surely larger than a limit, either way."""
        return self.low > limit or self.high < -limit


def gaps(values_U: NDArray[np.float64], groups_U: NDArray[np.object_], least: int, comparisons: int = 1) -> list[Gap]:
    """Each group against all others, by Welch's interval, groups in order.

    Args:
        values_U: a measure of each user; nan where it has none, which is left out.
        groups_U: group of each user by name; None for who is in none, who is left out.
        least: neither a group of fewer users nor one that leaves fewer others is told of.
        comparisons: intervals that hold together with the given sureness (Bonferroni).

    Raises:
        ValueError: the two do not name equally many users.

    Source: Welch 1947; Bonferroni by Dunn 1961.
    """
    if values_U.shape != groups_U.shape:
        raise ValueError(f"{values_U.shape} values, {groups_U.shape} groups; name the same users in the same order")
    known_U = ~np.isnan(values_U) & np.array([name is not None for name in groups_U], bool)
    values, names = values_U[known_U], groups_U[known_U].astype(str)
    found = []
    for name in np.unique(names):
        own, others = values[names == name], values[names != name]
        if min(len(own), len(others)) >= max(least, 2):
            gap, half = float(own.mean() - others.mean()), _welch(own, others, comparisons)
            found.append(Gap(str(name), len(own), float(own.mean()), gap, gap - half, gap + half))
    return found


def _welch(own: NDArray[np.float64], others: NDArray[np.float64], comparisons: int) -> float:
    """Half the width of the interval; 0 for two groups without any spread."""
    parts = np.array([own.var(ddof=1) / len(own), others.var(ddof=1) / len(others)])
    if not parts.any():
        return 0.0
    freedom = parts.sum() ** 2 / (parts**2 / (np.array([len(own), len(others)]) - 1)).sum()
    return float(stats.t.ppf(1 - (1 - SURE) / comparisons / 2, freedom) * np.sqrt(parts.sum()))


@dataclass(frozen=True)
class Leak:
    """How well memberships tell a trait: AUC by cross-validation, 0.5 is not at all, and its interval."""

    users: int
    auc: float
    low: float
    high: float


def leak(members_UA: NDArray[np.bool_], has_U: NDArray[np.bool_], comparisons: int = 1) -> Leak:
    """How well a logistic regression on memberships tells who has a trait, on users it was not fitted on.

    Args:
        members_UA: who is in which audience.
        has_U: who has the trait; both kinds need at least as many users as there are folds.
        comparisons: intervals that hold together (Bonferroni).

    Raises:
        ValueError: too few users have the trait, or too few have it not.

    Source: Hanley and McNeil 1982 for the interval.
    """
    has, lacks = int(has_U.sum()), int((~has_U).sum())
    if min(has, lacks) < FOLDS:
        raise ValueError(f"{has} users with the trait and {lacks} without; {FOLDS} of each are needed")
    chances = np.full(len(has_U), 0.5)
    if members_UA.any():
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        model = LogisticRegression(class_weight="balanced")
        chances = cross_val_predict(model, members_UA.astype(float), has_U, cv=folds, method="predict_proba")[:, 1]
    auc = float(roc_auc_score(has_U, chances))
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (has - 1) * (q1 - auc**2) + (lacks - 1) * (q2 - auc**2)) / (has * lacks)
    half = float(stats.norm.ppf(1 - (1 - SURE) / comparisons / 2) * np.sqrt(variance))
    return Leak(len(has_U), auc, max(auc - half, 0.0), min(auc + half, 1.0))
