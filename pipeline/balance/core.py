"""Shrinkage to the common core: a user of whom little is known gets more of what everybody sees.

Shapes: U users, N candidates, I items, M items of the core.
"""

from collections.abc import Iterable

import numpy as np
from scipy.special import expit, logit

from pipeline.balance.blend import DIGITS, blend
from pipeline.balance.surfaces import Ranked


def common(rankings: Iterable[Ranked], goods: int, count: int) -> Ranked:
    """The core: items by the log-odds of their mean probability over all users, who do not name an item giving it none.

    Args:
        rankings: blocks of users, scores in log-odds.
        goods: I, items there are.
        count: M, items of the core.

    Returns:
        [1, M], best first, ties by item; -1 pads.
    """
    total, users = np.zeros(goods), 0
    for block in rankings:
        named = block.items >= 0
        total += np.bincount(block.items[named], expit(block.scores[named]), goods)
        users += len(block.items)
    mean = np.clip(total / max(users, 1), 0, 1 - 1e-9)
    best = np.lexsort((np.arange(goods), -np.round(mean, DIGITS + 3)))[:count]
    best = best[mean[best] > 0]
    items, scores = np.full((1, count), -1), np.zeros((1, count))
    items[0, : len(best)], scores[0, : len(best)] = best, logit(mean[best])
    return Ranked(items, scores)


def shrink(own: Ranked, core: Ranked, evidence: np.ndarray, kappa: float) -> Ranked:
    """Each user's candidates and the core's, the core weighing w = kappa / (n + kappa).

    Args:
        own: [U, N].
        core: of `common`, or its part that suits each user [U, M].
        evidence: float [U] how many pieces of evidence n there are of a user, such as baskets.
        kappa: pieces at which own and core weigh alike; 0 changes nothing.

    Source: the empirical-Bayes weight of a group's own mean (Efron and Morris 1975).
    """
    if kappa == 0:
        return own
    return blend(own, core, kappa / (np.asarray(evidence, np.float64) + kappa))
