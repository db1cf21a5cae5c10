"""Rows of experience, as its contract asks, and what the next night reads from them."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.contracts.tables import EXPERIENCE, STATES
from pipeline.tables import experience

USERS = pa.array(["ann", "bob"])
COUNTS = ("list_size", "budget", "pinned", "forced", "unchanged_nights", "contradictions")
REALS = ("rbo", "rbo_floor", "churn", "coherence", "calibration_kl")


def measured(by_night=((0, 0, 0, 0, 0, 1, 2), (0,) * 7), real=(0.5, np.nan), count=(3, 4)):
    return {
        "voluntary_by_night": np.array(by_night),
        "is_stale": np.array([False, True]),
        **dict.fromkeys(COUNTS, np.array(count)),
        **dict.fromkeys(REALS, np.array(real)),
    }


@pytest.fixture
def rows():
    return EXPERIENCE.enforce(experience.rows("home", USERS, np.array([2, 0], np.int8), measured()))


def test_rows_are_as_the_contract_asks(rows):
    ann, bob = rows.to_pylist()
    assert (ann["user_key"], ann["surface"], ann["state"], bob["state"]) == ("ann", "home", STATES[2], STATES[0])
    assert (ann["voluntary"], ann["voluntary_7d"], ann["voluntary_by_night"]) == (2, 3, [0, 0, 0, 0, 0, 1, 2])
    assert all((ann[name], bob[name]) == (3, 4) for name in COUNTS)
    assert all((ann[name], bob[name]) == (0.5, None) for name in REALS)
    assert (ann["is_stale"], bob["is_stale"]) == (False, True)


def test_the_next_night_counts_on_from_the_last(rows):
    spent, unchanged = experience.carried(rows, "home", pa.array(["bob", "cid", "ann"]))
    assert spent.tolist() == [[0] * 6, [0] * 6, [0, 0, 0, 0, 1, 2]]
    assert unchanged.tolist() == [4, 0, 3]


@pytest.mark.parametrize("surface", ["email", "home"])
def test_nothing_is_known_of_another_surface_or_before_the_first_night(rows, surface):
    spent, unchanged = experience.carried(None if surface == "home" else rows, surface, USERS)
    assert not spent.any()
    assert not unchanged.any()


def test_no_users_no_rows():
    none = {name: values[:0] for name, values in measured().items()}
    assert len(EXPERIENCE.enforce(experience.rows("ad", USERS[:0], np.zeros(0, np.int8), none))) == 0
