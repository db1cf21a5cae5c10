"""Rows of scores, most of which are nothing: the largest of each, what stands at places, what may not stand there.

Sparse rows cost by what is in them, not by how many items there are. Their entries may stand in any order.
Shapes: B rows, I columns, N places.
"""

from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from pipeline.models import row_loops

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
        return row_loops.best_of_whole(scores, count)
    return row_loops.best(scores.indptr, scores.indices, scores.data, count)


def strongest(rows: sp.csr_matrix, count: int) -> sp.csr_matrix:
    """Each row's largest positive entries, ties by column; all as they stand where no row has more."""
    if np.diff(rows.indptr).max(initial=0) <= count:
        return rows
    return matrix(row_loops.strongest(parts(rows), count), rows.shape[1])


def product(rows: sp.csr_matrix, others: sp.csr_matrix) -> sp.csr_matrix:
    """Rows [B, I] times a matrix [I, J]: CSR [B, J], a row's entries in no order."""
    return matrix(row_loops.summed(parts(rows), parts(others), others.shape[1]), others.shape[1])


def matrix(found: row_loops.Rows, width: int) -> sp.csr_matrix:
    """Rows as loops give them, over so many columns."""
    starts, columns, entries = found
    return sp.csr_matrix((entries, columns, starts), shape=(len(starts) - 1, width))


def values(scores: Scores, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """What stands at places: [N]; rows ascending."""
    if isinstance(scores, np.ndarray):
        return np.asarray(scores[row if len(scores) > 1 else 0, column])
    if column.max(initial=-1) >= scores.shape[1]:  # loops do not look
        raise IndexError(f"column {column.max()} of {scores.shape[1]}")
    return row_loops.at_places(parts(scores), scores.shape[1], row, column)


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
        row_loops.strike(parts(scores), scores.shape[1], excluded.indptr, excluded.indices)
    return scores


def parts(matrix: sp.csr_matrix) -> row_loops.Rows:
    """Where rows begin, columns, entries: as loops take them."""
    return matrix.indptr, matrix.indices, matrix.data
