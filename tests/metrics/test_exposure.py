"""Exposure: pairs of users counted one by one, hand-worked shares, and laws of spread and parity."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics import exposure as measures

ITEMS, K = 8, 4

lists = st.lists(
    st.tuples(st.permutations(range(ITEMS)), st.integers(0, K)).map(lambda two: two[0][: two[1]] + [-1] * (K - two[1])),
    min_size=2,
    max_size=6,
).map(np.array)


@given(lists)
def test_distance_equals_all_pairs(shown: np.ndarray) -> None:
    sets = [set(row) - {-1} for row in shown.tolist()]
    pairs = [1 - len(one & other) / K for one, other in combinations(sets, 2)]
    found = measures.inter_user_distance(shown, ITEMS)
    assert found == pytest.approx(sum(pairs) / len(pairs))
    assert measures.inter_user_distance(shown[::-1, ::-1], ITEMS) == found


def test_distance_of_equal_and_of_disjoint_lists() -> None:
    assert measures.inter_user_distance(np.array([[0, 1], [1, 0]]), ITEMS) == 0
    assert measures.inter_user_distance(np.array([[0, 1], [2, 3]]), ITEMS) == 1
    assert math.isnan(measures.inter_user_distance(np.array([[0, 1]]), ITEMS))
    with pytest.raises(ValueError, match="twice"):
        measures.inter_user_distance(np.array([[0, 0], [1, 2]]), ITEMS)


@given(lists)
def test_exposure_equals_counting_places(shown: np.ndarray) -> None:
    seen = [0.0] * ITEMS
    for row in shown.tolist():
        for place, item in enumerate(row):
            if item != -1:
                seen[item] += 1 / math.log2(place + 2)
    found = measures.exposure(shown, ITEMS)
    assert found == pytest.approx(np.array(seen) / (sum(seen) or 1))
    assert found.sum() == pytest.approx(1 if (shown != -1).any() else 0)


def test_ratio_is_share_of_exposure_over_share_of_merit() -> None:
    groups = np.array([0, 0, 1, 2])
    ratios = measures.exposure_ratio([3, 3, 2, 0], [5, 5, 10, 0], groups)
    assert ratios[:2] == pytest.approx([0.75 / 0.5, 0.25 / 0.5]) and math.isnan(ratios[2])
    assert measures.exposure_ratio([5, 5, 10, 0], [1, 1, 2, 0], groups)[:2].tolist() == [1, 1]
    assert np.isnan(measures.exposure_ratio([0, 0, 0, 0], [1, 1, 2, 0], groups)).all()


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30).filter(any))
def test_gini_is_the_mean_difference_of_pairs(values: list[int]) -> None:
    differences = sum(abs(one - other) for one in values for other in values)
    found = measures.gini(values)
    assert found == pytest.approx(differences / (2 * len(values) * sum(values)), abs=1e-12)
    assert measures.gini([3 * value for value in values[::-1]]) == pytest.approx(found, abs=1e-12)


def test_gini_of_the_extremes() -> None:
    assert measures.gini([2, 2, 2, 2]) == pytest.approx(0)
    assert measures.gini([0, 0, 0, 1]) == pytest.approx(3 / 4)
    assert math.isnan(measures.gini([0, 0]))
    for wrong in ([-1, 2], [math.nan, 1]):
        with pytest.raises(ValueError, match="negative or not finite"):
            measures.gini(wrong)


def test_long_tail_is_what_the_head_leaves() -> None:
    # 10 + 6 = 16 of 20 are 80 %; of the two with 2 none is needed any more.
    assert measures.long_tail(np.array([2, 10, 0, 6, 2])).tolist() == [True, False, True, False, True]
    assert measures.long_tail(np.array([1, 1, 1, 1]), 0.5).tolist() == [False, False, True, True]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=12).filter(any), st.sampled_from([0.2, 0.5, 0.8]))
def test_the_head_is_the_smallest_that_holds_its_share(popularity: list[int], head: float) -> None:
    tail = measures.long_tail(np.array(popularity), head)
    kept = sorted((count for count, out in zip(popularity, tail, strict=True) if not out), reverse=True)
    assert sum(kept) >= head * sum(popularity) > sum(kept[:-1])
    assert min(kept) >= max((count for count, out in zip(popularity, tail, strict=True) if out), default=0)


def test_aplt_averages_over_users_with_lists() -> None:
    tail = np.array([True, False, False, True])
    assert measures.aplt(np.array([[0, 1], [3, -1], [1, 2], [-1, -1]]), tail) == pytest.approx((0.5 + 1 + 0) / 3)
    assert math.isnan(measures.aplt(np.array([[-1, -1]]), tail))


def test_gap_is_between_groups_large_enough() -> None:
    values = np.array([1.0, 3.0, 5.0, 7.0, 100.0, np.nan])
    groups = np.array(["a", "a", "b", "b", "c", "c"])
    assert measures.largest_gap(values, groups, least=2) == 4
    assert measures.largest_gap(values, groups, least=1) == 98
    assert math.isnan(measures.largest_gap(values, groups, least=3))
    assert math.isnan(measures.largest_gap(values[:2], groups[:2], least=1))
    with pytest.raises(ValueError, match="same users"):
        measures.largest_gap(values, groups[:3])


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), min_size=1, max_size=30))
def test_gap_equals_brute_force_and_does_not_mind_the_order(users: list[tuple[int, float]]) -> None:
    groups, values = (np.array(column) for column in zip(*users, strict=True))
    means = [
        sum(members) / len(members)
        for group in range(4)
        if len(members := [value for named, value in users if named == group]) >= 3
    ]
    found = measures.largest_gap(values, groups, least=3)
    assert found == pytest.approx(max(means) - min(means) if len(means) > 1 else math.nan, nan_ok=True, abs=1e-12)
    turned = measures.largest_gap(values[::-1], groups[::-1], least=3)
    assert turned == pytest.approx(found, nan_ok=True, abs=1e-12)
