"""Best first again: a merged list in the order of tonight's scores, as far as the promised floor of overlap allows.

The floor counts, at every depth d, how many of the first d items did not stand among last night's first d: at most
c_d = min(max(d - h, 0), B). The merge keeps that by leaving what stays in its place; so does any order whose every
prefix does. Place by place this takes the best item left, or the best of those that keep the count. There is always
one: were all kept items of last night's first d placed, the count would be of replaced ones alone, of which there are
at most c_d. Not here: which items stay (`merge`), and for whom the order may change (`surface`).
Shapes: U users, K places.
"""

import numpy as np


def reorder(
    before: np.ndarray, items: np.ndarray, worth: np.ndarray, budget: np.ndarray, pinned: np.ndarray
) -> np.ndarray:
    """Which place of the merged list each place gets its item from: int [U, K], a permutation of each row.

    Args:
        before: int [U, K] last night's lists, -1 pads.
        items: int [U, K] merged lists, -1 pads at the end, which stay there.
        worth: float [U, K] tonight's score of each item; of equal ones the earlier comes first.
        budget: int [U] items of the first places that may be others than last night's, B.
        pinned: int [U] first places that stay, h.
    """
    users, places = items.shape
    order = np.tile(np.arange(places), (users, 1))
    row = np.arange(users)
    old, used = np.zeros(items.shape, bool), np.zeros(items.shape, bool)
    for place in range(places):
        old |= (items == before[:, [place]]) & (items >= 0)
        spare = (used & ~old).sum(1) < np.minimum(np.maximum(place + 1 - pinned, 0), budget)
        left = ~used & (items >= 0)
        able = left & (old | spare[:, None])
        # Where more had to go than the budget counts, or the list has grown, no floor is promised.
        able = np.where(able.any(1, keepdims=True), able, left)
        best = np.where(able, worth, -np.inf).argmax(1)
        best = np.where(able.any(1), np.where(able[row, best], best, able.argmax(1)), place)
        order[:, place] = best
        used[row, best] = True
    return order
