"""Keys sort as their scores do; loops give what numpy gives."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from pipeline.models.pairs import coded, exact, largest, listed, packed, reached, settled


def test_pairs_become_lists_best_first_ties_by_item() -> None:
    row = np.array([1, 0, 1, 1, 1])
    item = np.array([9, 4, 3, 7, 2])
    score = np.array([-1.5, 0.0, 2.0, 2.0, -0.0], np.float32)
    items, scores = listed(packed(row, item, score, 3), 4)
    assert items.tolist() == [[4, -1, -1, -1], [3, 7, 2, 9], [-1, -1, -1, -1]]
    assert scores.tolist() == [[0, 0, 0, 0], [2, 2, 0, -1.5], [0, 0, 0, 0]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40))
def test_keys_sort_by_falling_score_and_give_it_back(values: list[float]) -> None:
    score = np.array(values, np.float32)
    order = np.argsort(-score, kind="stable")
    nowhere, item = np.zeros(len(score), np.int64), np.arange(len(score))
    items, scores = listed(packed(nowhere, item, score, 1), len(score))
    np.testing.assert_array_equal(items[0], order)
    np.testing.assert_array_equal(scores[0], score[order])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), width=st.integers(1, 40), users=st.integers(1, 5))
def test_what_reaches_a_bound_is_what_numpy_finds(seed: int, width: int, users: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(-50, 50, (users + 2, width), dtype=np.int32)
    least = rng.integers(-60, 60, (users, 3), dtype=np.int32)
    unit, unsure, order = rng.random((users, 3)), rng.random((users, 3)), rng.permutation(1000)[:width]
    row, item, most = reached(scores, least, unit, unsure, 1, order)
    expected, at = np.nonzero(scores[:users] >= least[:, 1:2])
    np.testing.assert_array_equal(row, expected)
    np.testing.assert_array_equal(item, order[at])
    np.testing.assert_allclose(most, scores[row, at] * unit[row, 1] + unsure[row, 1], rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), size=st.integers(1, 60))
def test_the_rank_th_largest_is_that_of_a_sort(seed: int, size: int) -> None:
    scores = np.random.default_rng(seed).integers(-9, 9, (4, size), dtype=np.int32)
    for rank in {1, (size + 1) // 2, size}:
        np.testing.assert_array_equal(largest(scores, rank), -np.sort(-scores, axis=1)[:, rank - 1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), k=st.integers(1, 12), slack=st.sampled_from([0.0, 0.3, 5.0]))
def test_settled_pairs_hold_the_true_best(seed: int, k: int, slack: float) -> None:
    """Whatever a score may have been off, as long as it was not told too low."""
    rng = np.random.default_rng(seed)
    users, items = (rng.standard_normal((rows, 6)).astype(np.float32) for rows in (4, 30))
    row, item = np.divmod(np.arange(4 * 30), 30)
    score = exact(users, items, row, item)
    keys = packed(row, item, score + slack * rng.random(len(score), np.float32), 4)
    keys.sort(axis=1)
    found, scores = listed(settled(keys, users, items, k), k)
    np.testing.assert_array_equal(found, np.argsort(-score.reshape(4, 30), axis=1, kind="stable")[:, :k])
    np.testing.assert_allclose(scores, np.take_along_axis(users @ items.T, found, axis=1), rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), width=st.integers(1, 40))
def test_codes_and_what_they_lose(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, order = rng.standard_normal((9, width)).astype(np.float32), rng.permutation(9)[:6]
    step = np.abs(vectors[order]).max(axis=1) / np.float32(127)
    codes, lost, length = coded(vectors, order, step, 48)
    np.testing.assert_array_equal(codes[:, :width], np.rint(vectors[order] / step[:, None]))
    assert not codes[:, width:].any()
    rest = vectors[order].astype(np.float64) - codes[:, :width] * step[:, None].astype(np.float64)
    np.testing.assert_allclose(lost, np.linalg.norm(rest, axis=1), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(length, np.linalg.norm(vectors[order], axis=1), rtol=1e-5)
