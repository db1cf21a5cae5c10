"""The effect of contacts decided by chance is found where it was planted, and nothing is made of noise."""

import numpy as np
import pytest

from pipeline.metrics import uplift
from pipeline.models.uplift import Trial, fit


def trial(effect, users=8000, chance=0.8, seed=0):
    """Who buys depends on the first feature; whom a contact moves on the second."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(users, 4))
    treated = (draw.random(users) < chance).astype(float)
    planted = effect * (features[:, 1] > 0)
    level = np.clip(0.2 + 0.1 * features[:, 0], 0.02, 0.6)
    outcome = (draw.random(users) < level + planted * treated).astype(float)
    return Trial(features, treated, outcome, np.full(users, chance)), planted


def test_the_planted_effect_is_found_and_beats_random_order():
    given, planted = trial(0.3)
    model, held_out = fit(given, seed=1)
    found = model.effect(given.features)
    assert np.corrcoef(found, planted)[0, 1] > 0.7
    assert found.mean() == pytest.approx(planted.mean(), abs=0.03)
    assert np.corrcoef(held_out, planted)[0, 1] > 0.7
    value, low, _high = uplift.told(
        given.outcome, given.treated, held_out, given.chance, seed=2, draws=100
    )["qini"]  # fmt: skip
    assert value > low > 0
    # Who buys anyway is not who is moved.
    assert uplift.qini(given.outcome, given.treated, given.features[:, 0], given.chance) < low


def test_where_a_contact_moves_nobody_everybody_is_told_alike():
    given, _planted = trial(0.0, users=3000)
    model, _held_out = fit(given, seed=1)
    assert not model.weights.any()
    assert abs(model.effect(given.features)).max() < 0.06


def test_two_fits_are_the_same_and_effects_are_differences_of_chances():
    given, _planted = trial(0.3, users=2000)
    one, two = fit(given, seed=1), fit(given, seed=1)
    assert np.array_equal(one[1], two[1])
    assert np.array_equal(one[0].weights, two[0].weights)
    assert np.abs(one[0].effect(given.features * 1e6)).max() <= 1
