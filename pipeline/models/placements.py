"""A policy of placements learned from a log with known chances: good items more often, none never.

Click rates drawn to their common mean (a Beta prior worth so many impressions), then a softmax whose sharpness is as
high as a cap on the weights against the logging policy lets it be, so that the policy can be judged from that log. Not
here: judging it (`metrics.off_policy`).
"""

import numpy as np

PRIOR = 500  # impressions that the common click rate counts as
CAP = 5.0  # how many times as often as by chance an item may be shown
STEPS = np.linspace(0, 8, 161)  # of the softmax's sharpness


def click_rates(item: np.ndarray, clicked: np.ndarray, items: int, prior: float = PRIOR) -> np.ndarray:
    """Click rate of each item, drawn to that of all: [items].

    Args:
        item: [N] what was shown.
        clicked: [N] 0 or 1.
        items: how many there are.
        prior: impressions that the common rate counts as.
    """
    shown = np.bincount(item, minlength=items)
    return np.asarray((np.bincount(item, clicked, minlength=items) + prior * clicked.mean()) / (shown + prior))


def policy(rates: np.ndarray, cap: float = CAP) -> np.ndarray:
    """Chance of showing each item: [items], the sharpest softmax of log rates that shows none above cap / items."""
    odds = np.log(np.maximum(rates, 1e-12) / max(float(rates.mean()), 1e-12))
    shares = np.exp(STEPS[:, None] * (odds - odds.max()))
    shares /= shares.sum(1, keepdims=True)
    allowed = shares.max(1) <= cap / len(rates) + 1e-12
    return np.asarray(shares[np.flatnonzero(allowed)[-1]])
