"""Drift: a turned space has not moved, a moved user has, and the turn is the best there is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from pipeline.metrics.drift import aligned, cosines, idle_cosine, turn


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_a_turned_space_has_not_moved(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.standard_normal((20, width))
    after = before @ ortho_group.rvs(width, random_state=rng)
    assert aligned(before, after) == pytest.approx(before)
    assert idle_cosine(before, after, np.ones(20, bool)) == pytest.approx(1)
    found = turn(before, after)
    assert found @ found.T == pytest.approx(np.eye(width))
    assert after @ found == pytest.approx(before)


@given(st.integers(0, 2**32 - 1))
def test_cosines_are_those_of_one_user_after_another(seed: int) -> None:
    before, after = np.random.default_rng(seed).standard_normal((2, 6, 4))
    before[:2], after[1] = 0, 0
    for user, found in enumerate(cosines(before, after)):
        lengths = math.sqrt((before[user] ** 2).sum() * (after[user] ** 2).sum())
        expected = {0: 0.0, 1: math.nan}.get(user) if user < 2 else (before[user] * after[user]).sum() / lengths
        assert found == pytest.approx(expected, nan_ok=True)


def test_no_turn_or_mirror_in_the_plane_comes_nearer() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.standard_normal((2, 30, 2))
    least = np.linalg.norm(aligned(before, after) - before)
    for angle in np.linspace(0, 2 * math.pi, 721):
        c, s = math.cos(angle), math.sin(angle)
        for other in ([[c, -s], [s, c]], [[c, s], [s, -c]]):
            assert np.linalg.norm(after @ np.array(other) - before) >= least - 1e-9
    turned = aligned(before, after)
    assert np.linalg.norm(turned, axis=1) == pytest.approx(np.linalg.norm(after, axis=1))
    assert turned @ turned.T == pytest.approx(after @ after.T)


def test_only_idle_users_with_an_embedding_count() -> None:
    before = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [0, 0]], dtype=np.float32).repeat(2, axis=0)
    after = before.copy()
    after[0], after[-1] = [0, -1], [0, 1e-9]  # one active user turns round; one who had nothing now has a trace
    idle = np.arange(10) >= 2
    assert idle_cosine(before, after, np.arange(10) < 6) < 1
    # Users 2 to 5 are as they were, but for the little that the first one turns the whole; 6 to 8 have nothing.
    assert idle_cosine(before, after, idle & (np.arange(10) < 9)) > 0.9
    assert idle_cosine(before, after, np.arange(10) == 9) == 0
    for none in (np.zeros(10, bool), np.arange(10) == 6):
        assert math.isnan(idle_cosine(before, after, none))


def test_what_cannot_be_aligned_is_refused() -> None:
    for wrong in (np.ones((3, 2)), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match=r".+"):
            aligned(np.ones((2, 2)), wrong)
