"""Exact top-K by inner product, filters inside: blocks of users meet tiles of items, users × items never stands.

A sample of the items bounds each user's K-th best score from below, so a tile is read once for what passes the bound,
and only that is sorted; a user for whom the bound was too high is scanned again without one. Blocks have one size,
padded, so a user's scores do not depend on who else is asked for.
Shapes: U users, R items, D width, K places.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

BLOCK, TILE, SAMPLE = 256, 8192, 2048
SLACK = 3.0  # deviations by which the sampled bound is lowered


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
    scan = _Scan(items if filters.allowed is None else items[allowed], k)
    excluded = filters.excluded if filters.excluded is None or filters.allowed is None else filters.excluded[:, allowed]

    def work(rows: np.ndarray) -> int:
        held = None if excluded is None else excluded[rows]
        row, item, score, place = scan.block(users[rows], held)
        best.items[rows[row], place] = allowed[item]
        best.scores[rows[row], place] = score
        return len(rows)

    done = 0
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        for count in pool.map(work, _blocks(served)):
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
    fresh = changed_items if filters.allowed is None else changed_items & filters.allowed
    places = np.flatnonzero(fresh)
    scan = _Scan(items[places], k)
    best = Best(np.full_like(before.items, -1), np.zeros_like(before.scores))
    again = changed_users.copy()

    def work(rows: np.ndarray) -> None:
        held = None if filters.excluded is None else filters.excluded[rows][:, places]
        merged = scan.merged(before, rows, users[rows], places, changed_items, held)
        best.items[rows], best.scores[rows] = merged.items, merged.scores
        again[rows] = merged.items[:, k - 1] < 0

    kept = ~changed_users if filters.served is None else ~changed_users & filters.served
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        for _done in pool.map(work, _blocks(np.flatnonzero(kept))):
            pass
    if filters.served is not None:
        again &= filters.served
    whole = search(users, items, before.items.shape[1], replace(filters, served=again), threads=threads)
    best.items[again], best.scores[again] = whole.items[again], whole.scores[again]
    return best


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


class _Scan:
    """Items prepared for scanning."""

    def __init__(self, items: np.ndarray, k: int) -> None:
        self.items, self.k = np.ascontiguousarray(items, np.float32), k
        stride = max(1, len(items) // SAMPLE)
        self.sample = np.ascontiguousarray(self.items[::stride][:SAMPLE])

    def block(
        self, users: np.ndarray, excluded: sp.csr_matrix | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Best items of one block: row, item, score, place of each."""
        padded = np.zeros((BLOCK, self.items.shape[1]), np.float32)
        padded[: len(users)] = users
        held = np.zeros(len(users), np.int64) if excluded is None else np.diff(excluded.indptr)
        row, item, score = self._survivors(padded, self._bounds(padded, held), excluded)
        short = np.bincount(row, minlength=BLOCK)[: len(users)] < np.minimum(self.k, len(self.items) - held)
        if short.any():
            again = np.full(BLOCK, np.inf, np.float32)
            again[: len(users)][short] = -np.inf
            kept = ~short[row]
            more = self._survivors(padded, again, excluded)
            row, item, score = (
                np.concatenate([one[kept], new]) for one, new in zip((row, item, score), more, strict=True)
            )
        order = np.lexsort((item, -score, row))
        row, item, score = row[order], item[order], score[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        top = place < self.k
        return row[top], item[top], score[top], place[top]

    def merged(
        self,
        before: Best,
        rows: np.ndarray,
        users: np.ndarray,
        places: np.ndarray,
        changed: np.ndarray,
        excluded: sp.csr_matrix | None,
    ) -> Best:
        """Lists of one block without the changed items, and with those scanned here that reach their ends.

        Args:
            before: all lists.
            rows: int [B] the block's users.
            users: float32 [B, D].
            places: int [R] of the items scanned here.
            changed: bool, by place.
            excluded: bool CSR [B, R].
        """
        known, values = before.items[rows], before.scores[rows]
        struck = (known < 0) | changed[np.maximum(known, 0)]
        width = known.shape[1]
        left = width - struck[:, ::-1].argmin(1) - 1  # the last place that stays
        none = struck.all(1)
        row = np.arange(len(rows))
        padded, bounds = np.zeros((BLOCK, self.items.shape[1]), np.float32), np.full(BLOCK, np.inf, np.float32)
        padded[: len(rows)], bounds[: len(rows)] = users, np.where(none, np.inf, values[row, left])
        reaching, item, score = self._survivors(padded, bounds, excluded)
        item = places[item]
        # At the end's own score an item of a higher place may come after ones that the list had no room for.
        sure = (score > bounds[reaching]) | (item < known[reaching, left[reaching]])
        reaching, item, score = reaching[sure], item[sure], score[sure]
        at, place = np.nonzero(~struck)
        at, item = np.concatenate([at, reaching]), np.concatenate([known[~struck], item])
        score = np.concatenate([values[~struck], score])
        order = np.lexsort((item, -score, at))
        at, item, score = at[order], item[order], score[order]
        place = np.arange(len(at)) - np.searchsorted(at, at)
        fits = place < width
        merged = Best(np.full_like(known, -1), np.zeros_like(values))
        merged.items[at[fits], place[fits]], merged.scores[at[fits], place[fits]] = item[fits], score[fits]
        return merged

    def _bounds(self, users: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Below each user's K-th best score, most likely: float32 [BLOCK]; padding gets what nothing passes."""
        share = len(self.sample) / max(1, len(self.items))
        expected = (self.k + int(held.max(initial=0))) * share
        rank = int(np.ceil(expected + SLACK * np.sqrt(expected))) + 1
        bounds = np.full(BLOCK, np.inf, np.float32)
        if rank >= len(self.sample):
            bounds[: len(held)] = -np.inf
        else:
            scores = users @ self.sample.T
            bounds[: len(held)] = -np.partition(-scores, rank - 1, axis=1)[: len(held), rank - 1]
        return bounds

    def _survivors(
        self, users: np.ndarray, bounds: np.ndarray, excluded: sp.csr_matrix | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What reaches its user's bound and is not excluded: row, item, score."""
        empty: np.ndarray = np.zeros(0, np.int64)  # where no item is allowed, nothing survives
        rows, places = [empty], [empty]
        scores: list[np.ndarray] = [np.zeros(0, np.float32)]
        for start in range(0, len(self.items), TILE):
            tile = users @ self.items[start : start + TILE].T
            hit = np.flatnonzero(tile >= bounds[:, None])
            row, column = np.divmod(hit, tile.shape[1])
            rows.append(row)
            places.append(column + start)
            scores.append(tile.ravel()[hit])
        row, item, score = (np.concatenate(parts) for parts in (rows, places, scores))
        if excluded is not None and excluded.nnz:
            owner = np.repeat(np.arange(excluded.shape[0]), np.diff(excluded.indptr))
            taken = np.isin(row * len(self.items) + item, owner * len(self.items) + excluded.indices)
            row, item, score = row[~taken], item[~taken], score[~taken]
        return row, item, score
