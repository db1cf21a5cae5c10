"""Lists and rankings of the same users side by side: what stands in both, and where.

Shapes: U users, K places of a list, N of a ranking or of another list.
"""

import numpy as np

from pipeline.balance.surfaces import Ranked


def held(these: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of these items, int [U, K], stand anywhere in the same user's other list, int [U, N]: bool [U, K]."""
    narrow = these.shape[1] < others.shape[1]
    found = np.zeros(these.shape, bool)
    for place, column in enumerate((these if narrow else others).T):
        if narrow:
            found[:, place] = (others == column[:, None]).any(1)
        else:
            found |= these == column[:, None]
    return found & (these >= 0)


def looked_up(lists: np.ndarray, ranked: Ranked, absent: np.ndarray) -> np.ndarray:
    """What a ranking has beside each item of a list, be it scores or days: float [U, K].

    Args:
        lists: int [U, K]; of pads comes `absent`.
        ranked: [U, N], in any order.
        absent: float [U] for items that do not stand in it.
    """
    items = np.pad(ranked.items, ((0, 0), (0, 1)), constant_values=-1)
    values = np.column_stack([np.where(ranked.items >= 0, ranked.scores, np.nan), absent])
    found = np.empty(lists.shape)
    row = np.arange(len(lists))
    for place, column in enumerate(lists.T):
        same = items == column[:, None]
        same[:, -1] = True
        at = np.where(column >= 0, same.argmax(1), items.shape[1] - 1)
        found[:, place] = values[row, at]
    return found
