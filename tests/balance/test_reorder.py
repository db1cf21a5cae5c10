"""Best first within the floor: the same items, every prefix near last night's, and never worse than as merged."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance.merge import merge
from pipeline.balance.reorder import reorder
from pipeline.metrics.ranking import discounts
from pipeline.metrics.stability import rbo, rbo_floor

CASES, PLACES, NAMED = 500, 8, 14


def drawn(seed):
    """Merged lists of last night's and tonight's candidates, of few scores so that ties come up."""
    draw = np.random.default_rng(seed)
    before = np.array([draw.permutation(20)[:PLACES] for _ in range(CASES)])
    items = np.array([draw.permutation(20)[:NAMED] for _ in range(CASES)])
    scores = -np.sort(-draw.integers(0, 9, (CASES, NAMED)).astype(float), axis=1)
    budget, pinned = draw.integers(0, 6, CASES), draw.integers(0, 4, CASES)
    merged = merge(before, items, scores, budget, pinned).items
    worth = np.full(merged.shape, -1.0)
    for place in range(NAMED):
        worth = np.where(merged == items[:, [place]], scores[:, [place]], worth)
    return before, merged, worth, budget, pinned


def plain(before, items, worth, budget, pinned):
    """One user's order, by trying each item left at each place."""
    left, out = list(range(len(items))), []
    for place in range(len(items)):
        prefix = set(before[: place + 1])
        strange = sum(items[one] not in prefix for one in out)
        room = strange < min(max(place + 1 - pinned, 0), budget)
        able = [one for one in left if room or items[one] in prefix]
        best = max(able, key=lambda one: (worth[one], -one))
        out.append(best)
        left.remove(best)
    return out


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_the_floor_holds_and_nothing_comes_or_goes(seed):
    """500 lists an example, 10,000 in all."""
    before, items, worth, budget, pinned = drawn(seed)
    order = reorder(before, items, worth, budget, pinned)
    assert (np.sort(order, axis=1) == np.arange(PLACES)).all()
    after = np.take_along_axis(items, order, axis=1)
    assert (rbo(before, after) >= rbo_floor(PLACES, budget, pinned)).all()
    head = np.arange(PLACES) < pinned[:, None]
    assert (after == before)[head].all()
    still = budget == 0
    assert (after[still] == before[still]).all()
    # A reader who looks from the top sees more of worth than in the order of the merge.
    assert (np.take_along_axis(worth, order, axis=1) @ discounts(PLACES)).mean() > (worth @ discounts(PLACES)).mean()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_it_is_what_trying_every_item_gives(seed):
    before, items, worth, budget, pinned = drawn(seed)
    order = reorder(before, items, worth, budget, pinned)
    for user in range(60):
        assert order[user].tolist() == plain(before[user], items[user], worth[user], budget[user], pinned[user])


def test_with_budget_for_all_it_is_a_sort_and_pads_stay_behind():
    before = np.array([[1, 2, 3, 4], [1, 2, -1, -1]])
    items = np.array([[1, 2, 3, 4], [1, 2, 5, -1]])
    worth = np.array([[0.1, 0.4, 0.2, 0.3], [0.1, 0.2, 0.3, np.nan]])
    order = reorder(before, items, worth, np.array([4, 2]), np.array([0, 0]))
    assert np.take_along_axis(items, order, axis=1).tolist() == [[2, 4, 3, 1], [5, 2, 1, -1]]


def test_where_a_list_grows_or_more_had_to_go_than_counted_every_item_still_finds_a_place():
    before = np.array([[1, -1, -1, -1], [1, 2, 3, 4]])
    items = np.array([[1, 5, 6, 7], [5, 6, 7, 8]])
    order = reorder(before, items, np.array([[0.0, 1, 3, 2], [1, 2, 3, 4]]), np.array([1, 1]), np.array([1, 0]))
    assert np.take_along_axis(items, order, axis=1).tolist() == [[1, 6, 7, 5], [8, 7, 6, 5]]
