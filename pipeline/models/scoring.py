"""Rows of scores, most of which are nothing: the largest of each, what stands at places, what may not stand there.

Sparse rows cost by what is in them, not by how many items there are. Their entries may stand in any order.
Shapes: B rows, I columns, N places.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

LEAST = np.nextafter(np.float32(0), np.float32(1))
STRIDE = 8  # of many columns so many are passed over when a bound is sought
Scores: TypeAlias = np.ndarray | sp.csr_matrix  # float32 [B, I]; an array of a single row is the same for everybody


def dense(scores: Scores, rows: int) -> np.ndarray:
    """Scores as an array float32 [B, I] of so many rows."""
    if isinstance(scores, np.ndarray):
        return scores if len(scores) == rows else np.repeat(scores, rows, axis=0)
    return np.asarray(scores.todense(), np.float32)


def ranked(scores: Scores, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column and rank (1 is best) of each row's largest positive entries, ties by column: int64 [N], by row, rank.

    Args:
        scores: [B, I].
        count: entries of a row, at most.
    """
    if isinstance(scores, np.ndarray):
        some = scores[:, ::STRIDE] if scores.shape[1] >= 2 * STRIDE * count else scores
        least = min(count, some.shape[1])
        bound = np.partition(some, -least, axis=1)[:, -least, None]  # the best of some bound the best of all from below
        row, column = np.divmod(np.flatnonzero(scores >= np.maximum(bound, LEAST)), scores.shape[1])
        value = scores[row, column]
    else:
        sizes = np.diff(scores.indptr)
        bound = np.zeros(len(sizes), scores.dtype)
        for at in np.flatnonzero(sizes > count):
            bound[at] = np.partition(scores.data[scores.indptr[at] : scores.indptr[at + 1]], -count)[-count]
        reaching = np.flatnonzero((scores.data >= np.repeat(bound, sizes)) & (scores.data > 0))
        row = np.searchsorted(scores.indptr, reaching, side="right") - 1
        column, value = scores.indices[reaching].astype(np.int64), scores.data[reaching]
    order = np.lexsort((column, -value, row))
    row, column = row[order], column[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row) + 1
    kept = rank <= count
    return row[kept], column[kept], rank[kept]


def strongest(rows: sp.csr_matrix, count: int) -> sp.csr_matrix:
    """Each row's largest positive entries, ties by column; all as they stand where no row has more."""
    if np.diff(rows.indptr).max(initial=0) <= count:
        return rows
    row, column, _rank = ranked(rows, count)
    return sp.csr_matrix((values(rows, row, column), (row, column)), shape=rows.shape)


def values(scores: Scores, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """What stands at places: [N]; rows ascending."""
    if isinstance(scores, np.ndarray):
        return np.asarray(scores[row if len(scores) > 1 else 0, column])
    line, out = np.zeros(scores.shape[1], scores.dtype), np.zeros(len(row), scores.dtype)
    ends = np.searchsorted(row, np.arange(scores.shape[0] + 1))
    for at, columns, entries in _lines(scores):
        line[columns] = entries
        out[ends[at] : ends[at + 1]] = line[column[ends[at] : ends[at + 1]]]
        line[columns] = 0
    return out


def most(scores: Scores) -> np.ndarray:
    """Each row's largest entry, no less than nothing where it is sparse: [B], or [1] where all rows are one."""
    if isinstance(scores, np.ndarray):
        return np.asarray(scores.max(axis=1))
    found = np.zeros(scores.shape[0], scores.dtype)
    some = np.flatnonzero(np.diff(scores.indptr))
    if len(some):
        found[some] = np.maximum(np.maximum.reduceat(scores.data, scores.indptr[some]), 0)
    return found


def without(scores: Scores, allowed: np.ndarray | None, excluded: sp.csr_matrix | None) -> Scores:
    """Scores that are 0 where a column is not allowed or a row excludes it; they may be changed in place.

    Args:
        scores: [B, I], or of one row that is everybody's.
        allowed: bool [I]; all when left out.
        excluded: bool CSR [B, I]; nothing when left out.
    """
    if isinstance(scores, np.ndarray):
        if excluded is not None:
            scores = dense(scores, excluded.shape[0])
            scores[np.repeat(np.arange(len(scores)), np.diff(excluded.indptr)), excluded.indices] = 0
        if allowed is not None:
            scores[:, ~allowed] = 0
        return scores
    if allowed is not None:
        scores.data[~allowed[scores.indices]] = 0
    if excluded is not None:
        struck = np.zeros(scores.shape[1], bool)
        for at, columns, entries in _lines(scores):
            held = excluded.indices[excluded.indptr[at] : excluded.indptr[at + 1]]
            struck[held] = True
            entries[struck[columns]] = 0
            struck[held] = False
    return scores


def _lines(rows: sp.csr_matrix) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Each row that is not empty: its number, columns and entries."""
    for at in np.flatnonzero(np.diff(rows.indptr)):
        some = slice(rows.indptr[at], rows.indptr[at + 1])
        yield int(at), rows.indices[some], rows.data[some]
