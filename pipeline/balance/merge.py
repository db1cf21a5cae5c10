"""The budgeted merge: tonight's list keeps last night's, but for so many replacements. The one control with a proof.

Let O be last night's items that may still be shown, P those of them in pinned places, f the number of those gone. Of
all lists that hold P and at most f + B items that are not in O, the merge is a longest one with the largest sum of
tonight's scores: only the best f + B newcomers are admitted, P is kept, and the best of O and the newcomers fill the
places. What is kept keeps its place, so the first d places lose at most min(max(d - h, 0), B) items and, with no item
gone, the overlap with last night has the floor `metrics.stability.rbo_floor`. Not here: what may be shown, and who has
which budget (`surface`).

Shapes: U users, K places, N candidates.
"""

from dataclasses import dataclass

import numpy as np

EMPTY, GONE = -1, -2
BLOCK = 4096  # users at once: places x candidates of a block fit the cache's neighbourhood


@dataclass(frozen=True)
class Merged:
    """Lists of tonight.

    Attributes:
        items: int [U, K]; -1 pads at the end.
        fresh: bool [U, K] not in last night's list.
        forced: bool [U, K] fresh, in the place of an item that is gone.
        voluntary: int [U] fresh items beyond those that are forced.
        forced_count: int [U] last night's items that are gone.
    """

    items: np.ndarray
    fresh: np.ndarray
    forced: np.ndarray
    voluntary: np.ndarray
    forced_count: np.ndarray


def merge(before: np.ndarray, items: np.ndarray, scores: np.ndarray, budget: np.ndarray, pinned: np.ndarray) -> Merged:
    """Put tonight's best into last night's lists within the budget.

    At equal scores what stood in the list stays. Last night's items that are no candidates tonight score below all that
    are, later places lowest. Newcomers take the vacated places from the top, best first. Only where candidates do not
    suffice for the places of items gone do items below move up.

    Args:
        before: int [U, K] last night's lists. -2 is the place of an item that is gone; so is -1 above an item, whereas
            -1 at the end is a place that was empty.
        items: int [U, N] candidates that may be shown tonight, best first, each once; -1 pads.
        scores: float [U, N], falling.
        budget: int [U] fresh items that a list may get beyond those forced; filling an empty place is one, too.
        pinned: int [U] first places that stay.

    Raises:
        ValueError: shapes differ, or scores rise.
    """
    users, places = before.shape
    if items.shape != scores.shape or {len(items), len(budget), len(pinned)} != {users}:
        raise ValueError(f"{users} lists, candidates {items.shape}, scores {scores.shape}: give one row a user")
    if ((scores[:, 1:] > scores[:, :-1]) & (items[:, 1:] >= 0)).any():
        raise ValueError("scores of candidates rise; give them best first")
    merged = Merged(
        np.full((users, places), EMPTY, np.int64),
        np.zeros((users, places), bool),
        np.zeros((users, places), bool),
        np.zeros(users, np.int64),
        np.zeros(users, np.int64),
    )
    for start in range(0, users, BLOCK):
        rows = slice(start, start + BLOCK)
        part = _merge(before[rows], items[rows], scores[rows], budget[rows], pinned[rows])
        for whole, one in zip(vars(merged).values(), vars(part).values(), strict=True):
            whole[rows] = one
    return merged


def _merge(before: np.ndarray, items: np.ndarray, scores: np.ndarray, budget: np.ndarray, pinned: np.ndarray) -> Merged:
    place = np.arange(before.shape[1])
    old = before >= 0
    gone = (before == GONE) | (~old & (place < _length(old)[:, None]))
    new, level, better = _compared(before, items, scores)
    is_pinned = old & (place < pinned[:, None])
    ranking = np.lexsort((np.broadcast_to(place, before.shape), level, ~is_pinned, ~old), axis=-1)
    rank = np.empty_like(ranking)
    np.put_along_axis(rank, ranking, np.broadcast_to(place, before.shape), axis=1)
    lost = gone.sum(1)
    admitted = np.minimum(new.sum(1), lost + np.maximum(budget, 0))[:, None]
    full = np.minimum(before.shape[1], old.sum(1)[:, None] + admitted)
    # An item stays if better ones of last night and better newcomers leave it a place.
    stays = is_pinned | (old & (rank + np.minimum(better, admitted) < full))
    vacated = np.cumsum(~stays, axis=1) - 1
    fresh = ~stays & (vacated < full - stays.sum(1)[:, None])
    tonight = np.where(stays, before, EMPTY)
    tonight[fresh] = _first(new, items, before.shape[1])[np.nonzero(fresh)[0], vacated[fresh]]
    forced = fresh & gone
    voluntary = fresh.sum(1) - forced.sum(1)
    packed = np.argsort(tonight < 0, axis=1, kind="stable")
    tonight, fresh, forced = (np.take_along_axis(one, packed, axis=1) for one in (tonight, fresh, forced))
    return Merged(tonight, fresh, forced, voluntary, lost)


def _length(old: np.ndarray) -> np.ndarray:
    """Places up to the last item: int [U]."""
    return np.where(old.any(1), old.shape[1] - old[:, ::-1].argmax(1), 0)


def _compared(before: np.ndarray, items: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates beside last night's lists.

    Returns:
        bool [U, N] candidates that are new; int [U, K] how far down the candidates an old item's score stands, N where
        it is none; int [U, K] new candidates of a higher score.
    """
    same = np.ones((*before.shape, items.shape[1] + 1), bool)  # the last column finds what is no candidate
    np.equal(before[:, :, None], items[:, None, :], out=same[:, :, :-1])
    same[before < 0, :-1] = False
    new = (items >= 0) & ~same[:, :, :-1].any(1)
    starts = np.zeros(items.shape, np.int64)  # where the run of equal scores begins
    starts[:, 1:] = np.where(scores[:, 1:] < scores[:, :-1], np.arange(1, items.shape[1]), 0)
    starts = np.pad(np.maximum.accumulate(starts, axis=1), ((0, 0), (0, 1)), constant_values=items.shape[1])
    level = np.take_along_axis(starts, same.argmax(2), axis=1)
    count = np.pad(np.cumsum(new, axis=1), ((0, 0), (1, 0)))
    return new, level, np.take_along_axis(count, level, axis=1)


def _first(new: np.ndarray, items: np.ndarray, count: int) -> np.ndarray:
    """The first so many new candidates of each user: int [U, count]; -1 pads."""
    rank = np.cumsum(new, axis=1) - 1
    row, column = np.nonzero(new & (rank < count))
    first = np.full((len(items), count), EMPTY, np.int64)
    first[row, rank[row, column]] = items[row, column]
    return first
