"""Uplift curves against sums written out case by case, what random and perfect orders give, and laws."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics import uplift


def made(seed=0, users=4000, share=0.3, effect=0.2):
    """Contacts by chance that work on half of the users; the score knows which half."""
    draw = np.random.default_rng(seed)
    moved, treated = draw.random(users) < 0.5, (draw.random(users) < share).astype(float)
    outcome = (draw.random(users) < 0.1 + effect * moved * treated).astype(float)
    return outcome, treated, moved.astype(float), np.full(users, share)


@settings(max_examples=80, deadline=None)
@given(st.integers(4, 14), st.integers(0, 2**16))
def test_curves_are_the_sums_of_their_formulas(users, seed):
    draw = np.random.default_rng(seed)
    outcome, score = draw.integers(0, 2, users).astype(float), draw.integers(0, 4, users).astype(float)
    treated, chance = np.r_[1.0, 0.0, draw.integers(0, 2, users - 2)], draw.uniform(0.2, 0.8, users)
    qini = uplift.qini_curve(outcome, treated, score, chance)
    gain = uplift.uplift_curve(outcome, treated, score, chance)
    weight = [1 / chance[n] if treated[n] else 1 / (1 - chance[n]) for n in range(users)]
    all_t = sum(weight[n] for n in range(users) if treated[n])
    points = [(0.0, 0.0, 0.0)]
    for cut in sorted(set(score.tolist()), reverse=True):
        top = [n for n in range(users) if score[n] >= cut]
        n_t, n_c = (sum(weight[n] for n in top if treated[n] == arm) for arm in (1, 0))
        r_t, r_c = (sum(weight[n] * outcome[n] for n in top if treated[n] == arm) for arm in (1, 0))
        share = (n_t + n_c) / sum(weight)
        blown = r_c * n_t / n_c if n_c else 0.0
        mean_t, mean_c = r_t / n_t if n_t else 0.0, r_c / n_c if n_c else 0.0
        points.append((share, (r_t - blown) / all_t, (mean_t - mean_c) * share))
    assert np.allclose(np.c_[qini.share, qini.gain, gain.gain], points)
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
    assert qini.area == pytest.approx(area)


def test_random_is_nothing_perfect_is_one_and_the_reverse_is_below():
    outcome, treated, score, chance = made()
    alike = np.zeros(len(score))
    assert uplift.qini(outcome, treated, alike, chance) == pytest.approx(0)
    assert uplift.qini(outcome, treated, uplift.perfect_score(outcome, treated), chance) == pytest.approx(1)
    good, bad = (uplift.qini(outcome, treated, sign * score, chance) for sign in (1, -1))
    assert good > 0.05 > 0 > bad
    noise = np.random.default_rng(1).random(len(score))
    assert abs(uplift.qini(outcome, treated, noise, chance)) < good / 3


def test_no_order_beats_the_perfect_one():
    outcome, treated, _score, chance = made(users=60)
    best = uplift.qini_curve(outcome, treated, uplift.perfect_score(outcome, treated), chance).area
    draw = np.random.default_rng(2)
    for _ in range(200):
        assert uplift.qini_curve(outcome, treated, draw.permutation(60).astype(float), chance).area <= best + 1e-9


def test_the_effect_is_found_where_shares_held_out_differ_between_campaigns():
    # Campaign two is held out more and bought from more: unweighted, the contact would seem to do harm.
    draw = np.random.default_rng(3)
    chance = np.repeat([0.9, 0.3], 30_000)
    treated = (draw.random(60_000) < chance).astype(float)
    outcome = (draw.random(60_000) < np.repeat([0.05, 0.5], 30_000) + 0.1 * treated).astype(float)
    assert outcome[treated > 0].mean() - outcome[treated == 0].mean() < 0
    assert uplift.effect(outcome, treated, chance) == pytest.approx(0.1, abs=0.015)


def test_figures_have_intervals_beside_random_and_perfect_orders():
    outcome, treated, score, chance = made(users=1500)
    told = uplift.told(outcome, treated, score, chance, seed=5, draws=100)
    for name in ("qini", "auuc"):
        value, low, high = told[name]
        assert low < value < high
        areas = [told[f"{name}_area/{order}"][0] for order in ("random", "model", "perfect")]
        assert areas == sorted(areas)
    assert told["qini"][1] > 0
    assert told["qini"] == uplift.told(outcome, treated, score, chance, seed=5, draws=100)["qini"]


@pytest.mark.parametrize("arm", [0.0, 1.0])
def test_one_arm_alone_tells_nothing(arm):
    with pytest.raises(ValueError, match="one arm is empty"):
        uplift.effect(np.ones(5), np.full(5, arm), np.full(5, 0.5))


def test_without_outcomes_there_is_nothing_to_order():
    with pytest.raises(ValueError, match="no outcomes"):
        uplift.qini(np.zeros(4), np.array([1.0, 0, 1, 0]), np.arange(4.0), np.full(4, 0.5))
