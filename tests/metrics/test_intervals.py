"""Intervals: coverage of known truths, agreement with theory, seeds, and refused input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pipeline.metrics import intervals, ranking


def test_bootstrap_agrees_with_normal_theory() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 3000)
    mean, low, high = intervals.bootstrap_mean(values, seed=1)
    half = 1.96 * values.std() / np.sqrt(values.size)
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=half / 10)


def test_bootstrap_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        _, low, high = intervals.bootstrap_mean(rng.exponential(1.0, 100), n=400, seed=seed)
        covered += low <= 1.0 <= high
    assert 175 <= covered <= 200


def test_equal_seeds_give_equal_intervals_and_chunks_do_not_matter(monkeypatch) -> None:
    values = np.random.default_rng(4).random(100)
    whole = intervals.bootstrap_mean(values, n=300, seed=5)
    assert whole != intervals.bootstrap_mean(values, n=300, seed=6)
    monkeypatch.setattr(intervals, "CHUNK_CELLS", 1000)
    assert intervals.bootstrap_mean(values, n=300, seed=5) == pytest.approx(whole)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_interval_lies_within_the_values(values: list[float]) -> None:
    mean, low, high = intervals.bootstrap_mean(values, n=50)
    assert min(values) - 1e-6 <= low <= high <= max(values) + 1e-6
    assert min(values) - 1e-6 <= mean <= max(values) + 1e-6


def test_pairing_finds_a_gain_that_unpaired_intervals_hide() -> None:
    rng = np.random.default_rng(7)
    b = rng.normal(0, 10, 400)
    a = b + 0.2 + rng.normal(0, 0.1, 400)
    gain, low, high = intervals.paired_gain(a, b, seed=1)
    assert gain == pytest.approx((a - b).mean()) and 0 < low < gain < high
    assert intervals.bootstrap_mean(a)[1] < b.mean() < intervals.bootstrap_mean(a)[2]


def test_gain_over_itself_is_nothing() -> None:
    assert intervals.paired_gain([0.1, 0.9], [0.1, 0.9]) == (0.0, 0.0, 0.0)


def test_statistic_of_several_arrays() -> None:
    rng = np.random.default_rng(8)
    labels = rng.random(500) < 0.3
    scores = labels + rng.normal(0, 1, 500)
    value, low, high = intervals.bootstrap_statistic(ranking.auc, labels, scores, n=200, seed=3)
    assert value == ranking.auc(labels, scores) and low < value < high
    # Hanley and McNeil's standard error is near 0.025 here.
    assert 0.06 < high - low < 0.14
    assert intervals.bootstrap_statistic(ranking.auc, labels, scores, n=200, seed=3) == (value, low, high)


def test_statistic_of_too_few_cases_is_refused() -> None:
    with pytest.raises(ValueError, match="too few cases"):
        intervals.bootstrap_statistic(ranking.auc, np.zeros(50, bool), np.arange(50.0), n=20)
    with pytest.raises(ValueError, match="equally long"):
        intervals.bootstrap_statistic(ranking.auc, np.zeros(3), np.zeros(4))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(case: tuple[int, int]) -> None:
    successes, n = case
    share, low, high = intervals.wilson(successes, n)
    theirs = binomtest(successes, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= low <= share + 1e-12 and share <= high + 1e-12 and high <= 1


@pytest.mark.parametrize("wrong", [[], [1.0, np.nan], [[1.0], [2.0]]])
def test_wrong_values_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="finite value"):
        intervals.bootstrap_mean(wrong)


def test_wrong_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="pair the same users"):
        intervals.paired_gain([1.0], [1.0, 2.0])
    for successes, n in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="at least one case"):
            intervals.wilson(successes, n)


def test_ratio_of_means_pairs_its_users() -> None:
    rng = np.random.default_rng(9)
    free = rng.exponential(0.3, 1000)
    held = free * 0.99 + rng.normal(0, 0.005, 1000)
    ratio, low, high = intervals.bootstrap_statistic(lambda a, b: float(a.mean() / b.mean()), held, free)
    assert ratio == pytest.approx(held.mean() / free.mean()) and low < ratio < high
    # Drawn apart, the users' own spread would drown a price of one in a hundred.
    assert low > 0.98 and high < 1
