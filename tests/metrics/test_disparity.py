"""Gaps between groups against the textbook, planted and absent ones; leaks that are there, and that are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.metrics import disparity


def test_a_gap_is_the_mean_of_a_group_less_that_of_the_others_with_welchs_interval() -> None:
    values, names = np.array([1.0, 2, 3, 5, 6, 9]), np.array(["a"] * 3 + ["b"] * 3, object)
    first, second = disparity.gaps(values, names, 2)
    assert (first.group, first.users, first.mean, first.gap) == ("a", 3, 2.0, pytest.approx(2 - 20 / 3))
    assert second.gap == pytest.approx(-first.gap)
    own, others = 1 / 3, 13 / 9  # variances over counts
    freedom = (own + others) ** 2 / (own**2 / 2 + others**2 / 2)
    assert first.high - first.gap == pytest.approx(stats.t.ppf(0.975, freedom) * (own + others) ** 0.5)
    assert disparity.gaps(values, names, 2, comparisons=10)[0].low < first.low


def test_small_groups_and_what_is_unknown_are_not_told_of() -> None:
    values = np.r_[np.zeros(10), np.ones(3), np.full(4, np.nan), np.full(4, 9.0)]
    names = np.array(["a"] * 10 + ["b"] * 3 + ["c"] * 4 + [None] * 4, object)
    assert disparity.gaps(values, names, 4) == []
    assert [one.group for one in disparity.gaps(values, names, 3)] == ["a", "b"]
    assert disparity.gaps(values[:0], names[:0], 3) == []
    with pytest.raises(ValueError, match="same users"):
        disparity.gaps(values, names[1:], 3)


def test_groups_without_spread_differ_by_what_they_differ() -> None:
    (one, _) = disparity.gaps(np.array([0.0, 0, 1, 1]), np.array(["a", "a", "b", "b"], object), 2)
    assert (one.gap, one.low, one.high) == (-1, -1, -1)
    assert one.beyond(0.9) and not one.beyond(1)


@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_a_planted_gap_is_sure_and_an_absent_one_is_not(shift: float) -> None:
    rng = np.random.default_rng(3)
    names = np.array(["a", "b", "c"], object)[rng.integers(0, 3, 900)]
    values = rng.normal(size=900)
    assert not any(one.beyond(0.0) for one in disparity.gaps(values, names, 30, comparisons=3))
    planted = disparity.gaps(values + shift * (names == "b"), names, 30, comparisons=3)
    assert max(planted, key=lambda one: abs(one.gap)).group == "b"
    assert planted[1].beyond(0.2) and not planted[1].beyond(0.5)


@given(st.integers(0, 2**32 - 1))
def test_order_of_users_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, names = rng.integers(0, 5, 40).astype(float), np.array(["a", "b", None], object)[rng.integers(0, 3, 40)]
    order = rng.permutation(40)
    for one, other in zip(
        disparity.gaps(values, names, 3), disparity.gaps(values[order], names[order], 3), strict=True
    ):
        assert vars(one) == pytest.approx(vars(other))


def test_a_leak_is_found_where_memberships_follow_the_trait_and_only_there() -> None:
    rng = np.random.default_rng(5)
    has, members = rng.random(800) < 0.3, rng.random((800, 4)) < 0.4
    none = disparity.leak(members, has)
    assert none.low < 0.5 < none.high and none.users == 800
    told = members.copy()
    told[:, 2] = np.where(rng.random(800) < 0.8, has, members[:, 2])
    assert disparity.leak(told, has).low > 0.7
    assert disparity.leak(np.zeros((800, 2), bool), has).auc == 0.5
    with pytest.raises(ValueError, match="needed"):
        disparity.leak(members[:20], np.zeros(20, bool))


def test_the_interval_of_a_leak_is_hanleys() -> None:
    found = disparity.leak(np.eye(2, dtype=bool)[np.arange(40) % 2], np.arange(40) % 2 == 0)
    assert found.auc == 1 and found.low == pytest.approx(1)
    rng = np.random.default_rng(1)
    wide, narrow = (disparity.leak(rng.random((n, 3)) < 0.5, rng.random(n) < 0.5) for n in (100, 1600))
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(4, rel=0.1)
