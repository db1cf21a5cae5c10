"""Estimates of a policy's value: by hand, and on logs whose truth is known."""

import numpy as np
import pytest

from pipeline.metrics import off_policy

RATES = np.array([0.02, 0.05, 0.2])
LOGGED, TARGET = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.1, 0.8])


def log(rows, seed):
    draw = np.random.default_rng(seed)
    action = draw.choice(3, size=rows, p=LOGGED)
    return action, (draw.random(rows) < RATES[action]).astype(float), (TARGET / LOGGED)[action]


def test_by_hand():
    reward, weight = np.array([1.0, 0.0, 1.0, 0.0]), np.array([2.0, 1.0, 0.5, 0.5])
    assert off_policy.ips(reward, weight) == pytest.approx(2.5 / 4)
    assert off_policy.snips(reward, weight) == pytest.approx(2.5 / 4.0)
    assert off_policy.snips(reward, weight * 3) == pytest.approx(2.5 / 4.0)
    expected, value = np.full(4, 0.5), np.full(4, 0.4)
    assert off_policy.doubly_robust(reward, weight, expected, value) == pytest.approx(
        0.4 + np.mean([2.0 * 0.5, -1.0 * 0.5, 0.5 * 0.5, -0.5 * 0.5])
    )
    assert off_policy.effective_rows(weight) == pytest.approx(16 / 5.5)
    assert off_policy.effective_rows(np.ones(7)) == 7


def test_on_policy_all_are_the_mean():
    _, reward, _ = log(500, 1)
    one, nothing = np.ones(500), np.zeros(500)
    for value in (off_policy.ips(reward, one), off_policy.snips(reward, one)):
        assert value == pytest.approx(reward.mean())
    assert off_policy.doubly_robust(reward, one, nothing, nothing) == pytest.approx(reward.mean())


def test_over_many_logs_all_find_the_truth_and_a_good_model_scatters_least():
    truth = float(TARGET @ RATES)
    found = []
    for seed in range(200):
        action, reward, weight = log(1000, seed)
        model = off_policy.doubly_robust(reward, weight, RATES[action], np.full(1000, truth))
        wrong = off_policy.doubly_robust(reward, weight, np.full(1000, 0.5), np.full(1000, 0.5))
        found.append((off_policy.ips(reward, weight), off_policy.snips(reward, weight), model, wrong))
    means, spread = np.mean(found, axis=0), np.std(found, axis=0)
    assert means == pytest.approx(np.full(4, truth), abs=0.006)
    assert spread[2] < spread[0] < spread[3]


def test_intervals_hold_the_estimate_and_narrow_with_rows():
    widths = []
    for rows in (500, 8000):
        action, reward, weight = log(rows, 3)
        value = np.full(rows, TARGET @ RATES)
        told = off_policy.estimates(reward, weight, RATES[action], value, seed=0, draws=200)
        assert set(told) == {"ips", "snips", "dr"}
        assert all(low <= middle <= high for middle, low, high in told.values())
        widths.append(told["snips"][2] - told["snips"][1])
    assert widths[1] < widths[0] / 2


def test_a_log_that_shows_nothing_of_the_target_is_refused():
    with pytest.raises(ValueError, match="shows nothing"):
        off_policy.snips(np.ones(3), np.zeros(3))
