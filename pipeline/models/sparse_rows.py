"""Rows of sparse matrices entry by entry: who has what, and the best of each place.

Rows of a few users are taken before anything is looked up in them: looking up in a matrix of all users passes over all
of it. Not here: rows of scores (`scoring`). Shapes: U rows, N entries.
"""

import numpy as np
import scipy.sparse as sp


def entries(matrix: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column and value [N] of each entry, row by row as they are kept."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices, matrix.data


def values(matrix: sp.csr_matrix, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The values at places [N] of some of the rows of a matrix that may have many more."""
    some, place = np.unique(row, return_inverse=True)
    # Of no places scipy gives a matrix of another shape.
    return np.asarray(matrix[some][place, column]).ravel() if len(row) else np.zeros(0, matrix.dtype)


def best(place: np.ndarray, item: np.ndarray, worth: np.ndarray, count: int) -> np.ndarray:
    """The item of the largest worth of each place, of equal ones the first; -1 where none is above 0: int [count].

    Args:
        place: int [N] of 0 to count - 1.
        item: int [N].
        worth: [N].
        count: of places.
    """
    largest = np.zeros(count, worth.dtype)
    np.maximum.at(largest, place, worth)
    found = np.flatnonzero((worth == largest[place]) & (worth > 0))[::-1]  # what is written last stays
    out = np.full(count, -1, np.int64)
    out[place[found]] = item[found]
    return out
