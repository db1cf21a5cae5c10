"""Exact top-K by inner product, filters inside: blocks of users meet tiles of items, users × items never stands.

`scan.py` scores a block; here it is said who is asked for, what is left out, and what a night keeps of the last one's.
Shapes: U users, R items, D width, K places.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from pipeline.learning.harness import one_thread
from pipeline.models import scan
from pipeline.models.pairs import exact, listed, packed
from pipeline.models.scan import Scan


@dataclass(frozen=True)
class Best:
    """Each user's best items.

    Attributes:
        items: int32 [U, K] places, best first, ties by place; -1 pads.
        scores: float32 [U, K]; 0 pads.
    """

    items: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Filters:
    """Who gets no list, and what stands in none.

    Attributes:
        served: bool [U] users that are asked for (consent); all when left out.
        allowed: bool [R] items that may stand in a list (stock, suppressed); all when left out.
        excluded: bool CSR [U, R] what a user does not get (bought already); nothing when left out.
    """

    served: np.ndarray | None = None
    allowed: np.ndarray | None = None
    excluded: sp.csr_matrix | None = None


def search(
    users: np.ndarray,
    items: np.ndarray,
    k: int,
    filters: Filters | None = None,
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Best:
    """Each user's K items of the largest inner product.

    Args:
        users: float32 [U, D].
        items: float32 [R, D].
        k: places.
        filters: who and what is left out.
        threads: blocks at work at once; memory grows with it, and not with users.
        progress: called as (users done, all users).
    """
    filters = filters or Filters()
    served = np.arange(len(users)) if filters.served is None else np.flatnonzero(filters.served)
    allowed = np.arange(len(items)) if filters.allowed is None else np.flatnonzero(filters.allowed)
    best = Best(np.full((len(users), k), -1, np.int32), np.zeros((len(users), k), np.float32))
    scanned = Scan(items if filters.allowed is None else items[allowed], k)
    excluded = filters.excluded if filters.excluded is None or filters.allowed is None else filters.excluded[:, allowed]

    def work(rows: np.ndarray) -> int:
        held = None if excluded is None else excluded[rows]
        found, best.scores[rows] = scanned.best(users[rows], held)
        best.items[rows] = np.where(found < 0, -1, allowed[found] if len(allowed) else -1)
        return len(rows)

    done = 0
    with one_thread, ThreadPoolExecutor(threads) as pool:
        for count in pool.map(work, _blocks(served, threads)):
            done += count
            if progress:
                progress(done, len(served))
    return best


def refresh(
    before: Best,
    users: np.ndarray,
    items: np.ndarray,
    k: int,
    changed_users: np.ndarray,
    changed_items: np.ndarray,
    filters: Filters | None = None,
    *,
    threads: int = 1,
) -> Best:
    """The lists of another night, of which at least the first k places are what `search` would give.

    A changed user is searched for whole. Of another user's list the changed items are struck out, what is left being
    the best of the unchanged ones, and those of the changed items that reach its end are put in by their new score. Who
    is left with fewer than k is searched for whole, so lists are kept longer than they are read.

    Args:
        before: lists of `search` or `refresh`, longer than k; the places beyond are what strikes may use up.
        users: float32 [U, D].
        items: float32 [R, D].
        k: places that are read.
        changed_users: bool [U] whose vector, consent or exclusions changed.
        changed_items: bool [R] whose vector changed, or whether they may be listed.
        filters: who and what is left out now.
        threads: blocks at work at once.
    """
    filters = filters or Filters()
    served = np.ones(len(users), bool) if filters.served is None else filters.served
    kept, again = served & ~changed_users, served & changed_users
    best = Best(np.where(kept[:, None], before.items, -1), np.where(kept[:, None], before.scores, np.float32(0)))
    if changed_items.any():
        places = np.flatnonzero(changed_items if filters.allowed is None else changed_items & filters.allowed)
        new = Scan(items[places], k)

        def work(rows: np.ndarray) -> None:
            held = None if filters.excluded is None else filters.excluded[rows][:, places]
            merged = _merged(new, before, rows, users[rows], places, changed_items, held)
            best.items[rows], best.scores[rows] = merged.items, merged.scores

        with one_thread, ThreadPoolExecutor(threads) as pool:
            for _done in pool.map(work, _blocks(np.flatnonzero(kept), threads)):
                pass
    again |= kept & (best.items[:, k - 1] < 0)
    whole = search(users, items, before.items.shape[1], replace(filters, served=again), threads=threads)
    best.items[again], best.scores[again] = whole.items[again], whole.scores[again]
    return best


def _blocks(rows: np.ndarray, threads: int) -> list[np.ndarray]:
    """Rows in equal parts, as many for each thread."""
    rounds = -(-len(rows) // (scan.BLOCK * threads))
    return np.array_split(rows, max(1, rounds * threads))


def _merged(
    new: Scan,
    before: Best,
    rows: np.ndarray,
    users: np.ndarray,
    places: np.ndarray,
    changed: np.ndarray,
    excluded: sp.csr_matrix | None,
) -> Best:
    """Lists of one block without the changed items, and with those scanned that reach their ends.

    Args:
        new: the changed items that may be listed.
        before: all lists.
        rows: int [B] the block's users.
        users: float32 [B, D].
        places: int [R] of the items in `new`.
        changed: bool, by place.
        excluded: bool CSR [B, R].
    """
    known, values = before.items[rows], before.scores[rows]
    stays = (known >= 0) & ~changed[np.maximum(known, 0)]
    end = known.shape[1] - stays[:, ::-1].argmax(1) - 1  # the last place that stays
    some = np.arange(len(rows))
    bounds = np.where(stays.any(1), values[some, end], np.inf)
    row, item, _ = new.reaching(new.block(users), bounds, excluded)
    score, item = exact(users, new.items, row, item), places[item]
    # At the end's own score an item of a higher place may come after ones that the list had no room for.
    sure = (score > bounds[row]) | ((score == bounds[row]) & (item < known[row, end[row]]))
    kept, at = np.nonzero(stays)
    keys = packed(
        np.concatenate([kept, row[sure]]),
        np.concatenate([known[kept, at], item[sure]]),
        np.concatenate([values[kept, at], score[sure]]),
        len(rows),
    )
    return Best(*listed(keys, known.shape[1]))
