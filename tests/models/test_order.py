"""The best of scores, and the learned order of candidates."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.order import Candidates, Order, best


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), k=st.integers(1, 6))
def test_the_best_are_the_first_of_all_sorted(seed: int, k: int) -> None:
    scores = np.random.default_rng(seed).integers(-1, 4, (5, 9)).astype(np.float32)
    user, item, rank = best(scores, np.arange(10, 15), k)
    for row in range(5):
        expected = [one for one in np.argsort(-scores[row], kind="stable")[:k] if scores[row, one] > 0]
        mine = user == 10 + row
        assert item[mine].tolist() == expected
        assert rank[mine].tolist() == list(range(1, len(expected) + 1))


def candidates(rows: int, items: int, seed: int = 1) -> Candidates:
    """Of each user all items, with three features; two ways named them, each half."""
    user, item = np.repeat(np.arange(rows), items), np.tile(np.arange(items), rows)
    features = np.random.default_rng(seed).normal(size=(rows * items, 3)).astype(np.float32)
    named = np.stack([item % 2 == 0, item % 2 == 1], axis=1)
    return Candidates(user, item, features, named, ("a/x", "b/y", "b/z"), ("a/one", "b/other"))


def test_without_a_part_goes_what_only_it_named_and_what_it_thought() -> None:
    left = candidates(2, 4).without("a")
    assert left.item.tolist() == [1, 3, 1, 3] and left.columns == ("b/y", "b/z") and left.ways == ("b/other",)
    np.testing.assert_array_equal(left.features, candidates(2, 4).features[[1, 3, 5, 7], 1:])


@pytest.mark.parametrize("threads", [1, 2])
def test_the_order_learns_what_came_next(threads: int) -> None:
    found = candidates(400, 5)
    user, item = found.user, found.item
    target = found.features[:, 1].reshape(400, 5).argmax(1)
    hit = item == target[user]
    learned = Order.learn(found.only(user < 300), hit[user < 300], 7, threads)
    listed = learned.lists(found.only(user >= 300), 2)
    first = dict(zip(listed[0][listed[2] == 1].tolist(), listed[1][listed[2] == 1].tolist(), strict=True))
    assert np.mean([first[one] == target[one] for one in range(300, 400)]) > 0.7  # by chance 0.2
    again = Order.learn(found.only(user < 300), hit[user < 300], 7, threads)
    assert again.as_dict() == learned.as_dict()
    assert learned.shares()["b"] > 0.9 and sum(learned.shares().values()) == pytest.approx(1)


def test_an_order_comes_back_from_json_and_its_contributions_add_up() -> None:
    found = candidates(400, 5)
    learned = Order.learn(found, found.features[:, 1] > 1, 7, 1)
    back = Order.from_dict(json.loads(json.dumps(learned.as_dict())))
    assert back.columns == list(found.columns)
    rows, score, place = back.ranked(found, 3)
    for one, other in zip(back.ranked(found, 3), learned.ranked(found, 3), strict=True):
        np.testing.assert_array_equal(one, other)
    shares = back.contributions(found.features[rows])
    base = score - shares.sum(1)
    assert np.ptp(base) < 1e-6 and place.max() == 2
