"""Exact top-K by inner product, filters inside: blocks of users meet tiles of items, users × items never stands.

A sample of the items bounds each user's K-th best score from below, so a tile is read once for what passes the bound,
and only that is sorted; a user for whom the bound was too high is scanned again without one. Blocks have one size,
padded, so a user's scores do not depend on who else is asked for.
Shapes: U users, R items, D width, K places.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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
