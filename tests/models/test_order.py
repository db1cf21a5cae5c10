"""The best of scores, candidates of several ways, and the learned order of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.order import Candidates, Order, best, chosen, opinions


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


def test_candidates_are_the_best_of_any_way() -> None:
    scores = {"one": np.array([[3.0, 2, 0, 0]], np.float32), "other": np.array([[0.0, 0, 0, 5]], np.float32)}
    row, item = chosen(scores, 1)
    assert row.tolist() == [0, 0] and item.tolist() == [0, 3]
    share, *_ = opinions(scores, row, item)
    assert share.tolist() == [1, 0]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_order_learns_what_came_next(threads: int) -> None:
    rng = np.random.default_rng(1)
    user, item = np.repeat(np.arange(400), 5), np.tile(np.arange(5), 400)
    features = rng.normal(size=(2000, 3)).astype(np.float32)
    target = features[:, 1].reshape(400, 5).argmax(1)
    found, hit = Candidates(user, item, features), item == target[user]
    learned = Order.learn(found.only(user < 300), hit[user < 300], 7, threads)
    listed = learned.lists(found.only(user >= 300), 2)
    first = dict(zip(listed[0][listed[2] == 1].tolist(), listed[1][listed[2] == 1].tolist(), strict=True))
    assert np.mean([first[one] == target[one] for one in range(300, 400)]) > 0.7  # by chance 0.2
    again = Order.learn(found.only(user < 300), hit[user < 300], 7, threads)
    assert again.model.model_to_string() == learned.model.model_to_string()
