"""Calibrated re-ranking: a list's categories in the proportions of the user's own history (Steck 2018).

Not here: how far a list is from that (`metrics.list_calibration`).
Shapes: U users, N candidates, I items, G categories, K places.
"""

from math import log1p

import numba
import numpy as np
import scipy.sparse as sp
from scipy.special import log_expit

from pipeline.balance.blend import DIGITS
from pipeline.balance.surfaces import Ranked
from pipeline.metrics.list_calibration import ALPHA
from pipeline.metrics.ranking import discounts
from pipeline.models import row_loops, scoring


def calibrate(ranked: Ranked, category: np.ndarray, taste: sp.csr_matrix, weight: float, depth: int) -> Ranked:
    """Choose the first places anew, one after another, by relevance and by how the list then fits the user's taste.

    Place r takes the candidate with the most (1 - weight) x relevance - weight x C_KL of the list so far with it, whose
    places weigh 1 / log2(1 + r). Relevance is the probability over that of the user's best. The rest follow in their
    order, and the scores stay where they are: what comes first has the best score, so scores fall as before.

    Args:
        ranked: [U, N], scores in log-odds.
        category: int [I], 0 to G - 1; -1 for items of none, which fill places of no use to a taste.
        taste: CSR [U, G] share of each category in the user's history; a user without one keeps the order.
        weight: of the proportions, 0 to 1; 0 changes nothing.
        depth: places to choose.

    Source: Steck 2018, Calibrated recommendations, equations 3 to 5, greedily.
    """
    if weight == 0:
        return ranked
    items = ranked.items
    surely = log_expit(np.where(items >= 0, ranked.scores, 0.0))
    relevance = (1 - weight) * np.exp(surely - surely[:, :1])
    shelf = np.where(items >= 0, category[items], -1)
    wanted = sp.csr_matrix(taste, dtype=np.float64)
    order = _order(items, shelf, relevance, scoring.parts(wanted), wanted.shape[1], weight, discounts(depth))
    return Ranked(np.take_along_axis(items, order, axis=1), ranked.scores)


@numba.njit(nogil=True)
def _order(
    items: np.ndarray,
    shelf: np.ndarray,
    relevance: np.ndarray,
    taste: row_loops.Rows,
    categories: int,
    weight: float,
    places: np.ndarray,
) -> np.ndarray:
    """Old places in their new order: int64 [U, N]. Of a category the first candidate left is its best, as all fall."""
    users, count = items.shape
    order, chosen = np.empty((users, count), np.int64), np.zeros(count, np.bool_)
    wanted, given = np.zeros(categories + 1), np.zeros(categories + 1)  # by category, the last being that of none
    first, last = np.full(categories + 1, -1), np.full(categories + 1, -1)
    known, after = np.empty(count, np.int64), np.empty(count, np.int64)
    for user in range(users):
        mine = slice(taste[0][user], taste[0][user + 1])
        wanted[taste[1][mine]] = taste[2][mine]
        kinds, done, total = 0, 0, 0.0
        if mine.start < mine.stop:
            kinds = _line_up(items[user], shelf[user], first, last, known, after)
        for place in places:
            total += place
            kind = _worthiest(known[:kinds], first, relevance[user], wanted, given, place / total, total, weight)
            if kind < 0:
                break
            order[user, done], chosen[first[kind]] = first[kind], True
            given[kind] += place
            first[kind] = after[first[kind]]
            done += 1
        for at in range(count):
            if not chosen[at]:
                order[user, done] = at
                done += 1
        chosen[:] = False
        wanted[taste[1][mine]] = 0
        given[known[:kinds]], first[known[:kinds]] = 0, -1
    return order


@numba.njit(nogil=True)
def _line_up(
    items: np.ndarray, shelf: np.ndarray, first: np.ndarray, last: np.ndarray, known: np.ndarray, after: np.ndarray
) -> int:
    """Put a user's candidates in a row by category: the first, and what comes after each; how many rows there are."""
    kinds = 0
    for at in range(len(items)):
        if items[at] < 0:
            continue
        kind = shelf[at] if shelf[at] >= 0 else len(first) - 1
        if first[kind] < 0:
            known[kinds], first[kind] = kind, at
            kinds += 1
        else:
            after[last[kind]] = at
        last[kind], after[at] = at, -1
    return kinds


@numba.njit(nogil=True)
def _worthiest(
    known: np.ndarray,
    first: np.ndarray,
    relevance: np.ndarray,
    wanted: np.ndarray,
    given: np.ndarray,
    share: float,
    total: float,
    weight: float,
) -> int:
    """The category whose first candidate is worth the most at a place of such a share of all so far; -1 where none."""
    best, most = -1, -np.inf
    for kind in known:
        if first[kind] < 0:
            continue
        gain = 0.0
        if wanted[kind] > 0:  # C_KL is a sum over categories; a candidate moves the term of its own alone
            floor = ALPHA * wanted[kind] + (1 - ALPHA) * given[kind] / total
            gain = wanted[kind] * log1p((1 - ALPHA) * share / floor)
        worth = np.rint((relevance[first[kind]] + weight * gain) * 10.0**DIGITS)
        if worth > most or (worth == most and first[kind] < first[best]):
            best, most = kind, worth
    return best
