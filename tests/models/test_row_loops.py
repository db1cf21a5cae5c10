"""Loops over rows against what scipy and a sort say of the same."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models import row_loops, scoring

SEEDS = st.integers(0, 2**32 - 1)


def random(rng: np.random.Generator, rows: int, columns: int, share: float) -> sp.csr_matrix:
    """Small whole numbers, so that there are ties and sums are the same in any order."""
    table = rng.integers(1, 4, (rows, columns)) * (rng.random((rows, columns)) < share)
    return sp.csr_matrix(table.astype(np.float32))


@given(SEEDS, st.integers(0, 5), st.sampled_from([0.0, 0.3, 1.0]))
def test_sums_of_rows_are_the_product(seed: int, rows: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    left, right = random(rng, rows, 6, share), random(rng, 6, 9, 0.5)
    found = scoring.product(left, right)
    np.testing.assert_array_equal(found.toarray(), (left @ right).toarray())
    assert found.nnz == (left @ right).nnz  # each column once


def test_sums_add_in_the_order_of_the_entries() -> None:
    left = sp.csr_matrix(np.full((1, 3), 0.1, np.float32))
    right = sp.csr_matrix(np.array([[3], [1e8], [7]], np.float32))
    assert scoring.product(left, right)[0, 0] == (left @ right)[0, 0]


@given(SEEDS, st.integers(1, 70))
def test_heads_of_long_rows_are_those_of_a_sort(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(-2, 30, (4, 500)).astype(np.float32)  # ties abound
    row, column, rank = row_loops.best_of_whole(table, count)
    for at, line in enumerate(table):
        assert column[row == at].tolist() == np.lexsort((np.arange(500), -line))[:count].tolist()
    assert rank.tolist() == [*range(1, count + 1)] * 4
    sparse = scoring.ranked(sp.csr_matrix(table), count)
    assert [one.tolist() for one in sparse] == [row.tolist(), column.tolist(), rank.tolist()]


@pytest.mark.parametrize("count", [2, 4, 11])
def test_the_nearest_are_those_nearer_than_the_next_and_never_oneself(count: int) -> None:
    rng = np.random.default_rng(9)
    crowd, rows = random(rng, 12, 7, 0.5), random(rng, 5, 7, 0.5)
    own = np.array([3, -1, 0, 11, -1])
    near = (rows @ crowd.T).toarray()
    near[np.flatnonzero(own >= 0), own[own >= 0]] = 0
    least = np.sort(near, axis=1)[:, -count - 1, None]
    wanted = np.where(near > least, near, 0)
    wanted /= np.maximum(wanted.sum(1, keepdims=True), 1)
    found = row_loops.nearest(scoring.parts(rows), scoring.parts(crowd.T.tocsr()), 12, own, count)
    np.testing.assert_allclose(scoring.matrix(found, 12).toarray(), wanted, rtol=1e-6)
