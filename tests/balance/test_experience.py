"""Measures of a night's lists: by hand, and against what each is defined by."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.balance.experience import Lists, measure
from pipeline.contracts.tables import STATES
from pipeline.metrics.stability import rbo, rbo_floor
from pipeline.policy import load_policy

POLICY = load_policy("default")
NEW, ACTIVE, IDLE = range(3)
CATEGORY = np.array([0, 0, 1, 1, 2, -1])
# Four users: a new one, an active and an idle one, and one whose item had to go.
BEFORE = np.array([[-1, -1, -1], [0, 1, 2], [0, 1, 2], [0, 1, 2]])
AFTER = np.array([[0, 1, 2], [0, 3, 2], [0, 1, 2], [0, 4, -1]])
HOME = Lists(
    "home",
    users=np.array([0, 1, 2, 4]),
    before=BEFORE,
    after=AFTER,
    state=np.array([NEW, ACTIVE, IDLE, IDLE], np.int8),
    budget=np.array([3, 1, 1, 1]),
    pinned=np.array([0, 1, 1, 1]),
    voluntary=np.array([0, 1, 0, 0]),
    forced=np.array([0, 0, 0, 1]),
    spent=np.array([[0] * 6, [0, 0, 0, 0, 1, 2], [0] * 6, [1] * 6]),
    unchanged=np.array([0, 9, 5, 3]),
)
TASTES = sp.csr_matrix(np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]]))


@pytest.fixture(scope="module")
def home():
    (measured,) = measure([HOME], TASTES, CATEGORY, POLICY)
    return measured


def test_states_are_those_of_the_contract():
    assert STATES == ("new", "active", "idle")


def test_a_new_list_has_nothing_to_compare_with(home):
    assert np.isnan([home.rbo[0], home.rbo_floor[0], home.churn[0]]).all()
    assert (home.unchanged[0], home.size[0]) == (0, 3)


def test_overlap_floor_and_churn_are_the_metrics_own(home):
    assert np.array_equal(home.rbo[1:], rbo(BEFORE, AFTER, POLICY.rbo_p)[1:])
    assert home.rbo_floor[1] == rbo_floor(3, 1, 1, POLICY.rbo_p) <= home.rbo[1]
    assert home.churn[1:].tolist() == pytest.approx([1 / 3, 0, 1 / 3])


def test_no_floor_is_promised_where_something_had_to_change(home):
    assert np.isnan(home.rbo_floor).tolist() == [True, False, False, True]


def test_nights_are_counted_on(home):
    assert home.by_night.tolist() == [[0] * 7, [0, 0, 0, 0, 1, 2, 1], [0] * 7, [1] * 6 + [0]]
    assert home.unchanged.tolist() == [0, 0, 6, 0]


@pytest.mark.parametrize(("state", "nights", "stale"), [(ACTIVE, 7, True), (ACTIVE, 6, False), (IDLE, 9, False)])
def test_an_active_users_list_goes_stale(state, nights, stale):
    lists = replace(
        HOME, before=BEFORE[[2] * 4], after=BEFORE[[2] * 4], state=np.full(4, state), unchanged=np.full(4, nights - 1)
    )
    (measured,) = measure([lists], TASTES, CATEGORY, POLICY)
    assert measured.is_stale.tolist() == [stale] * 4


def test_a_list_with_places_left_does_not_go_stale():
    short = np.where(np.arange(3) < 2, BEFORE[[2] * 4], -1)
    lists = replace(HOME, before=short, after=short, state=np.full(4, ACTIVE), unchanged=np.full(4, 30))
    (measured,) = measure([lists], TASTES, CATEGORY, POLICY)
    assert measured.unchanged.tolist() == [31] * 4
    assert not measured.is_stale.any()


def test_calibration_is_of_the_users_own_history(home):
    same = sp.csr_matrix(np.array([[1 + 1 / np.log2(3), 0.5, 0]]) / (1.5 + 1 / np.log2(3)))
    (alike,) = measure([HOME], sp.vstack([same, TASTES[1:]]).tocsr(), CATEGORY, POLICY)
    assert alike.calibration_kl[0] == pytest.approx(0, abs=1e-12)
    assert home.calibration_kl[2] == pytest.approx(-np.log(0.01)), "likes what the list has none of"
    assert np.isnan(home.calibration_kl[3]), "no history"


def test_surfaces_of_a_user_are_compared_wherever_they_stand():
    email = replace(
        HOME, surface="email", users=np.array([0, 2, 3, 4]), after=np.array([[4, -1, -1]] * 3 + [[0, 4, -1]])
    )
    first, second = measure([HOME, email], TASTES, CATEGORY, POLICY)
    assert first.coherence[0] == second.coherence[0] == pytest.approx(0, abs=1e-12), "no category in common"
    assert np.isnan(first.coherence[1]), "home alone"
    assert np.isnan(second.coherence[2]), "e-mail alone"
    assert first.coherence[3] == second.coherence[3] == pytest.approx(1)
