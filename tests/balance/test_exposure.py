"""Penalties: what they are worth, that they bring a favoured group back within bounds, and no farther."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.balance.exposure import penalties, weighed
from pipeline.balance.surfaces import Ranked
from pipeline.metrics.exposure import exposure, exposure_ratio
from pipeline.policy import load_policy

POLICY = load_policy("default")
HIGH, LOW = POLICY.bounds.exposure_high, POLICY.bounds.exposure_low
STEP, MOST = POLICY.audit.penalty_step, POLICY.audit.penalty_most


def told(ratio: float | None, lost: float) -> pa.Table:
    return pa.table({"axis": ["brand"], "group_name": ["Own"], "exposure_ratio": [ratio], "exposure_penalty": [lost]})


@pytest.mark.parametrize(
    ("ratio", "lost", "expected"),
    [
        (1.0, 0.1, 0.1),
        (HIGH, 0.0, 0.0),
        (2 * HIGH, 0.1, 0.1 + STEP * math.log(2)),
        (LOW / 2, 0.0, -STEP * math.log(2)),
        (1e9, 0.0, MOST),
        (0.0, 0.0, -MOST),
        (None, 0.3, 0.3),
    ],
)
def test_a_group_beyond_the_bounds_loses_a_share_of_it(ratio: float | None, lost: float, expected: float) -> None:
    assert penalties(told(ratio, lost), POLICY)["brand", "Own"] == pytest.approx(expected, abs=1e-6)


def test_without_a_night_before_nobody_loses() -> None:
    assert penalties(None, POLICY) == {}


@given(st.integers(0, 2**32 - 1))
def test_the_order_is_that_of_scores_less_penalties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items = np.array([rng.permutation(12)[:6] for _ in range(4)])
    scores = -np.sort(-rng.normal(size=(4, 6)), axis=1)
    items[2:, 4:] = -1
    penalty = rng.choice([0.0, 0.5, -0.5], 12)
    found = weighed(Ranked(items, scores), penalty)
    for row in range(4):
        pairs = [
            (-round(score - penalty[item], 9), item)
            for item, score in zip(items[row], scores[row], strict=True)
            if item >= 0
        ]
        assert found.items[row].tolist() == [item for _, item in sorted(pairs)] + [-1] * (6 - len(pairs))
    same = weighed(Ranked(items, scores), np.zeros(12))
    assert (same.items is items) and (same.scores is scores)


def test_a_favoured_group_is_brought_back_within_bounds_and_stays() -> None:
    rng = np.random.default_rng(0)
    goods, users, k = 200, 300, 10
    own = np.arange(goods) % 4 == 0
    merit = np.ones(goods)
    noise = rng.normal(0, 0.5, (users, goods))
    lost, ratios = {}, []
    for _ in range(40):
        scores = noise + np.where(own, 0.35, 0.0)
        order = np.argsort(-scores, axis=1, kind="stable")
        ranked = weighed(
            Ranked(order, np.take_along_axis(scores, order, 1)), np.where(own, lost.get(("brand", "Own"), 0.0), 0.0)
        )
        ratios.append(float(exposure_ratio(exposure(ranked.items[:, :k], goods), merit, own.astype(int))[1]))
        lost = penalties(told(ratios[-1], lost.get(("brand", "Own"), 0.0)), POLICY)
    assert ratios[0] > 1.8 and all(LOW <= ratio <= HIGH + 0.01 for ratio in ratios[-5:])
    assert np.ptp(ratios[-5:]) < 0.02, "it has come to rest"
