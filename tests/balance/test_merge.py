"""The budgeted merge: the best of all lists within the budget, by brute force; its promises over many cases; laws."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance.merge import EMPTY, GONE, Merged, merge
from pipeline.metrics.stability import rbo, rbo_floor
from tests.balance.cases import Case, merges

SEEDS = st.integers(0, 2**32 - 1)


def merged(case: Case) -> Merged:
    return merge(case.before, case.items, case.scores, case.budget, case.pinned)


def best(before: list[int], worth: dict[int, float], budget: int, pinned: int) -> tuple[int, float]:
    """The longest list with the largest sum of scores that keeps the head and has few enough items that are new."""
    old = {item for item in before if item >= 0}
    head = {item for item in before[:pinned] if item >= 0}
    few = budget + before.count(GONE)
    allowed = (
        chosen
        for size in range(len(before) + 1)
        for chosen in combinations(sorted(worth), size)
        if head <= set(chosen) and len(set(chosen) - old) <= few
    )
    return max((len(chosen), sum(worth[item] for item in chosen)) for chosen in allowed)


def test_no_list_within_the_budget_scores_higher() -> None:
    count = 0

    @settings(max_examples=11)
    @given(SEEDS, st.booleans())
    def hold(seed: int, ties: bool) -> None:
        nonlocal count
        case = merges(seed, users=1000, places=3, count=5, goods=7, ties=ties)
        result = merged(case)
        for user in range(1000):
            before, items = case.before[user].tolist(), case.items[user].tolist()
            scored = {item: score for item, score in zip(items, case.scores[user], strict=True) if item >= 0}
            below = min(scored.values(), default=0.0) - 1
            worth = {item: below - place for place, item in enumerate(before) if item >= 0} | scored
            got = [item for item in result.items[user].tolist() if item >= 0]
            length, total = best(before, worth, int(case.budget[user]), int(case.pinned[user]))
            assert len(set(got)) == len(got) == length
            assert math.isclose(sum(worth[item] for item in got), total, abs_tol=1e-9)
        count += 1000

    hold()
    assert count >= 10_000


def check(case: Case, result: Merged) -> None:
    """G1 and G2, by plain loops over what stands in the lists."""
    users, places = case.before.shape
    length = (case.before != EMPTY).sum(1)
    overlap = rbo(np.maximum(case.before, EMPTY), result.items)
    floor = rbo_floor(places, case.budget, np.minimum(case.pinned, length))
    for user in range(users):
        before, now = case.before[user].tolist(), result.items[user].tolist()
        old = [item for item in before if item >= 0]
        shown = [item for item in now if item >= 0]
        fresh, left = set(shown) - set(old), set(old) - set(shown)
        assert now == shown + [EMPTY] * (places - len(shown)) and len(set(shown)) == len(shown)
        assert fresh <= set(case.items[user].tolist()) and not left & set(before[: case.pinned[user]])
        assert len(left) <= result.voluntary[user] <= case.budget[user]
        assert result.forced_count[user] == before.count(GONE) >= len(fresh) - result.voluntary[user]
        assert [item in fresh for item in now] == result.fresh[user].tolist()
        if GONE not in before:
            assert all(now[place] == item for place, item in enumerate(before) if item in shown)
            assert overlap[user] >= floor[user]


def test_budget_and_floor_are_kept() -> None:
    count = 0

    @settings(max_examples=12)
    @given(SEEDS, st.booleans(), st.sampled_from([(5, 8), (10, 30), (20, 60)]))
    def hold(seed: int, ties: bool, shape: tuple[int, int]) -> None:
        nonlocal count
        places, named = shape
        case = merges(seed, users=1000, places=places, count=named, goods=2 * named, ties=ties, gone=0.05)
        check(case, merged(case))
        count += 1000

    hold()
    assert count >= 10_000


@settings(max_examples=25)
@given(SEEDS, st.booleans())
def test_without_a_budget_only_places_of_items_gone_change(seed: int, ties: bool) -> None:
    case = merges(seed, users=200, places=6, count=12, goods=20, ties=ties)
    result = merge(case.before, case.items, case.scores, np.zeros(200, int), case.pinned)
    assert not result.voluntary.any() and (result.fresh == result.forced).all()
    filled = (result.items >= 0).sum(1) == (case.before != EMPTY).sum(1)  # else items below an open place move up
    stood = (case.before >= 0) & filled[:, None]
    assert filled.sum() > 100 and (result.items[stood] == case.before[stood]).all()
    assert (result.forced == (case.before == GONE))[filled].all()


@settings(max_examples=25)
@given(SEEDS)
def test_with_a_free_budget_the_list_holds_what_the_models_alone_would_show(seed: int) -> None:
    case = merges(seed, users=200, places=6, count=12, goods=20, ties=False)
    result = merge(case.before, case.items, case.scores, np.full(200, 6), np.zeros(200, int))
    for now, free in zip(result.items, case.items[:, :6], strict=True):
        assert set(free[free >= 0]) <= set(now[now >= 0])
        assert (free >= 0).sum() < 6 or set(free) == set(now)


@settings(max_examples=25)
@given(SEEDS, st.booleans())
def test_users_do_not_know_each_other(seed: int, ties: bool) -> None:
    case = merges(seed, users=100, places=5, count=9, goods=14, ties=ties)
    moved = np.random.default_rng(seed).permutation(100)
    whole, other = merged(case), merged(Case(*(one[moved] for one in vars(case).values())))
    for one, same in zip(vars(whole).values(), vars(other).values(), strict=True):
        assert (one[moved] == same).all()


def test_worked_by_hand() -> None:
    items, scores = np.array([[7, 1, 8, 2, 9]]), np.array([[5.0, 4.0, 3.0, 2.0, 1.0]])

    def kept(before: list[int], budget: int, pinned: int) -> list[int]:
        result = merge(np.array([before]), items, scores, np.array([budget]), np.array([pinned]))
        return result.items[0].tolist()

    assert kept([4, 1, 2], 1, 0) == [7, 1, 2]  # 4 is no candidate any more
    assert kept([4, 1, 2], 1, 1) == [4, 1, 7]  # it is pinned, so the next weakest leaves
    assert kept([4, 1, 2], 3, 0) == [7, 1, 8]
    assert kept([4, 1, 2], 0, 0) == [4, 1, 2]
    assert kept([GONE, 1, 2], 0, 0) == kept([EMPTY, 1, 2], 0, 0) == [7, 1, 2]
    assert kept([4, EMPTY, EMPTY], 0, 0) == [4, EMPTY, EMPTY]
    assert kept([4, EMPTY, EMPTY], 1, 0) == [4, 7, EMPTY]  # filling an empty place is a change, too
    assert kept([EMPTY, EMPTY, EMPTY], 3, 3) == [7, 1, 8]


def test_a_hole_is_forced_and_an_end_is_not() -> None:
    before = np.array([[EMPTY, 1, EMPTY], [3, 1, GONE], [3, 1, EMPTY]])
    items, scores = np.array([[7, 8]] * 3), np.array([[2.0, 1.0]] * 3)
    result = merge(before, items, scores, np.zeros(3, int), np.zeros(3, int))
    assert result.items.tolist() == [[7, 1, EMPTY], [3, 1, 7], [3, 1, EMPTY]]
    assert result.forced.tolist() == [[True, False, False], [False, False, True], [False] * 3]
    assert result.forced_count.tolist() == [1, 1, 0]
    assert not result.voluntary.any()


def test_where_nothing_fills_a_hole_the_list_moves_up() -> None:
    empty = np.zeros((1, 0), int)
    result = merge(np.array([[GONE, 4, 5]]), empty, empty.astype(float), np.array([2]), np.array([0]))
    assert result.items.tolist() == [[4, 5, EMPTY]]
    assert not result.fresh.any() and result.forced_count.tolist() == [1]


def test_at_equal_scores_what_stood_there_stays() -> None:
    items, scores = np.array([[7, 8, 4]]), np.array([[1.0, 1.0, 1.0]])
    result = merge(np.array([[4]]), items, scores, np.array([1]), np.array([0]))
    assert result.items.tolist() == [[4]]


def test_what_does_not_fit_together_is_refused() -> None:
    one, rising = np.array([[1, 2]]), np.array([[1.0, 2.0]])
    with pytest.raises(ValueError, match="best first"):
        merge(one, one, rising, np.array([1]), np.array([0]))
    with pytest.raises(ValueError, match="one row a user"):
        merge(one, one, -rising, np.array([1, 1]), np.array([0]))
