"""Counting again: rows as lists, the contract's rules from feeds, overlap and floor beside the metrics' own."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.audit import recount
from pipeline.balance.coherence import Shown, why_barred
from pipeline.metrics import stability
from pipeline.policy import SURFACES


@pytest.fixture(scope="module")
def shop(make_shop):
    return make_shop(11, 3)


def test_a_rule_is_found_where_the_contract_finds_it(shop):
    facts, world = shop._facts(), shop.world()
    user, item = (one.ravel() for one in np.indices((shop.users, shop.items)))
    keys, ids = (np.array(one.to_pylist()) for one in (shop.keys, shop.ids))
    seen = set()
    for surface in SURFACES:
        rows = pd.DataFrame({"user_key": keys[user], "surface": surface, "item_id": ids[item]})
        found = world.barred(rows).to_numpy()
        assert np.array_equal(found, why_barred(facts, Shown(surface, user, item)).astype(str))
        seen |= set(found)
    assert seen == {"", "unavailable", "just_bought", "resting"}


def test_lasting_goods_are_those_of_the_contract(shop):
    lasting = shop.world().lasting
    assert np.array_equal(lasting.loc[shop.ids.to_pylist()], shop._facts().replenishable)
    assert 0 < lasting.sum() < len(lasting)


def test_nothing_is_read_of_who_may_not_be_read(shop):
    keys = shop.keys.to_pylist()
    assert set(shop.world(readable=keys[:3]).days_since.index.get_level_values("user_key")) <= set(keys[:3])


@pytest.mark.parametrize(("budget", "pinned"), [(0, 0), (1, 0), (2, 3), (5, 1), (20, 0), (9, 9)])
@pytest.mark.parametrize("places", [10, 20])
def test_the_floor_is_the_metrics(places, budget, pinned):
    floor = recount.floor(places, budget, pinned, 0.9)
    assert floor == pytest.approx(float(stability.rbo_floor(places, budget, pinned)), abs=1e-12)


def rows(lists, day=date(2017, 6, 1), surface="home"):
    user, place = np.nonzero(lists >= 0)
    return pd.DataFrame(
        {
            "user_key": [f"u{n:04d}" for n in user],
            "surface": surface,
            "item_id": [f"i{n}" for n in lists[user, place]],
            "rank": place + 1,
            "kept_since": pd.Timestamp(day),
            "change_cause": "kept",
            "is_fallback": False,
        }
    )


def test_overlap_is_the_metrics_own(shop):
    rng = np.random.default_rng(3)
    users, places = 2500, 20
    before, after = (np.argsort(rng.random((users, 30)), axis=1)[:, :places] for _ in range(2))
    for lists in (before, after):
        lists[np.arange(places) >= rng.integers(1, places + 1, (users, 1))] = -1
    keys = [f"u{n:04d}" for n in range(users)]
    nothing = pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], []], names=recount.LIST))
    world = shop.world(readable=keys)
    now, standing = rows(after), recount.standing(rows(before), world)
    found = recount.compare(now, standing, recount.beside(standing, now), nothing, world)
    assert found.rbo.to_numpy() == pytest.approx(stability.rbo(before, after), abs=1e-9)
    assert found.newcomers.tolist() == stability.replaced(before, after).tolist()
    assert found.had.tolist() == (before >= 0).sum(1).tolist()


def test_rows_of_a_basket_are_the_carts_list_and_old_ones_say_their_own_day():
    lists = pa.table(
        {
            "user_key": ["ann"], "surface": ["home"], "rank": [1], "item_id": ["milk"], "score": [0.0], "reason": ["x"],
            "is_fallback": [True],
        }
    )  # fmt: skip
    carts = pa.table(
        {"context": ["item", "basket"], "context_id": ["milk", "ann"], "rank": [1, 1], "item_id": ["jam", "tea"]}
    )
    found = recount.lists({"recommendations": lists, "cart_recommendations": carts}, date(2017, 6, 1))
    assert found[["user_key", "surface", "item_id"]].to_numpy().tolist() == [
        ["ann", "cart", "tea"],
        ["ann", "home", "milk"],
    ]
    assert found.kept_since.tolist() == [pd.Timestamp(2017, 6, 1)] * 2
    assert len(recount.lists({}, None)) == 0
