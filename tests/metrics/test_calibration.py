"""Calibration measures: hand-computed bins, ties, and what they must be on calibrated and inverted predictions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics import calibration

cases = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=60)


def test_hand_computed() -> None:
    probabilities, labels = [0.1, 0.2, 0.7, 0.9], [0, 1, 1, 1]
    bins = calibration.reliability_bins(probabilities, labels, bins=2)
    assert bins == [
        {"predicted": pytest.approx(0.15), "observed": 0.5, "n": 2},
        {"predicted": pytest.approx(0.8), "observed": 1.0, "n": 2},
    ]
    assert calibration.expected_calibration_error(probabilities, labels, bins=2) == pytest.approx((0.35 + 0.2) / 2)
    assert calibration.brier(probabilities, labels) == pytest.approx((0.01 + 0.64 + 0.09 + 0.01) / 4)


def test_bins_hold_equal_mass() -> None:
    probabilities = np.random.default_rng(1).random(1000) ** 8
    bins = calibration.reliability_bins(probabilities, np.zeros(1000), bins=10)
    assert [row["n"] for row in bins] == [100] * 10


def test_ties_share_a_bin() -> None:
    assert len(calibration.reliability_bins([0.3] * 50, [0, 1] * 25)) == 1


@given(cases, st.integers(1, 12), st.randoms())
def test_laws(rows: list[tuple[float, int]], bins: int, random) -> None:
    probabilities, labels = zip(*rows, strict=True)
    table = calibration.reliability_bins(probabilities, labels, bins)
    error = calibration.expected_calibration_error(probabilities, labels, bins)
    assert sum(row["n"] for row in table) == len(rows) and len(table) <= bins
    predicted = [row["predicted"] for row in table]
    assert all(low <= high + 1e-12 for low, high in pairwise(predicted))
    assert 0 <= error <= 1
    # No binning can hide the gap of the means, nor exceed the gap of the single cases.
    gaps = np.subtract(probabilities, labels)
    assert abs(gaps.mean()) - 1e-9 <= error <= np.abs(gaps).mean() + 1e-9
    random.shuffle(rows)
    assert calibration.expected_calibration_error(*zip(*rows, strict=True), bins) == pytest.approx(error)


def test_calibrated_beats_inverted() -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.random(20_000)
    labels = (rng.random(20_000) < probabilities).astype(int)
    assert calibration.expected_calibration_error(probabilities, labels) < 0.02
    assert calibration.expected_calibration_error(1 - probabilities, labels) > 0.4


@pytest.mark.parametrize(
    ("probabilities", "labels", "words"),
    [
        ([], [], "at least one"),
        ([0.5], [0, 1], "equally many"),
        ([1.5], [1], "0 to 1"),
        ([np.nan], [1], "0 to 1"),
        ([0.5], [2], "0 or 1"),
    ],
)
def test_wrong_input_is_refused(probabilities, labels, words) -> None:
    with pytest.raises(ValueError, match=words):
        calibration.brier(probabilities, labels)


def test_bins_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        calibration.reliability_bins([0.5], [1], bins=0)
