"""Exploration draws by hash alone, in the shares it says, and takes the weakest place that may change."""

import numpy as np
import pytest

from pipeline.balance.explore import Explorers, draws, is_drawn, sampled, spend
from pipeline.balance.surfaces import Ranked
from pipeline.policy import Explore

RULES = Explore(share=0.05, slots=1, depth=4, temperature=1.0)


def test_draws_follow_from_user_and_salt_alone() -> None:
    keys = [f"user-{number}" for number in range(50)]
    drawn = draws(keys, "shop/2017-03-01/home")
    assert (draws(keys[::-1], "shop/2017-03-01/home")[::-1] == drawn).all()
    assert drawn.dtype == np.uint64 and len(set(drawn.tolist())) == 50
    assert not (draws(keys, "shop/2017-03-02/home") == drawn).any()
    assert draws([], "salt").shape == (0,)


def test_a_share_of_users_is_drawn_and_a_larger_share_keeps_them() -> None:
    drawn = draws((f"u{number}" for number in range(20_000)), "salt")
    small, large = is_drawn(drawn, 0.05), is_drawn(drawn, 0.5)
    assert small.mean() == pytest.approx(0.05, abs=0.006) and large.mean() == pytest.approx(0.5, abs=0.015)
    assert large[small].all()
    assert not is_drawn(drawn, 0.0).any() and is_drawn(drawn, 1.0).all()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_items_are_drawn_by_their_softmax(temperature: float) -> None:
    scores = np.array([1.0, 0.0, -2.0])
    drawn = draws((f"u{number}" for number in range(30_000)), "salt")
    one = Ranked(np.tile([7, 3, 5], (30_000, 1)), np.tile(scores, (30_000, 1)))
    first = np.bincount(sampled(one, drawn, temperature).argmax(axis=1), minlength=3) / 30_000
    expected = np.exp(scores / temperature)
    assert first == pytest.approx(expected / expected.sum(), abs=0.01)


def test_an_item_is_drawn_alike_wherever_it_stands() -> None:
    drawn = draws(["someone"], "salt")
    values = np.array([[1.0, 0.5, 0.0]])
    straight = sampled(Ranked(np.array([[7, 3, 5]]), values), drawn, 1.0)
    turned = sampled(Ranked(np.array([[5, 3, 7]]), values[:, ::-1]), drawn, 1.0)
    assert straight.tolist() == turned[:, ::-1].tolist()


def explorers(explores: bool, still: bool, pinned: int) -> Explorers:
    return Explorers(np.array([explores]), np.array([still]), np.array([pinned]), draws(["someone"], "salt"))


CANDIDATES = Ranked(np.array([[1, 2, 3, 10, 11, 12, 13, 14, 15]]), -np.arange(9.0)[None])


def put(lists: list[int], before: list[int], who: Explorers, rules: Explore = RULES) -> tuple[list[int], list[int]]:
    now, where = spend(np.array([before]), np.array([lists]), CANDIDATES, who, rules)
    return now[0].tolist(), np.flatnonzero(where[0]).tolist()


def test_what_is_explored_comes_from_deeper_down_and_takes_the_weakest_place() -> None:
    now, where = put([1, 9, 3], [1, 9, 3], explorers(True, False, 1))
    assert where == [1]  # 9 is no candidate any more
    assert now[1] in (10, 11, 12, 13) and (now[0], now[2]) == (1, 3)
    now, where = put([1, 2, 3], [1, 2, 3], explorers(True, False, 1))
    assert where == [2] and now[:2] == [1, 2]
    assert put([1, 2, 3], [1, 2, 3], explorers(True, False, 3)) == ([1, 2, 3], [])  # all pinned


def test_an_empty_place_is_filled_first() -> None:
    now, where = put([1, 2, -1], [1, 2, -1], explorers(True, False, 0))
    assert where == [2] and now[:2] == [1, 2] and now[2] >= 10


def test_what_stood_there_last_night_is_not_explored() -> None:
    shallow = Explore(share=1, slots=1, depth=1, temperature=1)
    assert put([1, 2, 3], [1, 2, 10], explorers(True, False, 0), shallow) == ([1, 2, 3], [])
    assert put([1, 2, 3], [1, 2, 3], explorers(True, False, 0), shallow) == ([1, 2, 10], [2])


def test_several_places_hold_several_items() -> None:
    two = Explore(share=1, slots=2, depth=4, temperature=1)
    now, where = put([1, 2, 3], [1, 2, 3], explorers(True, False, 0), two)
    assert where == [1, 2] and len(set(now)) == 3 and min(now[1:]) >= 10


def test_a_list_that_stood_still_gets_the_best_from_outside() -> None:
    assert put([1, 2, 3], [1, 2, 3], explorers(False, True, 1)) == ([1, 2, 10], [2])
    assert put([1, 2, 10], [1, 2, 3], explorers(False, True, 1)) == ([1, 2, 10], [])  # it changed already
    assert put([1, 2, 3], [1, 2, 3], explorers(False, False, 1)) == ([1, 2, 3], [])


def test_without_candidates_nothing_is_put_in() -> None:
    none = Ranked(np.zeros((1, 0), int), np.zeros((1, 0)))
    now, where = spend(np.array([[4, 5]]), np.array([[4, 5]]), none, explorers(True, True, 0), RULES)
    assert now.tolist() == [[4, 5]] and not where.any()
