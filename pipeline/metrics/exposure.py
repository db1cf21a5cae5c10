"""Who and what gets seen: how lists differ between users, which items get exposure, and whom a measure leaves behind.

Shapes: U users, K places, I items, G groups. Not here: shares of categories within a user (`coherence`).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.metrics.ranking import PAD, discounts, refuse_repeats

HEAD = 0.8
LEAST = 30


def inter_user_distance(lists_UK: NDArray[np.integer], items: int) -> float:
    """Mean over pairs of users of the share of places they do not have in common: 0 all alike, 1 nothing shared.

    P@K = 1 - sum_i c_i (c_i - 1) / (K n (n - 1)), c_i the number of lists that hold item i: exact, in linear time.
    An empty place is in common with nobody.

    Args:
        lists_UK: item indices; -1 where a list is shorter than K.
        items: I.

    Returns:
        nan for fewer than two users.

    Raises:
        ValueError: a list names an item twice.

    Source: Zhou et al. 2010, there by pairs.
    """
    refuse_repeats(lists_UK)
    users, k = lists_UK.shape
    if users < 2:
        return float("nan")
    held_I = np.bincount(lists_UK[lists_UK != PAD], minlength=items).astype(np.int64)
    return 1 - int((held_I * (held_I - 1)).sum()) / (k * users * (users - 1))


def exposure(lists_UK: NDArray[np.integer], items: int) -> NDArray[np.float64]:
    """Share of all that is seen that each item gets, a place weighing 1 / log2(1 + place); sums to 1.

    Args:
        lists_UK: item indices, best first; -1 where a list is shorter than K.
        items: I.

    Returns:
        [I]; all 0 when nothing is shown.

    Source: Singh and Joachims 2018.
    """
    seen_UK = (lists_UK != PAD) * discounts(lists_UK.shape[1])
    # Empty places count, with weight 0, as a place 0 before the items.
    given_I = np.bincount(lists_UK.ravel() + 1, seen_UK.ravel(), minlength=items + 1)[1:]
    return np.asarray(given_I / max(given_I.sum(), np.finfo(float).tiny))


def exposure_ratio(exposure_I: ArrayLike, merit_I: ArrayLike, group_I: NDArray[np.integer]) -> NDArray[np.float64]:
    """Each group's share of exposure over its share of merit: 1 is as merited, above is favoured.

    Args:
        exposure_I: exposure of each item, any unit.
        merit_I: merit of each item, such as purchases; any unit.
        group_I: group of each item, 0 to G - 1.

    Returns:
        [G]; nan for a group without merit, and for all when nothing is seen.

    Source: Singh and Joachims 2018, disparate treatment.
    """
    seen_G, merit_G = (np.bincount(group_I, np.asarray(of, dtype=np.float64)) for of in (exposure_I, merit_I))
    earned_G = np.where(merit_G > 0, merit_G, np.nan)
    return np.asarray(seen_G / earned_G * merit_G.sum() / (seen_G.sum() or np.nan))


def gini(values: ArrayLike) -> float:
    """How unequally a total is spread: 0 is evenly, (n - 1) / n all on one; nan when there is nothing to spread.

    Source: Gini 1912, by ranks.

    Raises:
        ValueError: a value is negative or not finite.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if not np.isfinite(ordered).all() or (ordered < 0).any():
        raise ValueError("a value is negative or not finite; pass shares or counts")
    total, n = ordered.sum(), ordered.size
    return float(2 * (np.arange(1, n + 1) @ ordered) / (n * total) - (n + 1) / n) if total else float("nan")


def long_tail(popularity_I: NDArray[np.number], head: float = HEAD) -> NDArray[np.bool_]:
    """Which items are outside the fewest that hold a share `head` of all interactions; ties by index.

    Source: Abdollahpouri et al. 2017.
    """
    order = np.argsort(-popularity_I.astype(np.float64), kind="stable")
    held = popularity_I[order].cumsum(dtype=np.float64)
    tail_I = np.empty(len(order), bool)
    tail_I[order] = held - popularity_I[order] >= head * held[-1]
    return tail_I


def aplt(lists_UK: NDArray[np.integer], tail_I: NDArray[np.bool_]) -> float:
    """Average over users of the share of long-tail items in their list, 0 to 1; nan when no user has a list.

    Source: Abdollahpouri et al. 2019.
    """
    shown_UK = lists_UK != PAD
    length_U = shown_UK.sum(axis=1)
    tail_U = (shown_UK & tail_I[lists_UK]).sum(axis=1)
    some_U = length_U > 0
    return float((tail_U[some_U] / length_U[some_U]).mean()) if some_U.any() else float("nan")


def largest_gap(values_U: NDArray[np.float64], groups_U: NDArray[np.generic], least: int = LEAST) -> float:
    """Largest difference between two groups' means: 0 is parity.

    Args:
        values_U: a measure of each user; nan where it has none, which is left out.
        groups_U: group of each user, by number or by name.
        least: groups with fewer users with a value are left out: their means are noise.

    Returns:
        In the unit of the values; nan with fewer than two groups.

    Raises:
        ValueError: the two do not name equally many users.
    """
    if values_U.shape != groups_U.shape:
        raise ValueError(f"{values_U.shape} values, {groups_U.shape} groups; name the same users in the same order")
    known_U = ~np.isnan(values_U)
    _, group_N, size_G = np.unique(groups_U[known_U], return_inverse=True, return_counts=True)
    means_G = (np.bincount(group_N, values_U[known_U]) / size_G)[size_G >= least]
    return float(np.ptp(means_G)) if len(means_G) > 1 else float("nan")
