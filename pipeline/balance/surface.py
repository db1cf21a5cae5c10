"""The balance of one surface: last night's lists and tonight's rankings in, tonight's lists out, with causes.

The stage, the replay and the backtest all come through here. In order: distillation from last night's champion,
shrinkage to the common core, what may be shown, calibration, the budgeted merge, exploration and freshness, and
tonight's order of what came of it, as far as the floor allows.
Not here: what a surface draws from (`surfaces`), what may be shown on it (`coherence`), and what is measured of it.
Shapes: U users, K places, N candidates, I items, G categories.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from pipeline.balance import explore
from pipeline.balance.calibrate import calibrate
from pipeline.balance.core import shrink
from pipeline.balance.distil import distil
from pipeline.balance.merge import GONE, merge
from pipeline.balance.places import held, looked_up
from pipeline.balance.point import Point
from pipeline.balance.reorder import reorder
from pipeline.balance.surfaces import Ranked, at
from pipeline.contracts.tables import CAUSES, STATES
from pipeline.metrics.stability import voluntary
from pipeline.policy import Policy

NEW, ACTIVE, IDLE = (STATES.index(name) for name in ("new", "active", "idle"))
KEPT, FORCED, USER, DATA, MODEL, EXPLORE, FIRST_NIGHT = (
    CAUSES.index(name) for name in ("kept", "forced", "user", "data", "model", "explore", "first_night")
)


@dataclass(frozen=True)
class Rankings:
    """What a surface draws from tonight, in log-odds; what may not be shown may still stand in them.

    Attributes:
        free: [U, N] tonight's model.
        champion: [U, M] last night's model on tonight's data; None where tonight's is the same.
        core: [U, C] or [1, C] what everybody sees (`core.common`); None leaves users to themselves.
    """

    free: Ranked
    champion: Ranked | None = None
    core: Ranked | None = None


@dataclass(frozen=True)
class Standing:
    """Where users stand with one surface.

    Attributes:
        state: int [U] place in STATES; new is who had no list last night.
        spent: int [U] voluntary changes of this list in the last 6 nights.
        unchanged: int [U] nights in a row, up to last night, that brought this list no other items.
        evidence: float [U] pieces of evidence of a user, such as baskets.
        taste: CSR [U, G] share of each category in the user's history.
        drawn: uint64 [U] of `explore.draws`, salted by shop, day and surface.
    """

    state: np.ndarray
    spent: np.ndarray
    unchanged: np.ndarray
    evidence: np.ndarray
    taste: sp.csr_matrix
    drawn: np.ndarray


@dataclass(frozen=True)
class Balanced:
    """Lists of tonight.

    Attributes:
        items: int [U, K], -1 pads at the end.
        scores: float [U, K] tonight's model's own; of what it does not name, its least of the user; nan where it names
            nothing, and of pads.
        cause: int8 [U, K] place in CAUSES of why it stands there; -1 pads.
        budget: int [U] changes that were allowed.
        pinned: int [U] first places that stayed.
        voluntary: int [U] changes that nothing forced; 0 for new users.
        forced: int [U] last night's items that may not be shown any more.
        unchanged: int [U] nights in a row, up to tonight, that brought the list no other items.
    """

    items: np.ndarray
    scores: np.ndarray
    cause: np.ndarray
    budget: np.ndarray
    pinned: np.ndarray
    voluntary: np.ndarray
    forced: np.ndarray
    unchanged: np.ndarray


def balance_surface(
    before: np.ndarray,
    rankings: Rankings,
    allowed: tuple[np.ndarray, sp.csr_matrix],
    standing: Standing,
    category: np.ndarray,
    point: Point,
    policy: Policy,
) -> Balanced:
    """Balance one surface of a block of users.

    Args:
        before: int [U, K] last night's lists as they were shown, -1 pads at the end; all -1 for new users. Items that
            left the catalogue have places, too, which `allowed` does not allow.
        rankings: of tonight.
        allowed: bool [I] items that may be shown, CSR [U, I] what may not be shown to a user (`coherence.eligible`).
        standing: of the users.
        category: int [I], 0 to G - 1; -1 for items of none.
        point: where the balance stands.
        policy: of the shop.
    """
    places, is_new = before.shape[1], standing.state == NEW
    ranked = rankings.free
    if rankings.champion:
        ranked = distil(ranked, rankings.champion, standing.state == IDLE, point.distil)
    if rankings.core:
        ranked = shrink(ranked, rankings.core, standing.evidence, policy.core_kappa)
    ranked = calibrate(ranked.without(*allowed), category, standing.taste, point.calibration, places)
    champion = rankings.champion.without(*allowed).items[:, :places] if rankings.champion else None
    budget, pinned = _limits(before, standing, point, policy)
    explores = explore.is_drawn(standing.drawn, policy.explore.share) & ~is_new & (budget >= policy.explore.slots)
    left = np.where(barred(before, *allowed), GONE, before)
    merged = merge(left, ranked.items, ranked.scores, budget - policy.explore.slots * explores, pinned)
    cause = np.where(merged.forced, FORCED, np.where(merged.fresh, _causes(merged.items, champion, standing), KEPT))
    cause[is_new] = FIRST_NIGHT
    # Two nights before it counts as stale, so that who comes back on the last of them is not late.
    still = (standing.state == ACTIVE) & (standing.unchanged >= policy.stale_days - 2)
    who = explore.Explorers(explores, still, pinned, standing.drawn)
    items, put = explore.spend(before, merged.items, ranked, who, policy.explore)
    cause = np.where(items >= 0, np.where(put, EXPLORE, cause), -1).astype(np.int8)
    scores = _scores(items, rankings.free)
    order = np.tile(np.arange(places), (len(before), 1))
    old = ~is_new  # what stays finds its place in tonight's order, as far as the floor allows
    order[old] = reorder(before[old], items[old], scores[old], (budget + merged.forced_count)[old], pinned[old])
    items, cause, scores = (np.take_along_axis(one, order, axis=1) for one in (items, cause, scores))
    size = (items >= 0).sum(1)
    same = (held(items, before).sum(1) == size) & ((before >= 0).sum(1) == size)
    return Balanced(
        items=items,
        scores=scores,
        cause=cause,
        budget=budget,
        pinned=pinned,
        voluntary=np.where(is_new, 0, voluntary(before, items, merged.forced_count)),
        forced=merged.forced_count,
        unchanged=np.where(same & ~is_new, standing.unchanged + 1, 0),
    )


def _limits(before: np.ndarray, standing: Standing, point: Point, policy: Policy) -> tuple[np.ndarray, np.ndarray]:
    """Budget and pinned places of each user: an idle user's budget is also what the week leaves of it."""
    week = np.clip(policy.week_limit - standing.spent, 0, point.budget_idle)
    is_new, is_active = standing.state == NEW, standing.state == ACTIVE
    budget = np.select([is_new, is_active], [before.shape[1], point.budget_active], week)
    pinned = np.select([is_new, is_active], [0, policy.pinned_active], point.pinned_idle)
    return budget, np.minimum(pinned, (before >= 0).sum(1))  # what stands nowhere cannot be pinned


def barred(lists: np.ndarray, items: np.ndarray, users: sp.csr_matrix) -> np.ndarray:
    """Which places of last night's lists may not be shown any more, by `coherence.eligible`: bool [U, K]."""
    return (lists >= 0) & (~items[lists] | (at(users, lists) != 0))


def _causes(lists: np.ndarray, champion: np.ndarray | None, standing: Standing) -> np.ndarray:
    """Why a newcomer stands where it does: the user's own events, or for idle users the others' data or the model."""
    same = np.ones(lists.shape, bool) if champion is None else held(lists, champion)
    return np.where((standing.state == ACTIVE)[:, None], USER, np.where(same, DATA, MODEL))


def _scores(lists: np.ndarray, free: Ranked) -> np.ndarray:
    least = np.where(free.items >= 0, free.scores, np.inf).min(axis=1, initial=np.inf)
    scores = looked_up(lists, free, np.where(np.isfinite(least), least, np.nan))
    return np.where(lists >= 0, scores, np.nan)
