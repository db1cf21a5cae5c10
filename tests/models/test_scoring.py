"""Rows of scores: sparse or whole they are the same."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.models import scoring

ROWS, COLUMNS = 3, 7
TABLES = arrays(np.float32, (ROWS, COLUMNS), elements=st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0]))  # ties abound


def sparse(table: np.ndarray, seed: int = 0) -> sp.csr_matrix:
    """The same with its entries in no order."""
    place = np.random.default_rng(seed).permutation(table.size)
    row, column = place // COLUMNS, place % COLUMNS
    order = np.argsort(row, kind="stable")
    starts = np.arange(ROWS + 1) * COLUMNS
    return sp.csr_matrix((table[row, column][order], column[order], starts), shape=table.shape)


@given(TABLES, st.integers(1, 9))
def test_the_largest_are_those_of_a_sort(table: np.ndarray, count: int) -> None:
    wanted = [
        (row, column, rank)
        for row, line in enumerate(table)
        for rank, column in enumerate(sorted(range(COLUMNS), key=lambda one: (-line[one], one))[:count], start=1)
        if line[column] > 0
    ]
    for scores in (table, sparse(table)):
        assert list(zip(*(one.tolist() for one in scoring.ranked(scores, count)), strict=True)) == wanted
    kept = scoring.strongest(sparse(table), count).toarray()
    if count < COLUMNS:
        assert np.argwhere(kept).tolist() == sorted([row, column] for row, column, _ in wanted)


@given(TABLES, arrays(bool, (ROWS, COLUMNS)), arrays(bool, COLUMNS))
def test_sparse_rows_tell_what_whole_ones_do(table: np.ndarray, held: np.ndarray, allowed: np.ndarray) -> None:
    row, column = np.nonzero(held)
    for allow, exclude in ((None, None), (allowed, None), (None, held), (allowed, held)):
        wanted = table * (True if allow is None else allow) * (True if exclude is None else ~exclude)
        excluded = None if exclude is None else sp.csr_matrix(exclude)
        for scores in (table.copy(), sparse(table)):
            found = scoring.without(scores, allow, excluded)
            np.testing.assert_array_equal(scoring.dense(found, ROWS), wanted)
            np.testing.assert_array_equal(scoring.values(found, row, column), wanted[row, column])
            np.testing.assert_array_equal(np.maximum(scoring.most(found), 0), np.maximum(wanted.max(1), 0))


@pytest.mark.parametrize("excluded", [False, True])
def test_a_row_that_is_everybodys_is_read_by_all(excluded: bool) -> None:
    shared = np.array([[1.0, 3, 2]], np.float32)
    held = sp.csr_matrix(np.array([[False, True, False], [False, False, False]]))
    found = scoring.without(shared.copy(), None, held if excluded else None)
    assert scoring.dense(found, 2).tolist() == ([[1, 0, 2], [1, 3, 2]] if excluded else [[1, 3, 2], [1, 3, 2]])
    assert scoring.values(found, np.array([0, 1]), np.array([1, 2])).tolist() == ([0, 2] if excluded else [3, 2])


def test_a_place_that_is_not_there_is_told() -> None:
    with pytest.raises(IndexError, match="column 7 of 7"):
        scoring.values(sparse(np.ones((ROWS, COLUMNS), np.float32)), np.array([0, 1]), np.array([2, COLUMNS]))
