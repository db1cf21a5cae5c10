"""How well classes are told apart: accuracy, macro-F1, and answers that were right before and are wrong now.

Classes are whole numbers from 0. Not here: probabilities (`calibration`) and intervals (`intervals`).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def accuracy(truth: ArrayLike, given: ArrayLike) -> float:
    """Share of cases that were told right: 0 to 1, higher is better.

    Raises:
        ValueError: no cases, or lengths differ.
    """
    right, ours = _checked(truth, given)
    return float(np.mean(right == ours))


def macro_f1(truth: ArrayLike, given: ArrayLike) -> float:
    """Mean over classes of the harmonic mean of precision and recall: 0 to 1, higher is better.

    A class counts when it is true or given of any case; one that is never told right has an F1 of 0.

    Raises:
        ValueError: no cases, or lengths differ.

    Source: Opitz and Burst 2019, https://arxiv.org/abs/1911.03347 (the mean of F1s, not the F1 of means).
    """
    right, ours = _checked(truth, given)
    count = int(max(right.max(), ours.max())) + 1
    hits = np.bincount(right[right == ours], minlength=count)
    named = np.bincount(right, minlength=count) + np.bincount(ours, minlength=count)
    return float(np.mean(2 * hits[named > 0] / named[named > 0]))


def negative_flip_rate(truth: ArrayLike, before: ArrayLike, now: ArrayLike) -> float:
    """Share of cases that were right before and are wrong now: 0 is best.

    Raises:
        ValueError: no cases, or lengths differ.

    Source: Yan et al. 2021, Positive-Congruent Training, https://arxiv.org/abs/2011.09161
    """
    right, old = _checked(truth, before)
    _, new = _checked(truth, now)
    return float(np.mean((old == right) & (new != right)))


def _checked(truth: ArrayLike, given: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    right, ours = np.asarray(truth, dtype=np.int64), np.asarray(given, dtype=np.int64)
    if right.ndim != 1 or right.shape != ours.shape or not right.size:
        raise ValueError(f"{right.shape} true classes, {ours.shape} given; pass equally many, at least one")
    return right, ours
