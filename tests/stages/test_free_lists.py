"""Free lists come back as they were left."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.models.recommendations import Lists
from pipeline.settings import Night, load_shop
from pipeline.stages import free_lists
from pipeline.stages.free_lists import WIDE, Free

USERS = pa.array([f"{n:032x}" for n in range(9)])


@pytest.fixture
def night(tmp_path):
    return Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)


def block(users, places=WIDE + 5, seed=0):
    rng = np.random.default_rng(seed)
    shape = (len(users), places)
    lists = Lists(
        np.array(users), rng.integers(-1, 50, shape), rng.normal(size=shape), rng.random((*shape, 3), np.float32)
    )
    return Free.of(lists, USERS)


def test_blocks_come_back_in_order_and_to_the_bit(night):
    left = [block([0, 2], seed=1), block([5, 6, 8], seed=2)]
    assert free_lists.keep(night, "some", left) == 5
    for one, other in zip(free_lists.read(night, "some"), left, strict=True):
        assert one.users.equals(other.users)
        for name in ("items", "scores", "features"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert next(iter(free_lists.read(night, "some"))).features.shape == (2, WIDE, 3)


@pytest.mark.parametrize("places", [4, WIDE + 5])
def test_lists_without_features_come_back_without(night, places):
    free_lists.keep(night, "bare", [block([1, 3], places).bare()])
    (found,) = free_lists.read(night, "bare")
    assert found.features.shape == (2, min(WIDE, places), 0)


def test_nothing_left_is_nothing_read(night):
    assert list(free_lists.read(night, "never")) == []
    assert free_lists.keep(night, "none", []) == 0
    assert list(free_lists.read(night, "none")) == []


def test_what_is_popular_is_the_same_for_all_and_may_be_listed():
    history = SimpleNamespace(buyers_recent=np.array([3.0, 9.0, 0.0, 5.0, 7.0]))
    free = free_lists.popular(history, np.array([True, True, True, True, False]), USERS[:2], 10)
    assert free.items.tolist() == [[1, 3, 0]] * 2
    assert (np.diff(free.scores) < 0).all()


def test_lists_of_some_users_are_the_heads_of_theirs(night):
    left = [block([0, 2], seed=1), block([5, 6, 8], seed=2)]
    free_lists.keep(night, "some", left)
    asked = USERS.take(pa.array([1, 2, 6, 8]))
    found = free_lists.of(night, "some", asked, 4)
    assert (found[0] == -1).all()  # was not ranked
    np.testing.assert_array_equal(found[1:], [left[0].items[1, :4], *left[1].items[1:, :4]])
    assert free_lists.of(night, "some", asked, WIDE + 9)[1, WIDE + 5 :].tolist() == [-1] * 4


def test_where_nobody_was_ranked_all_lists_are_empty(night):
    free_lists.keep(night, "none", [])
    assert (free_lists.of(night, "none", USERS, 4) == -1).all()
