"""Two rankings of the same users as one: a weighted mean of scores over everything that either of them names.

Shapes: U users, N candidates of the first ranking, M of the second.
"""

import numpy as np

from pipeline.balance.surfaces import Ranked

DIGITS = 9  # of a score, as in the learned order: past these, sums in another order would decide


def blend(own: Ranked, other: Ranked, weight: np.ndarray) -> Ranked:
    """The N best by (1 - weight) x own score + weight x other score, ties by item.

    What one ranking does not name has that ranking's least score of the user: it would not have scored higher, or it
    would stand there. A user of weight 0, or without candidates in one of the two, keeps what there is.

    Args:
        own: [U, N].
        other: [U, M], or [1, M] of the same for everybody.
        weight: float [U] of the other, 0 to 1.
    """
    other = Ranked(*(np.broadcast_to(one, (len(own.items), one.shape[1])) for one in (other.items, other.scores)))
    named, others = ((one.items >= 0).any(1) for one in (own, other))
    items, scores = own.items.copy(), own.scores.copy()
    alone = np.flatnonzero(~named & others & (weight > 0))
    both = np.flatnonzero(named & others & (weight > 0))
    width = min(items.shape[1], other.items.shape[1])
    items[alone, :width], scores[alone, :width] = other.items[alone, :width], other.scores[alone, :width]
    if len(both):
        best = _united(_rows(own, both), _rows(other, both), weight[both, None])
        items[both], scores[both] = best.items[:, : items.shape[1]], best.scores[:, : items.shape[1]]
    return Ranked(items, scores)


def _rows(ranked: Ranked, rows: np.ndarray) -> Ranked:
    return Ranked(ranked.items[rows], ranked.scores[rows])


def _united(own: Ranked, other: Ranked, weight: np.ndarray) -> Ranked:
    """Both rankings' items, each once, by the blended score: [U, N + M]."""
    split = own.items.shape[1]
    items = np.concatenate([own.items, other.items], axis=1)
    mine, theirs = (np.repeat(_least(one), items.shape[1], axis=1) for one in (own, other))
    mine[:, :split] = np.where(own.items >= 0, own.scores, mine[:, :split])
    theirs[:, split:] = np.where(other.items >= 0, other.scores, theirs[:, split:])
    by_item = np.argsort(items, axis=1, kind="stable")  # of an item that both name, the own one comes first
    items, mine, theirs = (np.take_along_axis(one, by_item, axis=1) for one in (items, mine, theirs))
    twin = (items[:, 1:] == items[:, :-1]) & (items[:, 1:] >= 0)
    theirs[:, :-1] = np.where(twin, theirs[:, 1:], theirs[:, :-1])
    kept = (items >= 0) & ~np.pad(twin, ((0, 0), (1, 0)))
    score = np.where(kept, np.round((1 - weight) * mine + weight * theirs, DIGITS), -np.inf)
    order = np.argsort(-score, axis=1, kind="stable")  # of equal scores the lesser item comes first, as it stands
    items, score, kept = (np.take_along_axis(one, order, axis=1) for one in (items, score, kept))
    return Ranked(np.where(kept, items, -1), score)


def _least(ranked: Ranked) -> np.ndarray:
    return np.where(ranked.items >= 0, ranked.scores, np.inf).min(axis=1, keepdims=True)
