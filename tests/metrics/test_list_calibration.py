"""Calibration of lists: a hand-worked user, the formula written plainly, its bounds, and refused input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.metrics.list_calibration import divergence, mean_and_tail

rows = st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=3, max_size=3)


def shares(counts: list[list[int]]) -> np.ndarray:
    counted = np.array(counts, dtype=float)
    return counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)


def by_hand(p: np.ndarray, q: np.ndarray, alpha: float) -> float:
    if not p.any() or not q.any():
        return math.nan
    return sum(
        one * math.log(one / ((1 - alpha) * other + alpha * one)) for one, other in zip(p, q, strict=True) if one
    )


def test_worked_by_hand() -> None:
    # Half the history lies in a category the list lacks: half a part log(1 / alpha), half log(.5 / (.99 + .005)).
    found = divergence(csr_matrix([[0.5, 0.5]]), csr_matrix([[1.0, 0.0]]))
    assert found == pytest.approx([0.5 * math.log(100) + 0.5 * math.log(0.5 / 0.995)])


@given(rows, rows, st.sampled_from([0.01, 0.3]))
def test_equals_the_formula_and_keeps_its_bounds(
    history: list[list[int]], shown: list[list[int]], alpha: float
) -> None:
    p, q = shares(history), shares(shown)
    found = divergence(csr_matrix(p), csr_matrix(q), alpha)
    expected = [by_hand(one, other, alpha) for one, other in zip(p, q, strict=True)]
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)
    known = found[~np.isnan(found)]
    assert ((known >= 0) & (known <= -math.log(alpha) + 1e-12)).all()
    itself = divergence(csr_matrix(p), csr_matrix(p), alpha)
    assert itself[p.any(axis=1)] == pytest.approx(0, abs=1e-12)
    assert found[::-1] == pytest.approx(divergence(csr_matrix(p[::-1]), csr_matrix(q[::-1]), alpha), nan_ok=True)


def test_mean_and_tail_are_of_those_known() -> None:
    values = np.append(np.arange(101.0), [np.nan] * 7)
    assert mean_and_tail(values) == (50, 95)
    assert np.isnan(mean_and_tail(values[101:])).all()


def test_wrong_input_is_refused() -> None:
    good = csr_matrix([[0.5, 0.5]])
    for wrong in ([[0.5, 0.4]], [[1.0]]):
        for pair in ((good, csr_matrix(wrong)), (csr_matrix(wrong), good)):
            with pytest.raises(ValueError, match="equal shapes"):
                divergence(*pair)
    for alpha in (0, 1):
        with pytest.raises(ValueError, match="alpha is"):
            divergence(good, good, alpha)
