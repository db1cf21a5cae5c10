"""Scores in whole numbers leave no item out; lists of pairs; what a rounded score may be off."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.models import scan
from pipeline.models.retrieval import search
from pipeline.models.scan import Scan, ranked


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    items=st.integers(1, 400),
    width=st.integers(1, 40),
    k=st.integers(1, 20),
    tail=st.sampled_from([0.0, 1.0, 4.0]),
)
def test_rounding_leaves_nobody_out(seed: int, items: int, width: int, k: int, tail: float) -> None:
    """Lengths of vectors that differ by orders of magnitude, where eight bits tell little."""
    rng = np.random.default_rng(seed)
    left, right = (
        (rng.standard_normal((rows, width)) * np.exp(tail * rng.standard_normal((rows, 1)))).astype(np.float32)
        for rows in (9, items)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "TILE", 64)
        patch.setattr(scan, "SAMPLE", 128)
        found = search(left, right, k)
    row, item = np.divmod(np.arange(9 * items), items)
    scores = np.einsum("pd,pd->p", left[row], right[item]).reshape(9, items)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert (found.items[:, : min(k, items)] == order).all() and (found.items[:, items:] == -1).all()
    np.testing.assert_array_equal(found.scores[:, : min(k, items)], np.take_along_axis(scores, order, axis=1))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), width=st.integers(1, 70), tail=st.sampled_from([0.0, 2.0, 5.0]))
def test_a_rounded_score_is_off_by_no_more_than_it_says(seed: int, width: int, tail: float) -> None:
    rng = np.random.default_rng(seed)
    users, items = (
        (rng.standard_normal((rows, width)) * np.exp(tail * rng.standard_normal((rows, 1)))).astype(np.float32)
        for rows in (5, 40)
    )
    scanned = Scan(items, 3)
    block = scanned.block(users)
    codes = block.codes[:5].numpy().astype(np.int64) @ scanned.codes.numpy().astype(np.int64).T
    true = users.astype(np.float64) @ items.astype(np.float64).T
    assert (np.abs(codes - true / block.unit[:, None]) <= block.unsure[:, None]).all()
    assert (block.bounds(true[:, 0]) <= codes[:, 0]).all()


def test_pairs_become_lists_best_first_ties_by_item() -> None:
    row = np.array([1, 0, 1, 1, 1])
    item = np.array([9, 4, 3, 7, 2])
    score = np.array([-1.5, 0.0, 2.0, 2.0, -0.0], np.float32)
    items, scores = ranked(row, item, score, 3, 4)
    assert items.tolist() == [[4, -1, -1, -1], [3, 7, 2, 9], [-1, -1, -1, -1]]
    assert scores.tolist() == [[0, 0, 0, 0], [2, 2, 0, -1.5], [0, 0, 0, 0]]
