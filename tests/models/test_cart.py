"""Complements against counting baskets by hand, and what completes a basket against a plain loop."""

from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from pipeline.features.history import Items
from pipeline.models import cart

COUNT = 8


@pytest.fixture
def space():
    return Items(
        pa.array([f"i{n}" for n in range(COUNT)]), np.ones(COUNT, bool), np.ones(COUNT, bool), np.arange(COUNT)
    )


@pytest.fixture
def baskets():
    """0 and 1 go together, 2 and 3 too, the rest by chance."""
    draw = np.random.default_rng(6)
    planted = {0: {0, 1}, 1: {2, 3}}
    by_chance = [set(draw.choice(COUNT, size=2, replace=False).tolist()) for _ in range(400)]
    return [planted.get(int(draw.integers(4)), basket) for basket in by_chance]


def counted(baskets):
    """What `features.baskets.pairs` gives, by loops."""
    together, alone = {}, {}
    for basket in baskets:
        for item in basket:
            alone[item] = alone.get(item, 0) + 1
        for pair in permutations(sorted(basket), 2):
            together[pair] = together.get(pair, 0) + 1
    rows = [
        {
            "item_id": f"i{a}", "other_id": f"i{b}", "together": n,
            "item_baskets": alone[a], "other_baskets": alone[b], "all_baskets": len(baskets),
        }
        for (a, b), n in sorted(together.items())
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


@pytest.fixture
def found(baskets, space):
    return cart.complements(counted(baskets), space, space.listable)


def test_lift_is_joint_baskets_over_those_expected_by_chance(found, baskets):
    assert len(found.item)
    for item, other, lift, sure, together in zip(
        found.item, found.other, found.lift, found.sure, found.together, strict=True
    ):
        joint = sum(item in b and other in b for b in baskets)
        chance = sum(item in b for b in baskets) * sum(other in b for b in baskets) / len(baskets)
        assert together == joint
        assert lift == pytest.approx(joint / chance)
        assert sure == pytest.approx((joint - 1.96 * joint**0.5) / chance)


def test_only_what_surely_goes_together_is_kept_both_ways(found):
    assert {(0, 1), (1, 0), (2, 3), (3, 2)} <= set(zip(found.item.tolist(), found.other.tolist(), strict=True))
    assert (found.sure > 1).all()
    assert (found.lift > found.sure).all()


def test_an_item_unfit_for_lists_has_complements_but_is_none(baskets, space):
    allowed = np.ones(COUNT, bool)
    allowed[1] = False
    found = cart.complements(counted(baskets), space, allowed)
    assert 1 not in found.other
    assert 1 in found.item


def test_unknown_items_are_left_out(baskets, space):
    small = Items(space.ids[2:], space.recommendable[2:], space.listable[2:], space.text[2:])
    found = cart.complements(counted(baskets), small, small.listable)
    assert set(zip(found.item.tolist(), found.other.tolist(), strict=True)) >= {(0, 1), (1, 0)}
    assert found.item.min() >= 0


def test_each_items_surest_complements_come_first(found):
    for k in (1, 2, 10):
        chosen = cart.best_for_items(found, k)
        expected = []
        for item in sorted(set(found.item.tolist())):
            mine = np.flatnonzero(found.item == item)
            expected += sorted(mine, key=lambda row: (-round(found.sure[row], 6), found.other[row]))[:k]
        assert chosen.tolist() == expected


def open_baskets(held):
    rows, columns = zip(*[(user, item) for user, items in enumerate(held) for item in items], strict=True)
    return sp.csr_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(len(held), COUNT))


def test_what_completes_a_basket_is_a_sort_of_lift_and_habit(found, a_history):
    history = a_history([[[4, 5], [4]], [[6]], [[1, 7]], [[0]]], COUNT)
    held, rows = [[0], [2, 1], [], [5, 3]], np.array([0, 1, 2, 3])
    lifts, allowed = found.matrix(COUNT), np.arange(COUNT) != 7
    items, scores = cart.complete(open_baskets(held), history, rows, lifts, allowed, 4)
    leads = cart.leads(open_baskets(held), items, lifts)
    dense = lifts.toarray()
    for user, basket in enumerate(held):
        if not basket:
            assert (items[user] == -1).all()
            continue
        score = dense[basket].sum(0) + cart.PERSONAL * np.log1p(history.weight.toarray()[rows[user]])
        score = np.round(score, 6)
        fit = [i for i in range(COUNT) if score[i] > 0 and allowed[i] and i not in basket]
        best = sorted(fit, key=lambda i: (-score[i], i))[:4]
        assert items[user].tolist() == best + [-1] * (4 - len(best))
        assert scores[user, : len(best)].tolist() == pytest.approx([score[i] for i in best], abs=2e-6)
        for place, item in enumerate(best):
            pulls = {lead: dense[lead, item] for lead in basket}
            assert leads[user, place] == (max(pulls, key=pulls.get) if max(pulls.values()) > 0 else -1)


def test_no_list_repeats_its_basket_or_falls_out_of_order(found, a_history):
    draw = np.random.default_rng(2)
    held = [draw.choice(COUNT, size=3, replace=False).tolist() for _ in range(30)]
    history = a_history([[basket] for basket in held], COUNT)
    items, scores = cart.complete(
        open_baskets(held), history, np.arange(30), found.matrix(COUNT), np.ones(COUNT, bool), 5
    )
    assert (items >= 0).any()
    for user, basket in enumerate(held):
        listed = items[user][items[user] >= 0].tolist()
        assert not set(listed) & set(basket)
        assert len(set(listed)) == len(listed)
        assert (np.diff(scores[user][: len(listed)]) <= 0).all()
