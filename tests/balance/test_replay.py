"""Nights lived through again: what is promised of a list holds along a chain, and lists follow users and items."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from pipeline.balance.point import Point
from pipeline.balance.replay import IDLE, NEW, Carried, balanced, free
from tests.balance.evenings import POLICY, evenings, keys

POINT = Point(0.1, 0.5, 2, 5, 3)
SIZES = {name: surface.size for name, surface in POLICY.surfaces.items()}


def new_ones(before, after):
    return np.array([len(set(b[b >= 0]) - set(a[a >= 0])) for a, b in zip(before, after, strict=True)])


def test_every_list_follows_the_one_of_the_night_before():
    nights = list(balanced(evenings(4), lambda _day: POINT, POLICY))
    assert [one.surface for one in nights[0].lists] == list(SIZES)
    for before, after in pairwise(nights):
        for first, second in zip(before.lists, after.lists, strict=True):
            assert (second.before == first.after).all()
            assert (second.spent[:, -1] == first.voluntary).all()
            assert (second.spent[:, :-1] == first.spent[:, 1:]).all()
    assert all((one.state == NEW).all() and (one.before < 0).all() for one in nights[0].lists)


@pytest.mark.parametrize("seed", range(2))
def test_budgets_floors_and_the_week_hold_along_the_chain(seed):
    nights = list(balanced(evenings(9, seed, users=24), lambda _day: POINT, POLICY))
    for place, size in enumerate(SIZES.values()):
        spent = []
        for night in nights:
            one, measured = night.lists[place], night.measures[place]
            idle = one.state == IDLE
            changed = np.where(one.state == NEW, 0, np.maximum(new_ones(one.before, one.after) - one.forced, 0))
            assert (changed <= one.budget).all()
            assert (changed[idle] <= POINT.budget_idle).all()
            assert (one.after[:, :3] == one.before[:, :3])[idle & (one.forced == 0)].all()
            kept = ~np.isnan(measured.rbo_floor)
            assert (measured.rbo >= measured.rbo_floor)[kept].all()
            assert one.after.shape[1] == size
            spent.append(changed)
            week = np.sum(spent[-7:], axis=0)
            assert (week[idle] <= np.maximum(POLICY.week_limit, (week - changed)[idle])).all()
    assert any((one.voluntary > 0).any() for one in nights[-1].lists)


def test_free_lists_are_the_heads_of_the_rankings():
    drawn = evenings(3)
    for evening, night in zip(drawn, free(drawn, POLICY), strict=True):
        for one in night.lists:
            assert (one.after == evening.rankings[one.surface].free.items[:, : SIZES[one.surface]]).all()
            gone = np.array([sum(not evening.facts.recommendable[i] for i in row if i >= 0) for row in one.before])
            assert (one.forced == gone).all()
            expected = np.maximum(new_ones(one.before, one.after) - gone, 0)
            assert (one.voluntary == np.where(one.state == NEW, 0, expected)).all()
    assert night.shown("home").shape == (40, 20)


def test_more_budget_is_less_like_the_night_before_and_more_like_the_model():
    drawn, free_week = evenings(5), POLICY.model_copy(update={"week_limit": 14})
    wanted = list(free(drawn, POLICY))[-1].shown("home")
    alike = []
    for budget in (0, 1, 2):
        home = list(balanced(drawn, lambda _day, budget=budget: Point(0.0, 0.0, budget, 5, 3), free_week))[-1].shown(
            "home"
        )
        alike.append(np.mean([len(set(a) & set(b)) for a, b in zip(home, wanted, strict=True)]))
    assert alike[0] < alike[1] < alike[2]


def test_lists_go_to_the_users_and_items_of_a_later_night():
    first, later = evenings(2)
    later = replace(
        later,
        users=pa.array(["a new one", *keys(40).to_pylist()[5:]]),
        ids=pa.array([*reversed(first.ids.to_pylist()), "another"]),
    )
    (night,) = balanced([first], lambda _day: POINT, POLICY)
    home = night.lists[0]
    carried = Carried(first.users, first.ids, home.after, home.spent + 1, np.arange(40)).to(later)
    assert (carried.items[0] == -1).all()
    assert (carried.spent[0] == 0).all()
    for row, user in enumerate(later.users.to_pylist()[1:], start=1):
        old = int(user[1:])
        told = [first.ids[int(i)].as_py() for i in home.after[old]]
        assert [later.ids[int(i)].as_py() for i in carried.items[row]] == told
        assert carried.unchanged[row] == old
    fewer = replace(later, ids=pa.array(["another"]), day=first.day + timedelta(1))
    with pytest.raises(ValueError, match="left the catalogue"):
        Carried(first.users, first.ids, home.after, home.spent, np.arange(40)).to(fewer)


def test_a_replay_is_the_same_again():
    one, other = (list(balanced(evenings(4, 5), lambda _day: POINT, POLICY)) for _ in range(2))
    assert all((a.after == b.after).all() for a, b in zip(one[-1].lists, other[-1].lists, strict=True))
