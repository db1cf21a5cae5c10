"""Calibrated re-ranking: a list's categories in the proportions of the user's own history (Steck 2018).

Not here: how far a list is from that (`metrics.list_calibration`).
Shapes: U users, N candidates, I items, G categories.
"""

import numpy as np
import scipy.sparse as sp
from scipy.special import log_expit

from pipeline.balance.blend import DIGITS
from pipeline.balance.surfaces import Ranked
from pipeline.metrics.list_calibration import ALPHA
from pipeline.metrics.ranking import discounts

BLOCK = 1024  # users at once: their tastes are dense


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
    items = ranked.items.copy()
    for start in range(0, len(items), BLOCK):
        rows = slice(start, start + BLOCK)
        order = _order(ranked.items[rows], ranked.scores[rows], category, taste[rows].toarray(), weight, depth)
        items[rows] = np.take_along_axis(items[rows], order, axis=1)
    return Ranked(items, ranked.scores)


def _order(
    items: np.ndarray, scores: np.ndarray, category: np.ndarray, taste: np.ndarray, weight: float, depth: int
) -> np.ndarray:
    """Old places in their new order: int [U, N]."""
    users, count = items.shape
    shelf = np.where(items >= 0, category[items], -1)
    wanted = np.where(shelf >= 0, np.take_along_axis(taste, np.maximum(shelf, 0), axis=1), 0.0)
    seen = np.zeros(items.shape)  # weight of the places given to each candidate's category so far
    left = (items >= 0) & taste.any(axis=1, keepdims=True)
    surely = log_expit(np.where(items >= 0, scores, 0.0))
    relevance = (1 - weight) * np.exp(surely - surely[:, :1])
    chosen = np.zeros(items.shape, bool)
    picks = np.zeros((users, 0), np.int64)
    places = discounts(min(depth, count))
    for place, total in zip(places, places.cumsum(), strict=True):
        floor = ALPHA * wanted + (1 - ALPHA) * seen / total
        # C_KL is a sum over categories, and a candidate moves the term of its own alone.
        more = np.divide((1 - ALPHA) * place / total, floor, out=np.zeros_like(floor), where=wanted > 0)
        gain = wanted * np.log1p(more)
        worth = np.where(left & ~chosen, np.round(relevance + weight * gain, DIGITS), -np.inf)
        pick = worth.argmax(axis=1)[:, None]
        able = np.take_along_axis(left & ~chosen, pick, axis=1)
        np.put_along_axis(chosen, pick, able | np.take_along_axis(chosen, pick, axis=1), axis=1)
        seen += place * (able & (shelf == np.take_along_axis(shelf, pick, axis=1)))
        picks = np.concatenate([picks, np.where(able, pick, count)], axis=1)
    rank = np.full((users, count + 1), len(places))
    np.put_along_axis(rank, picks, np.broadcast_to(np.arange(len(places)), picks.shape), axis=1)
    return np.argsort(rank[:, :count], axis=1, kind="stable")
