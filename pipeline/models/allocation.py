"""Who gets which campaign when budgets and a cap of contacts a user do not allow all: the plan of most expected worth.

The constraints are those of a transport problem, whose linear programme has a best solution in whole contacts, so HiGHS
finds the true optimum (Hoffman and Kruskal 1956). A night's plan stays as it was while it is nearly the best, and tells
of a few users no more than audiences do. Not here: who is in an audience.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from pipeline.errors import DataError
from pipeline.privacy import differencing

ROUNDS = 2  # in which campaigns take up what others left
NEARLY = 0.98  # share of the best plan's worth at which last night's stays


@dataclass(frozen=True)
class Offer:
    """One campaign's possible contacts, over the same users [U] as its siblings.

    Attributes:
        audience: bool, whom it may contact; nobody when its audience is withheld.
        worth: float, what a contact is expected to bring, its cost taken off.
        budget: contacts it can still pay for; None for all.
        last: bool, whom last night's plan had.
    """

    audience: np.ndarray
    worth: np.ndarray
    budget: int | None
    last: np.ndarray


def plan(offers: Sequence[Offer], caps: np.ndarray, others: np.ndarray, k: int) -> list[np.ndarray]:
    """Whom each campaign contacts: bool [U] an offer, in order; nobody where a plan would tell of a few users.

    Args:
        offers: the campaigns.
        caps: int [U] contacts each user may get from all of them together.
        others: bool [O, U] audiences of tonight and last night, which people see beside the plans.
        k: users by which plans differ from each other and from `others` if they differ at all, and the smallest plan.
    """
    if not offers:
        return []
    last = np.array([offer.last for offer in offers])
    beside = np.unique(np.concatenate([others, last[last.any(axis=1)]]), axis=0)
    made = last if _stays(offers, last, caps) else best(offers, caps)
    # The guard may only take users out, so that budgets and caps are kept to the contact.
    wishes = [differencing.Wish(row, row, offer.worth) for row, offer in zip(made, offers, strict=True)]
    plans = np.array([_or_nobody(one, caps) for one in differencing.guard(wishes, beside, k)])
    for _ in range(ROUNDS):
        for at, offer in enumerate(offers):
            plans[at] = _refilled(at, offer, plans, caps, beside, k)
    return list(plans)


def _or_nobody(found: np.ndarray | None, caps: np.ndarray) -> np.ndarray:
    """The mask, or one of nobody: bool [U]."""
    return np.zeros(len(caps), bool) if found is None else found


def _refilled(at: int, offer: Offer, plans: np.ndarray, caps: np.ndarray, beside: np.ndarray, k: int) -> np.ndarray:
    """One campaign's plan after what the guard took from it is spent on others, where that is worth more.

    Those who were in last night's plan are tried with the rest and without: back in, they would be the few again.
    """
    plan = plans[at]
    rest = np.delete(plans, at, axis=0)
    others = np.concatenate([beside, rest[rest.any(axis=1)]])
    left = (len(caps) if offer.budget is None else offer.budget) - int(plan.sum())
    free = offer.audience & ~plan & (offer.worth > 0) & (plans.sum(0) < caps)
    tried = [plan]
    for pool in (free, free & ~offer.last):
        joining = np.flatnonzero(pool)
        joining = joining[np.argsort(-offer.worth[joining], kind="stable")][: max(left, 0)]
        wish = plan.copy()
        wish[joining] = True
        found = differencing.guard([differencing.Wish(wish, wish, offer.worth)], others, k)[0]
        tried.append(_or_nobody(found, caps))
    return max(tried, key=lambda one: float(offer.worth[one].sum()))


def best(offers: Sequence[Offer], caps: np.ndarray) -> np.ndarray:
    """The plan of most worth, whoever may be told from it: bool [C, U].

    Where nothing is scarce it is the audiences: the few in them who are worth no contact any more wait to leave.
    """
    made = np.array([offer.audience for offer in offers])
    budgets = np.array([len(caps) if offer.budget is None else offer.budget for offer in offers])
    if (made.sum(1) <= budgets).all() and (made.sum(0) <= caps).all():
        return made
    campaign, user = np.nonzero(made)
    worth = np.array([offer.worth for offer in offers])[campaign, user]
    made[campaign, user] = allocate(campaign, user, worth, budgets, caps)
    return made


def _stays(offers: Sequence[Offer], last: np.ndarray, caps: np.ndarray) -> bool:
    """Whether last night's plan may still be made, and is nearly as good as the best."""
    audience, worth = (np.array([getattr(offer, name) for offer in offers]) for name in ("audience", "worth"))
    broke = any(offer.budget is not None and row.sum() > offer.budget for row, offer in zip(last, offers, strict=True))
    if not last.any() or broke or (last & ~audience).any() or (last.sum(0) > caps).any():
        return False
    return bool(worth[last].sum() >= NEARLY * worth[best(offers, caps)].sum())


def allocate(
    campaign: np.ndarray, user: np.ndarray, worth: np.ndarray, budgets: np.ndarray, caps: np.ndarray
) -> np.ndarray:
    """Which contacts to make.

    Args:
        campaign: [N] campaign number of each possible contact.
        user: [N] user number; a user stands once a campaign.
        worth: [N] what the contact is expected to bring, its cost taken off; those not above zero are not made.
        budgets: [C] contacts that each campaign can pay for.
        caps: [U] contacts each user may get from all campaigns together.

    Returns:
        Booleans [N] of the most worth in sum.

    Raises:
        DataError: the solver gives up.
    """
    worthy = np.flatnonzero(worth > 0)
    made = np.zeros(len(worth), bool)
    users, place = np.unique(user[worthy], return_inverse=True)
    rows = np.r_[campaign[worthy], len(budgets) + place]
    columns = np.r_[np.arange(len(worthy)), np.arange(len(worthy))]
    shape = (len(budgets) + len(users), len(worthy))
    limits = np.r_[budgets, caps[users]]
    if not len(worthy):
        return made
    # Of equally good plans the one that comes first: a share of worth too small to change which plans are best.
    tie = np.arange(len(worthy)) * (1e-9 / len(worthy))
    found = linprog(
        tie - worth[worthy], A_ub=sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape), b_ub=limits,
        bounds=(0, 1), method="highs-ds",
    )  # fmt: skip
    if found.x is None:
        raise DataError(f"allocation of {len(worthy):,} contacts: {found.message}; allocate fewer campaigns at once")
    made[worthy[found.x > 0.5]] = True
    return made
