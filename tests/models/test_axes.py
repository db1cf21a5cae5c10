"""Vectors from night to night under encoders that come and go: comparable, or said not to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from pipeline.metrics import drift
from pipeline.models import axes

WIDTH, USERS = 6, 80
ALL = np.ones(USERS, bool)


def unit(values):
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return (values / np.maximum(lengths, 1e-9)).round(5).astype(np.float32)


@pytest.fixture
def tastes():
    return unit(np.random.default_rng(3).normal(size=(USERS, WIDTH)))


def turned(vectors, seed):
    return unit(vectors @ ortho_group.rvs(vectors.shape[1], random_state=seed))


def test_the_same_encoder_leaves_every_vector_as_it_is(tastes):
    settled = axes.settle(tastes, "e1", tastes, "e1", ALL)
    assert settled.axes == "e1"
    assert (settled.vectors == tastes).all()
    assert settled.shift == pytest.approx(0, abs=1e-6)


def test_a_turned_space_is_turned_back(tastes):
    settled = axes.settle(turned(tastes, 1), "e2", tastes, "e1", ALL)
    assert settled.axes == "e1"
    assert settled.vectors == pytest.approx(tastes, abs=1e-4)
    assert settled.shift == pytest.approx(0, abs=1e-6)
    assert settled.vectors.dtype == np.float32


@given(st.integers(0, 2**32 - 1))
def test_over_nights_the_first_axes_stay_and_users_who_do_nothing_stand_still(seed):
    rng = np.random.default_rng(seed)
    first = published = unit(rng.normal(size=(USERS, WIDTH)))
    truth, named = first.copy(), "e0"
    still = ALL.copy()
    for night in range(1, 8):
        shop = rng.random(USERS) < 0.2
        truth[shop] = unit(truth[shop] + 0.3 * rng.normal(size=(int(shop.sum()), WIDTH)))
        still &= ~shop
        encoder = night // 3  # serves for three nights
        settled = axes.settle(turned(truth, encoder) if encoder else truth, f"e{encoder}", published, named, ~shop)
        assert settled.axes == "e0"
        assert np.nanmean(settled.shift) < 1e-4
        assert np.isnan(settled.shift[shop]).all()
        published, named = settled.vectors, settled.axes
    # Those who shopped stand where an encoder that never changed would have put them.
    assert drift.cosines(published, truth) == pytest.approx(1, abs=1e-3)
    assert published[still] == pytest.approx(first[still], abs=5e-3)


def test_cosines_among_tonights_users_do_not_change(tastes):
    rng = np.random.default_rng(5)
    tonight = turned(unit(tastes + 0.1 * rng.normal(size=tastes.shape)), 2)
    settled = axes.settle(tonight, "e2", tastes, "e1", rng.random(USERS) < 0.5)
    assert settled.axes == "e1"
    assert settled.vectors @ settled.vectors.T == pytest.approx(tonight @ tonight.T, abs=1e-3)


@pytest.mark.parametrize("users", [USERS, WIDTH])
def test_vectors_that_no_turn_brings_together_get_new_axes(users):
    one, other = (unit(np.random.default_rng(seed).normal(size=(users, WIDTH))) for seed in (1, 2))
    settled = axes.settle(one, "e2", other, "e1", np.ones(users, bool))
    assert settled.axes == "e2"
    assert (settled.vectors == one).all()
    assert np.isnan(settled.shift).all()
    assert "cosine of only" in settled.words


def test_another_width_has_new_axes_and_says_so(tastes):
    settled = axes.settle(tastes, "e2", np.ones((USERS, 4), np.float32), "e1", ALL)
    assert (settled.axes, settled.words) == ("e2", "new: vectors were 4 wide and are 6")


def test_nobody_left_to_compare_by(tastes):
    settled = axes.settle(tastes, "e2", np.zeros_like(tastes), "e1", ALL)
    assert settled.axes == "e2"
    assert "no users are left" in settled.words


def test_who_has_no_vector_takes_no_part(tastes):
    tonight, last = turned(tastes, 1), tastes.copy()
    tonight[0], last[1] = 0, 0
    settled = axes.settle(tonight, "e2", last, "e1", ALL)
    assert not settled.vectors[0].any()
    assert np.isnan(settled.shift[:2]).all()
    assert settled.vectors[1] == pytest.approx(tastes[1], abs=1e-4)
    assert settled.shift[2:] == pytest.approx(0, abs=1e-6)


def test_users_who_shopped_do_not_tilt_the_turn(tastes):
    idle = np.arange(USERS) < 20
    tonight = tastes.copy()
    tonight[~idle] = unit(np.random.default_rng(9).normal(size=(60, WIDTH)))
    settled = axes.settle(turned(tonight, 4), "e2", tastes, "e1", idle)
    assert settled.vectors == pytest.approx(tonight, abs=1e-3)


def test_the_same_inputs_give_the_same_bytes(tastes):
    made = [axes.settle(turned(tastes, 1), "e2", tastes, "e1", ALL) for _ in range(2)]
    assert made[0].vectors.tobytes() == made[1].vectors.tobytes()
