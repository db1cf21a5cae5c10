"""Entries of sparse rows against loops over dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.sparse_rows import best, entries, values


@st.composite
def matrices(draw: st.DrawFn) -> sp.csr_matrix:
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    cells = draw(st.lists(st.integers(0, 3), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    return sp.csr_matrix(np.array(cells, np.float32).reshape(shape))


@given(matrices(), st.data())
def test_values_are_those_of_the_dense_matrix(matrix: sp.csr_matrix, data: st.DataObject) -> None:
    places = st.tuples(st.integers(0, matrix.shape[0] - 1), st.integers(0, matrix.shape[1] - 1))
    row, column = np.array(data.draw(st.lists(places)), np.int64).reshape(-1, 2).T
    assert values(matrix, row, column).tolist() == matrix.toarray()[row, column].tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(-1, 3))))
def test_the_best_is_the_first_of_the_largest(found: list[tuple[int, int, int]]) -> None:
    place, item, worth = np.array(found, np.int64).reshape(-1, 3).T
    for number, chosen in enumerate(best(place, item, worth.astype(np.float32), 4)):
        mine = [(value, -at, one) for at, (where, one, value) in enumerate(found) if where == number and value > 0]
        assert chosen == (max(mine)[2] if mine else -1)


def test_entries_come_row_by_row() -> None:
    row, column, value = entries(sp.csr_matrix(np.array([[0, 2], [0, 0], [3, 4]])))
    assert (row.tolist(), column.tolist(), value.tolist()) == ([0, 2, 2], [1, 0, 1], [2, 3, 4])


@pytest.mark.parametrize("rows", [0, 3])
def test_of_nobody_there_is_nothing(rows: int) -> None:
    matrix, none = sp.csr_matrix((rows, 4), dtype=np.float32), np.zeros(0, np.int64)
    assert values(matrix, none, none).shape == (0,)
