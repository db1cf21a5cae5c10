"""How sure a figure is: bootstrap intervals over users and Wilson's interval for a share. All intervals are 95 %.

Users are resampled, not rows: what one user does is not independent. Seeds are passed, never global.
"""

from collections.abc import Callable
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float, float]

PERCENTILES = (2.5, 97.5)
Z = NormalDist().inv_cdf(0.975)
CHUNK_CELLS = 2_000_000


def bootstrap_mean(values_U: ArrayLike, n: int = 2000, seed: int = 0) -> Interval:
    """Mean over users with its percentile bootstrap interval.

    Args:
        values_U: one value a user.
        n: resamples.
        seed: of the resampling; equal seeds give equal intervals.

    Returns:
        mean, low, high, in the unit of the values.

    Raises:
        ValueError: no values, or one that is not finite.

    Source: Efron 1979.
    """
    values = np.asarray(values_U, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"values are {values.shape}; pass one finite value a user, in one dimension")
    return bootstrap_means(values[None], n, seed)[0]


def bootstrap_means(values_MU: ArrayLike, n: int = 2000, seed: int = 0) -> list[Interval]:
    """The same of M measures of the same users: each as `bootstrap_mean` gives it, of resamples drawn once for all."""
    values = np.asarray(values_MU, dtype=np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"values are {values.shape}; pass at least one finite value a user and measure")
    rng, users = np.random.default_rng(seed), values.shape[1]
    chunk = max(1, CHUNK_CELLS // users)
    means = []
    # Counts of drawn places beat multinomial counts about fivefold, and chunks bound the memory.
    for done in range(0, n, chunk):
        drawn = rng.integers(users, size=(min(chunk, n - done), users))
        drawn += users * np.arange(len(drawn))[:, None]
        times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        means.append(times @ values.T / users)
    low, high = np.percentile(np.concatenate(means), PERCENTILES, axis=0)
    return [(float(a), float(b), float(c)) for a, b, c in zip(values.mean(1), low, high, strict=True)]


def paired_gain(a_U: ArrayLike, b_U: ArrayLike, n: int = 2000, seed: int = 0) -> Interval:
    """Mean of a - b over the same users, with its interval: a gain is sure when `low` is above 0.

    Raises:
        ValueError: the two do not name equally many users.
    """
    a, b = np.asarray(a_U, dtype=np.float64), np.asarray(b_U, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"a is {a.shape}, b is {b.shape}; pair the same users in the same order")
    return bootstrap_mean(a - b, n, seed)


def bootstrap_statistic(
    fn: Callable[..., float], *arrays: NDArray[np.generic], n: int = 500, seed: int = 0
) -> Interval:
    """Any statistic of cases (AUC, a difference of two) with its percentile bootstrap interval.

    Args:
        fn: called with the arrays resampled by the same rows; a resample on which it raises ValueError (one class
            alone, for AUC) is left out.
        arrays: equally long, one entry a case.
        n: resamples.
        seed: of the resampling.

    Returns:
        fn(*arrays), low, high.

    Raises:
        ValueError: arrays are empty or differ in length, or fewer than half the resamples could be measured.
    """
    sizes = {len(array) for array in arrays}
    if len(sizes) != 1 or sizes == {0}:
        raise ValueError(f"arrays have lengths {sorted(sizes)}; pass equally long ones, not empty")
    (size,) = sizes
    rng = np.random.default_rng(seed)
    statistics = []
    for _ in range(n):
        drawn = rng.integers(size, size=size)
        try:
            statistics.append(fn(*(array[drawn] for array in arrays)))
        except ValueError:
            continue
    if len(statistics) * 2 < n:
        raise ValueError(f"only {len(statistics)} of {n} resamples could be measured; too few cases for an interval")
    low, high = np.percentile(statistics, PERCENTILES)
    return float(fn(*arrays)), float(low), float(high)


def wilson(successes: int, n: int) -> Interval:
    """A share with Wilson's score interval, which stays in 0 to 1 and holds for few cases.

    Raises:
        ValueError: n below 1, or successes outside 0 to n.

    Source: Wilson 1927.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}; pass 0 to n successes of at least one case")
    share = successes / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return share, max(0.0, centre - half), min(1.0, centre + half)
