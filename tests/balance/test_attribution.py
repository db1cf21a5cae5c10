"""Churn taken apart: each step's share against plain counting, and that own events alone move what is one's own."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance.attribution import STEPS, Path, attribute, own_events, shares
from pipeline.models.recommendations import once, repeated
from pipeline.models.scoring import dense
from tests.models.conftest import make_history

K = 5


def lists(*rows):
    return np.array(rows)


def plain(a, b, p=0.9):
    """RBO of two full lists, by its definition."""
    weights = [p ** (d - 1) * (1 - p) / (1 - p**K) for d in range(1, K + 1)]
    return sum(w * len(set(a[:d]) & set(b[:d])) / d for d, w in enumerate(weights, 1))


def test_each_cause_has_what_it_alone_moves():
    first, second, third = [0, 1, 2, 3, 4], [0, 1, 2, 3, 9], [5, 0, 1, 2, 3]
    path = Path(
        yesterday=lists(first, first), forced=lists(second, first), user=lists(second, third),
        data=lists(second, third), model=lists(second, first), seed=lists(first, first),
        published=(lists(first, first), lists(first, first)),
    )  # fmt: skip
    moved = attribute(path)
    assert list(moved) == [*STEPS, "remainder", "total", "seed", "published"]
    np.testing.assert_allclose(moved["forced"], [1 - plain(first, second), 0])
    np.testing.assert_allclose(moved["user"], [0, 1 - plain(first, third)])
    np.testing.assert_allclose(moved["data"], 0)
    np.testing.assert_allclose(moved["model"], [0, 1 - plain(third, first)])
    np.testing.assert_allclose(moved["total"], [1 - plain(first, second), 0])
    # The second user's model undid what their own events had done: the steps are more than what became of them.
    np.testing.assert_allclose(moved["remainder"], [0, -2 * (1 - plain(first, third))], atol=1e-12)
    np.testing.assert_allclose(moved["seed"], [1 - plain(first, second), 0])
    np.testing.assert_allclose(moved["published"], 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_steps_and_remainder_add_up_to_the_total_and_a_cause_that_changes_nothing_has_no_share(seed):
    draw = np.random.default_rng(seed)
    stations = [np.array([draw.permutation(8)[:K] for _ in range(20)]) for _ in range(5)]
    idle = draw.integers(5)
    if idle:
        stations[idle] = stations[idle - 1]
    moved = attribute(Path(*stations))
    np.testing.assert_allclose(sum(moved[step] for step in STEPS) + moved["remainder"], moved["total"], atol=1e-12)
    for step in STEPS:
        assert ((moved[step] >= 0) & (moved[step] <= 1)).all()
    if idle:
        assert not moved[STEPS[idle - 1]].any()


def test_shares_are_means_by_group_with_intervals_around_them():
    moved = {"user": np.array([0.0, 0.2, 0.4, 0.4])}
    found = shares(moved, {"idle": np.array([True, False, False, False]), "active": np.array([False, True, True, True]),
                           "new": np.zeros(4, bool)}, seed=3)  # fmt: skip
    assert list(found) == ["idle", "active"]
    assert found["idle"]["user"] == (0, 0, 0)
    mean, low, high = found["active"]["user"]
    assert low <= mean <= high
    assert mean == pytest.approx(1 / 3)


@pytest.fixture
def nights():
    """Twelve users over eight items, and the same a week later: user 3 and some others bought once more."""
    draw = np.random.default_rng(11)
    before = [[sorted({int(draw.integers(8)), int(draw.integers(8))}) for _ in range(4)] for _ in range(12)]
    after = [held + ([[1, 2]] if user in (3, 5, 8) else []) for user, held in enumerate(before)]
    only = [held + ([[1, 2]] if user == 3 else []) for user, held in enumerate(before)]
    return make_history(before, 8), make_history(after, 8), make_history(only, 8)


def test_own_events_move_ones_own_profile_and_leave_the_graphs_to_last_night(nights):
    before, after, _ = (repeated(history, np.arange(8)) for history in nights)
    mixed = own_events(before, after)
    days, baskets = mixed.counted
    old, new = before.counted[1], after.counted[1]
    assert (days.history.buyers_recent == before.history.buyers_recent).all()
    assert baskets.graphs is old.graphs
    assert baskets.baskets is new.baskets and new.baskets.sizes[3] == old.baskets.sizes[3] + 1


def test_own_events_score_as_if_nobody_else_had_bought(nights):
    before, after, only = (repeated(history, np.arange(8)) for history in nights)
    mixed, user = own_events(before, after), np.array([3])
    scores, alone, last_night, changed = (
        {way: dense(one, 1) for way, one in known.ways.scores(user).items()} for known in (mixed, only, before, after)
    )
    for way in ("personal/weight", "personal/recent", "personal/all", "neighbours/habits"):
        np.testing.assert_allclose(scores[way], alone[way], err_msg=way, rtol=1e-5)
    # What the user's own basket does to everybody's graphs is left out: those are last night's.
    np.testing.assert_allclose(scores["popularity/bought"], last_night["popularity/bought"])
    assert any(not np.allclose(scores[way], changed[way]) for way in scores)


@pytest.mark.parametrize("known", [repeated, lambda history, items: once(history, items, np.eye(8, dtype="f4"), 8, 1)])
def test_some_users_own_events_score_as_they_do_among_all(nights, known):
    before, after, _ = nights
    some, old = np.array([2, 3, 8]), known(before, np.arange(8))
    among_all, alone = (own_events(old, known(one, np.arange(8))) for one in (after, after.only(some)))
    whole, apart = among_all.ways.scores(some), alone.ways.scores(np.arange(3))
    for way, one in whole.items():
        np.testing.assert_allclose(dense(apart[way], 3), dense(one, 3), err_msg=way, rtol=1e-5)


def test_where_items_are_taken_once_the_graphs_and_the_linear_model_are_last_nights(nights):
    texts = np.eye(8, dtype=np.float32)
    before, after, _ = (once(history, np.arange(8), texts, 8, 1) for history in nights)
    mixed = own_events(before, after)
    _, steps, learned = mixed.counted
    assert steps.graphs is before.counted[1].graphs
    assert learned.model is before.counted[2].model
    assert (learned.profile != after.counted[2].profile).nnz == 0
    assert mixed.filters.excluded is after.filters.excluded


def test_nights_of_other_users_or_items_are_refused(nights):
    before, after, _ = nights
    with pytest.raises(ValueError, match="other users or items"):
        own_events(repeated(before, np.arange(8)), repeated(after, np.arange(7)))
    fewer = before.only(np.arange(11))
    with pytest.raises(ValueError, match="other users or items"):
        own_events(repeated(fewer, np.arange(8)), repeated(after, np.arange(8)))
    alien = replace(repeated(before, np.arange(8)), counted=(object(),))
    with pytest.raises(TypeError, match="everybody's"):
        own_events(alien, alien)
