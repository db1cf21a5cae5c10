"""What a policy would have earned, from a log that another policy made with known chances.

A weight is the target policy's chance of a logged action over the logging policy's. Not here: policies, and where logs
come from.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.intervals import Interval, bootstrap_statistic

Reals = NDArray[np.float64]


def ips(reward: Reals, weight: Reals) -> float:
    """Inverse propensity score, mean of w r: unbiased where the log could have shown all that the target shows.

    Source: Horvitz and Thompson 1952; Dudík, Langford and Li 2011.
    """
    return float(np.mean(weight * reward))


def snips(reward: Reals, weight: Reals) -> float:
    """Self-normalised, sum of w r over sum of w: a little bias for less variance; never beyond the rewards seen.

    Raises:
        ValueError: no weight at all.

    Source: Swaminathan and Joachims 2015.
    """
    if not weight.sum() > 0:
        raise ValueError("the log shows nothing that the target policy would")
    return float((weight * reward).sum() / weight.sum())


def doubly_robust(reward: Reals, weight: Reals, expected: Reals, value: Reals) -> float:
    """Mean of v + w (r - q): right where either the weights or the model of rewards are.

    Args:
        reward: [N] logged rewards.
        weight: [N].
        expected: [N] rewards that a model, fitted without the row, expects of the logged action.
        value: [N] the same, averaged over the target's actions.

    Source: Dudík, Langford and Li 2011.
    """
    return float(np.mean(value + weight * (reward - expected)))


def estimates(
    reward: Reals, weight: Reals, expected: Reals, value: Reals, *, seed: int, draws: int = 2000
) -> dict[str, Interval]:
    """All three with percentile bootstrap intervals over the log's rows."""
    return {
        "ips": bootstrap_statistic(ips, reward, weight, n=draws, seed=seed),
        "snips": bootstrap_statistic(snips, reward, weight, n=draws, seed=seed),
        "dr": bootstrap_statistic(doubly_robust, reward, weight, expected, value, n=draws, seed=seed),
    }


def effective_rows(weight: Reals) -> float:
    """Rows that a weighted log is worth, (sum w)² over sum w²: few mean that a handful of rows decide.

    Source: Kish 1965.
    """
    return float(weight.sum() ** 2 / (weight**2).sum())
