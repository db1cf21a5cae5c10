"""How alike two nights are: lists, layouts, memberships and answers of the same users, side by side.

Shapes: U users, K places of a list, S slots of a page, T nights. Lists and pages hold indices, -1 where a place is
empty. Not here: what causes a change, budgets and gates, and whether a list is any good (`ranking`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.metrics.ranking import PAD, refuse_repeats

P = 0.9
DAYS = 7


def rank_weights(k: int, p: float = P) -> NDArray[np.float64]:
    """Weight of each depth 1 to k, geometric, with sum 1: w_d = p^(d-1) (1-p) / (1-p^k).

    Source: Webber, Moffat and Zobel 2010, normalised at k.

    Raises:
        ValueError: k below 1, or p outside 0 to 1.
    """
    if k < 1 or not 0 < p < 1:
        raise ValueError(f"k is {k}, p is {p}; pass at least one depth and p between 0 and 1")
    return np.asarray(p ** np.arange(k) * (1 - p) / (1 - p**k))


def rbo(a_UK: NDArray[np.integer], b_UK: NDArray[np.integer], p: float = P) -> NDArray[np.float64]:
    """Rank-biased overlap of two lists of each user: 0 is nothing in common, 1 equal lists.

    The sum over depths d of w_d |A_d ∩ B_d| / d, with A_d the first d places of A. A place that is empty in both
    lists counts as kept: of the first d places, min(empty in A_d, empty in B_d) join the overlap. So lists of K items
    have the plain formula, equal short lists 1, and no list, however short, falls below `rbo_floor` at its K.

    Args:
        a_UK: item indices, best first; -1 where a list is shorter than K.
        b_UK: the same users' other lists, of the same K.
        p: how far down one looks, between 0 and 1; the smaller, the more the first places count.

    Returns:
        [U], exactly 1 for equal lists only; symmetric in a and b.

    Raises:
        ValueError: shapes differ, or a list names an item twice.

    Source: Webber, Moffat and Zobel 2010, cut at K and normalised.
    """
    a_KU, b_KU = _pair(a_UK, b_UK)
    held = np.stack([a_KU != PAD, b_KU != PAD])
    b_KU = np.where(b_KU == PAD, PAD - 1, b_KU)  # so that empty places never equal one another
    shared_U, lost_U = np.zeros(len(a_UK), np.int64), np.zeros(len(a_UK))
    longest_KU = held.cumsum(axis=1).max(axis=0)
    for place, weight in enumerate(rank_weights(len(a_KU), p)):
        shared_U += (a_KU[: place + 1] == b_KU[place]).sum(axis=0)
        shared_U += (b_KU[:place] == a_KU[place]).sum(axis=0)
        # What is missing is summed as `rbo_floor` sums what may be missing: the two compare without a tolerance.
        lost_U += weight / (place + 1) * (longest_KU[place] - shared_U)
    return np.maximum(1 - lost_U, 0)


def rbo_floor(k: int, budget: ArrayLike, pinned: ArrayLike, p: float = P) -> NDArray[np.float64]:
    """Least overlap of two lists of k places when at most `budget` items are replaced below the first `pinned` places.

    1 - sum over depths d of w_d min(max(d - pinned, 0), budget) / d, where every item that stays keeps its place.
    No lower bound is higher: replacing the places right below the pinned ones attains it.

    Args:
        k: places of a list.
        budget: items that may be replaced; any shape.
        pinned: first places that may not change; broadcasts with budget.
        p: as of `rbo`.

    Returns:
        The floor, 0 to 1, in the broadcast shape. Rounded as `rbo` is, so that `rbo(...) >= rbo_floor(...)` is exact.

    Raises:
        ValueError: a budget or a number of pinned places is negative.

    >>> rbo_floor(10, [[1, 2, 3]], [[0], [1], [3]]).round(3).tolist()
    [[0.639, 0.431, 0.292], [0.792, 0.653, 0.556], [0.903, 0.833, 0.784]]
    """
    budgets, heads = np.broadcast_arrays(budget, pinned)
    if (budgets < 0).any() or (heads < 0).any():
        raise ValueError("a budget or a number of pinned places is negative; pass 0 or more")
    lost = np.zeros(budgets.shape)
    for place, weight in enumerate(rank_weights(k, p)):
        lost += weight / (place + 1) * np.minimum(np.maximum(place + 1 - heads, 0), budgets)
    return np.maximum(1 - lost, 0)


def replaced(a_UK: NDArray[np.integer], b_UK: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many items of each user's list b are not in list a.

    Raises:
        ValueError: shapes differ, or a list names an item twice.
    """
    a_KU, b_KU = _pair(a_UK, b_UK)
    new_KU = b_KU != PAD
    for place_U in a_KU:
        new_KU &= b_KU != place_U
    return new_KU.sum(axis=0)


def voluntary(a_UK: NDArray[np.integer], b_UK: NDArray[np.integer], forced_U: NDArray[np.integer]) -> NDArray[np.int64]:
    """Replacements that nobody had to make: those beyond the places that had to be vacated, never below 0.

    Args:
        a_UK: last night's lists.
        b_UK: tonight's.
        forced_U: items of last night's list that may no longer be shown.
    """
    return np.maximum(replaced(a_UK, b_UK) - forced_U, 0)


