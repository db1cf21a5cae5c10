"""What changed in lists from one night to the next: which item entered or left, at which place, and from what cause.

Kept items are no change, and a new user's whole list is none either. Not here: words (`tables.ledger`).
Shapes: u users of a surface, K places, n changes.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.balance.places import held
from pipeline.contracts.tables import CAUSES

FORCED, NONE = CAUSES.index("forced"), -1


@dataclass(frozen=True)
class Changes:
    """Changes of one surface by user and place, what entered before what left.

    Attributes:
        user: int [n] row of the lists.
        item: int [n].
        entered: bool [n]; else it left.
        rank_before: int [n] place last night, 1 first; 0 for what entered.
        rank_now: int [n] place tonight; 0 for what left.
        cause: int8 [n] place in CAUSES.
        instead: int [n] for what left by choice, the item that came in its stead, else -1.
    """

    user: np.ndarray
    item: np.ndarray
    entered: np.ndarray
    rank_before: np.ndarray
    rank_now: np.ndarray
    cause: np.ndarray
    instead: np.ndarray


def changes(before: np.ndarray, after: np.ndarray, cause: np.ndarray, allowed: np.ndarray) -> Changes:
    """Compare two nights of the same users.

    What left because it may no longer be shown is forced, as is what left a list that became shorter. The k-th of the
    others made place for the k-th item that entered by choice, and shares its cause.

    Args:
        before: int [u, K] items of last night, best first, -1 pads; users without a list then have no changes.
        after: int [u, K] of tonight.
        cause: int8 [u, K] place in CAUSES of each item of tonight.
        allowed: bool [u, K] which of last night's items may still be shown.
    """
    had = before.max(axis=1, initial=NONE) >= 0
    entered = (after >= 0) & ~held(after, before) & had[:, None]
    left = (before >= 0) & ~held(before, after)
    in_user, in_place = np.nonzero(entered)
    out_user, out_place = np.nonzero(left)
    chosen = entered & (cause != FORCED)
    # Chosen newcomers of each user, first ones first: places [u, K].
    newcomers = np.argsort(~chosen, axis=1, kind="stable")
    leaving = left & allowed
    number = np.where(leaving, leaving.cumsum(axis=1) - 1, 0)[left]
    has_heir = leaving[left] & (number < chosen.sum(axis=1)[out_user])
    heir = newcomers[out_user, np.minimum(number, after.shape[1] - 1)]
    return Changes(
        user=np.r_[in_user, out_user],
        item=np.r_[after[entered], before[left]],
        entered=np.repeat([True, False], [len(in_user), len(out_user)]),
        rank_before=np.r_[np.zeros(len(in_user), np.int64), out_place + 1],
        rank_now=np.r_[in_place + 1, np.zeros(len(out_user), np.int64)],
        cause=np.r_[cause[entered], np.where(has_heir, cause[out_user, heir], FORCED)].astype(np.int8),
        instead=np.r_[np.full(len(in_user), NONE), np.where(has_heir, after[out_user, heir], NONE)],
    )
