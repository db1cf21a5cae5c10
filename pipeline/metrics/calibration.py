"""Whether probabilities mean what they say: reliability bins, expected calibration error, Brier score.

Bins hold equally many cases, so a model that says 1 % to nearly everyone is judged where its cases are.
"""

from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Bin(TypedDict):
    """Cases of like probability: what was predicted, what happened (both means, 0 to 1), and how many."""

    predicted: float
    observed: float
    n: int


def reliability_bins(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> list[Bin]:
    """Cases in order of probability, cut into bins of equal mass; equal probabilities share a bin.

    Args:
        probabilities: N predicted probabilities, 0 to 1.
        labels: N outcomes, 0 or 1.
        bins: how many at most; ties and few cases make fewer.

    Raises:
        ValueError: no cases, lengths differ, values outside 0 to 1, or bins below 1.
    """
    predicted, observed = _checked(probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins is {bins}; ask for at least one")
    # The place of a value's first occurrence sends all its ties to one bin, so row order cannot matter.
    place = np.searchsorted(np.sort(predicted), predicted)
    _, bin_N, counts = np.unique(place * bins // predicted.size, return_inverse=True, return_counts=True)
    means = np.bincount(bin_N, predicted) / counts, np.bincount(bin_N, observed) / counts
    return [Bin(predicted=float(p), observed=float(o), n=int(n)) for p, o, n in zip(*means, counts, strict=True)]


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> float:
    """Mean gap between predicted and observed over equal-mass bins, weighted by cases: 0 is best, 1 worst.

    Source: Naeini, Cooper and Hauskrecht 2015, with equal-mass bins.
    """
    table = reliability_bins(probabilities, labels, bins)
    return sum(abs(row["predicted"] - row["observed"]) * row["n"] for row in table) / sum(row["n"] for row in table)


def brier(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared distance between probability and outcome: 0 is best, 1 worst. Source: Brier 1950."""
    predicted, observed = _checked(probabilities, labels)
    return float(np.mean((predicted - observed) ** 2))


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    predicted = np.asarray(probabilities, dtype=np.float64)
    observed = np.asarray(labels, dtype=np.float64)
    if predicted.ndim != 1 or predicted.shape != observed.shape or not predicted.size:
        raise ValueError(f"{predicted.shape} probabilities, {observed.shape} labels; pass equally many, at least one")
    if not ((predicted >= 0) & (predicted <= 1)).all() or not np.isin(observed, (0, 1)).all():
        raise ValueError("probabilities must lie in 0 to 1 and labels be 0 or 1")
    return predicted, observed
