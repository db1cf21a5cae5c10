"""The balance of a night, list by list: how consistent, how coherent and how personal each user's lists are.

Not here: how lists are made, and whether promises hold (`audit.promises` recomputes them from the staged tables).
Shapes: U users, u of them on a surface, K places, I items, G categories.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from pipeline.balance.places import held
from pipeline.contracts.tables import STATES
from pipeline.metrics import coherence, list_calibration, stability
from pipeline.metrics.ranking import PAD
from pipeline.policy import Policy

NEW, ACTIVE = STATES.index("new"), STATES.index("active")
WEEK = 7


@dataclass(frozen=True)
class Lists:
    """One surface's lists of two nights.

    Attributes:
        surface: its name.
        users: int [u], ascending places among all users.
        before: int [u, K] items shown last night, best first, -1 pads.
        after: int [u, K] items shown tonight.
        state: int8 [u] place in STATES.
        budget, pinned: int [u] what the merge was allowed, and had to keep.
        voluntary, forced: int [u] what it replaced by choice, and by need.
        spent: int [u, 6] voluntary replacements of the six nights before, oldest first.
        unchanged: int [u] nights in a row up to the last that left the list as it was.
    """

    surface: str
    users: np.ndarray
    before: np.ndarray
    after: np.ndarray
    state: np.ndarray
    budget: np.ndarray
    pinned: np.ndarray
    voluntary: np.ndarray
    forced: np.ndarray
    spent: np.ndarray
    unchanged: np.ndarray


@dataclass(frozen=True)
class Measures:
    """What is measured of one surface's lists; nan where a measure does not apply.

    Attributes:
        size: int [u] items shown.
        by_night: int [u, 7] voluntary replacements, tonight last.
        unchanged: int [u] nights in a row, tonight included, that left the list as it was.
        is_stale: bool [u] an active user's full list that did not change for the policy's stale_days; one with places
            left has all that may stand there.
        rbo, rbo_floor, churn: float [u] against last night's list.
        coherence: float [u] of all of the user's surfaces.
        calibration_kl: float [u] of the list against the user's own history.
    """

    size: np.ndarray
    by_night: np.ndarray
    unchanged: np.ndarray
    is_stale: np.ndarray
    rbo: np.ndarray
    rbo_floor: np.ndarray
    churn: np.ndarray
    coherence: np.ndarray
    calibration_kl: np.ndarray


def measure(surfaces: Sequence[Lists], tastes: sp.csr_matrix, category: np.ndarray, policy: Policy) -> list[Measures]:
    """Measure every surface of a night, in their order.

    Args:
        surfaces: of the night, each once.
        tastes: [U, G] share of each category in the user's history; empty rows where there is none.
        category: int [I], 0 to G - 1; -1 for items of none.
        policy: of the balance.
    """
    users, categories = tastes.shape
    shares = [coherence.category_shares(one.after, category, categories) for one in surfaces]
    alike = coherence.coherence([_among(share, one.users, users) for share, one in zip(shares, surfaces, strict=True)])
    return [
        _measured(one, share, tastes[one.users], alike[one.users], policy)
        for share, one in zip(shares, surfaces, strict=True)
    ]


def _measured(
    lists: Lists, shares: sp.csr_matrix, tastes: sp.csr_matrix, alike: np.ndarray, policy: Policy
) -> Measures:
    is_new = lists.state == NEW
    size, had = ((one != PAD).sum(axis=1) for one in (lists.after, lists.before))
    same = ~is_new & (size == had) & (held(lists.after, lists.before).sum(axis=1) == size)
    unchanged = np.where(same, lists.unchanged + 1, 0)
    floor = stability.rbo_floor(lists.after.shape[1], lists.budget, lists.pinned, policy.rbo_p)
    promised = ~is_new & (lists.forced == 0)  # what had to change is outside the promise
    return Measures(
        size=size,
        by_night=np.column_stack([lists.spent, lists.voluntary]),
        unchanged=unchanged,
        is_stale=(lists.state == ACTIVE) & (unchanged >= policy.stale_days) & (size == lists.after.shape[1]),
        rbo=np.where(is_new, np.nan, stability.rbo(lists.before, lists.after, policy.rbo_p)),
        rbo_floor=np.where(promised, floor, np.nan),
        churn=np.where(is_new, np.nan, stability.churn(lists.before, lists.after)),
        coherence=alike,
        calibration_kl=list_calibration.divergence(tastes, shares),
    )


def _among(shares: sp.csr_matrix, users: np.ndarray, count: int) -> sp.csr_matrix:
    """The same rows at their users' places among all users."""
    sizes = np.zeros(count, np.int64)
    sizes[users] = np.diff(shares.indptr)
    return sp.csr_matrix((shares.data, shares.indices, np.r_[0, sizes.cumsum()]), shape=(count, shares.shape[1]))