def churn(a_UK: NDArray[np.integer], b_UK: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of K places of b that hold an item a does not: |B without A| / K, 0 to 1. Source: Lathia et al. 2010."""
    return np.asarray(replaced(a_UK, b_UK) / a_UK.shape[1])


def idle_churn(
    a_UK: NDArray[np.integer],
    b_UK: NDArray[np.integer],
    idle_U: NDArray[np.bool_],
    forced_U: NDArray[np.integer],
) -> float:
    """Mean churn of users with no event since the last night, without what was forced; nan when there are none.

    Args:
        a_UK: last night's lists.
        b_UK: tonight's.
        idle_U: who had no event in between.
        forced_U: items of last night's list that may no longer be shown.
    """
    return _share(voluntary(a_UK, b_UK, forced_U)[idle_U].sum(), int(idle_U.sum()) * a_UK.shape[1])


def prefix_violations(lists: Sequence[NDArray[np.integer]]) -> NDArray[np.int64]:
    """On how many devices a user's list is not the first places of the same user's longest: 0 is kept.

    Args:
        lists: [U, K] of each device, with its own K, of the same users.

    Returns:
        [U], 0 to the number of devices less one.

    Raises:
        ValueError: no device, or devices of different users.
    """
    if not lists or len({len(one) for one in lists}) != 1:
        raise ValueError(f"{len(lists)} devices with {[len(one) for one in lists]} users; pass the same users for all")
    longest = max(lists, key=lambda one: one.shape[1])
    return np.sum([(one != longest[:, : one.shape[1]]).any(axis=1) for one in lists], axis=0, dtype=np.int64)


def layout_change_rate(
    before_US: NDArray[np.integer], after_US: NDArray[np.integer], visibility_S: ArrayLike
) -> NDArray[np.float64]:
    """Share of what each user sees of a page that holds another module now: 0 is the same page, 1 all of it.

    sum_j a_j [module at slot j changed] / sum_j a_j.

    Args:
        before_US: module of each slot on the last night; -1 for none.
        after_US: tonight's.
        visibility_S: how much slot j is seen, a_j, positive.

    Raises:
        ValueError: shapes differ, or a visibility is not positive.
    """
    seen = np.asarray(visibility_S, dtype=np.float64)
    if before_US.shape != after_US.shape or seen.shape != before_US.shape[1:] or not (seen > 0).all():
        raise ValueError(
            f"pages are {before_US.shape} and {after_US.shape}, visibility is {seen}; a positive one a slot"
        )
    return np.asarray((before_US != after_US) @ seen / seen.sum())


def anchors_moved(
    before_US: NDArray[np.integer], after_US: NDArray[np.integer], anchors_S: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """How many anchored slots of each user's page hold another module now: a promise of 0."""
    return (before_US != after_US)[:, anchors_S].sum(axis=1)


def membership_jaccard(before_U: NDArray[np.bool_], after_U: NDArray[np.bool_]) -> float:
    """Members of both nights over members of either, 0 to 1; an audience empty on both is unchanged, 1."""
    either = int((before_U | after_U).sum())
    return int((before_U & after_U).sum()) / either if either else 1.0


def flap_rate(members_TU: NDArray[np.bool_], days: int = DAYS) -> float:
    """Share of entries into an audience that are followed by leaving it within so many nights; nan without entries.

    Only entries with all of these nights after them count: of a later one it is not yet known. Hence at least
    days + 2 nights are needed.

    Args:
        members_TU: who was a member on each night, oldest first.
        days: nights after the entry on which leaving makes it a flap.

    Raises:
        ValueError: days below 1.
    """
    if days < 1:
        raise ValueError(f"days is {days}; pass at least one")
    # [T - 1]: night t against the one before; of these the first T - 1 - days are followed long enough.
    entered = (members_TU[1:] & ~members_TU[:-1])[: max(len(members_TU) - 1 - days, 0)]
    stayed = np.ones_like(entered)
    for later in range(1, days + 1):
        stayed &= members_TU[1 + later : 1 + later + len(entered)]
    return _share((entered & ~stayed).sum(), int(entered.sum()))


def negative_flip_rate(before_right: NDArray[np.bool_], now_right: NDArray[np.bool_]) -> float:
    """Share of cases that were right last night and are wrong now, 0 to 1; nan without cases.

    Source: Yan et al. 2021, positive-congruent training.

    Raises:
        ValueError: the two do not name equally many cases.
    """
    if before_right.shape != now_right.shape:
        raise ValueError(f"{before_right.shape} cases before, {now_right.shape} now; pair the same cases")
    return _share((before_right & ~now_right).sum(), before_right.size)


def _pair(a_UK: NDArray[np.integer], b_UK: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Both lists by place, [K, U]: a place of all users lies in one piece, which is what is compared."""
    if a_UK.ndim != 2 or a_UK.shape != b_UK.shape or not a_UK.shape[1]:
        raise ValueError(f"lists are {a_UK.shape} and {b_UK.shape}; pad both to the same users and places")
    refuse_repeats(a_UK)
    refuse_repeats(b_UK)
    return np.ascontiguousarray(a_UK.T), np.ascontiguousarray(b_UK.T)


def _share(part: int, whole: int) -> float:
    return int(part) / whole if whole else float("nan")
