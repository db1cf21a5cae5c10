"""Users and items as arrays: each number is the one of the tables they are made of."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import behaviour, sequences
from pipeline.features import history as histories
from pipeline.features.history import History, Items, bought_between, items
from pipeline.features.timeline import Timeline
from pipeline.feeds import partitions
from pipeline.models import open_baskets

AS_OF, LATER, ALL = date(2017, 3, 12), date(2017, 3, 19), 10**6
MATRICES = ("baskets", "weight", "age", "gap")


def space_of(ids: list[str], unlisted: str = "") -> Items:
    listable = np.array([name != unlisted for name in sorted(ids)])
    return Items(pa.array(sorted(ids)), listable, listable, np.arange(len(ids)))


def history(lines: ibis.Table, placements: ibis.Table | None, space: Items, as_of: date, last: date) -> History:
    """As of a day, of purchases up to another."""
    timeline = Timeline.from_tables(*Timeline.of(lines, space.ids, last).tables())
    return histories.history(timeline, placements, space, as_of)


@pytest.fixture(scope="module")
def space(purchases: ibis.Table) -> Items:
    """The items that were ever bought, and one that never was."""
    known = purchases.select("item_id").distinct()
    return space_of([*known.to_pyarrow().column("item_id").to_pylist(), "zzz"])


@pytest.fixture(scope="module")
def placements(landed: Any, connection: Any) -> ibis.Table:
    rows = partitions.landed(connection, landed.root, "placements", landed.day)
    return ibis.memtable(rows.filter(rows.starts_on > ibis.literal(date(2017, 2, 26))).to_pyarrow())


@pytest.fixture(scope="module")
def known(purchases: ibis.Table, placements: ibis.Table, space: Items) -> History:
    return history(purchases, placements, space, AS_OF, LATER)


def test_an_item_s_place_is_its_place_among_sorted_ids() -> None:
    catalogue = pa.table({
        "item_id": ["a", "b", "c"], "is_recommendable": [True, False, False], "is_listable": [True, True, False],
        "text_hash": ["y", "x", "y"],
    })  # fmt: skip
    found = items(catalogue, pa.array(["x", "y"]))
    assert found.text.tolist() == [1, 0, 1] and found.recommendable.tolist() == [True, False, False]
    assert found.listable.tolist() == [True, True, False]
    assert found.index(pa.chunked_array([["c", "?"], [None, "a"]])).tolist() == [2, -1, -1, 0]


def habits(rows: list[dict[str, Any]], as_of: date) -> dict[tuple[str, str], tuple[float, ...]]:
    """baskets, recent weight, days since the last and one, mean gap by user and item."""
    visits: dict[tuple[str, str], set[tuple[str, date]]] = defaultdict(set)
    for row in rows:
        if row["ds"] <= as_of:
            visits[row["user_key"], row["item_id"]].add((row["basket_id"], row["ds"]))
    found = {}
    for key, seen in visits.items():
        days = sorted({day for _, day in seen})
        weight = sum(round(2 ** (-(as_of - day).days / 30) * 1e6) for _, day in seen) / 1e6
        gaps = [(later - sooner).days for sooner, later in pairwise(days)]
        found[key] = (len(seen), weight, (as_of - days[-1]).days + 1, sum(gaps) / len(gaps) if gaps else 0.0)
    return found


@pytest.mark.parametrize("as_of", [date(2017, 1, 1), date(2017, 2, 14), AS_OF])
def test_matrices_hold_what_is_counted_by_hand(
    purchases: ibis.Table, purchase_rows: list[dict[str, Any]], space: Items, as_of: date
) -> None:
    known, expected = history(purchases, None, space, as_of, LATER), habits(purchase_rows, as_of)
    users, ids = known.users.to_pylist(), space.ids.to_pylist()
    assert users == sorted({user for user, _ in expected})
    dense = {name: getattr(known, name).toarray() for name in MATRICES}
    assert all(matrix.shape == (len(users), len(ids)) for matrix in dense.values())
    user_at, item_at = {name: n for n, name in enumerate(users)}, {name: n for n, name in enumerate(ids)}
    for (user, item), numbers in expected.items():
        at = user_at[user], item_at[item]
        assert [dense[name][at] for name in MATRICES] == pytest.approx(numbers, rel=1e-6)
    # Nothing beyond those rows: an age of zero means never.
    assert np.count_nonzero(dense["age"]) == np.count_nonzero(dense["baskets"]) == len(expected) > 40


def test_weight_halves_in_thirty_days(toy: Any) -> None:
    rows = toy.basket("b1", "u", toy.as_of, "a") + toy.basket("b2", "u", toy.as_of - timedelta(30), "ab")
    found = history(toy.lines(rows), None, space_of(["a", "b"]), toy.as_of, toy.as_of)
    assert [getattr(found, name).toarray().tolist() for name in MATRICES] == [
        [[2, 1]],
        [[1.5, 0.5]],
        [[1, 31]],
        [[30, 0]],
    ]


def test_lines_are_those_of_every_user_in_order(known: History, purchases: ibis.Table, space: Items) -> None:
    rows = sequences.recent(purchases, AS_OF, ALL).to_pyarrow().to_pylist()
    starts = known.lines.start
    assert len(starts) == len(known.users) + 1 and starts[-1] == len(rows) == len(known.lines.item)
    baskets = []
    for n, user in enumerate(known.users.to_pylist()):
        mine = slice(starts[n], starts[n + 1])
        expected = [row for row in rows if row["user_key"] == user]
        assert [space.ids[i].as_py() for i in known.lines.item[mine]] == [row["item_id"] for row in expected]
        assert known.lines.age[mine].tolist() == [row["age"] for row in expected]
        baskets += list(zip(known.lines.basket[mine].tolist(), (row["basket_id"] for row in expected), strict=True))
    numbers, names = zip(*baskets, strict=True)
    assert list(numbers) == sorted(numbers)
    assert len(set(baskets)) == len(set(numbers)) == len(set(names))


def test_sales_and_promotion_stand_at_the_item_s_place(
    known: History, purchases: ibis.Table, placements: ibis.Table, space: Items
) -> None:
    for found, table, column in (
        (known.buyers_recent, behaviour.item_sales(purchases, AS_OF), "buyers_recent"),
        (known.stores, behaviour.promoted(placements, AS_OF), "stores"),
    ):
        numbers = {row["item_id"]: row[column] for row in table.to_pyarrow().to_pylist()}
        assert found.tolist() == [numbers.get(item, 0) for item in space.ids.to_pylist()] and found.any()
    assert known.buyers_recent[-1] == 0


def test_without_placements_no_store_promotes(purchases: ibis.Table, space: Items) -> None:
    assert not history(purchases, None, space, AS_OF, AS_OF).stores.any()


def flat(found: History) -> dict[str, Any]:
    """Comparable values of every array."""
    values = {
        name: value for name, value in (vars(found) | vars(found.lines)).items() if name not in ("as_of", "lines")
    }
    return {
        name: value.toarray().tolist() if sp.issparse(value) else value.tolist()
        for name, value in values.items()
        if name != "users"
    } | {"users": found.users.to_pylist()}


@settings(max_examples=8)
@given(data=st.data())
def test_neither_the_future_nor_the_order_of_rows_matters(
    data: st.DataObject, toy: Any, unmoved: Callable[..., None]
) -> None:
    past = data.draw(toy.rows(60).filter(bool))
    unmoved(lambda lines: flat(history(lines, None, space_of(list(toy.items)), toy.as_of, date.max)), past, data)


def test_nobody_and_nothing_make_empty_arrays(toy: Any) -> None:
    found = history(toy.lines([]), None, space_of(["a", "b"]), toy.as_of, toy.as_of)
    assert len(found.users) == 0 and found.baskets.shape == (0, 2) and found.lines.start.tolist() == [0]
    assert len(found.lines.item) == len(found.lines.basket) == 0


def test_a_weight_is_the_same_number_as_in_the_table(connection: Any) -> None:
    """What the engine's power gives and what numpy's does are rounded to the same millionths, for every age."""
    ages = ibis.memtable(pa.table({"age": np.arange(4000)}))
    micro = (2.0 ** (-ages.age.cast("float64") / behaviour.HALF_LIFE_DAYS) * behaviour.MILLIONTHS).round()
    told = connection.to_pyarrow(ages.select("age", micro=micro.cast("int64")).order_by("age"))
    assert histories._weights(4000).tolist() == told.column("micro").to_pylist()


def test_some_users_keep_their_rows_and_every_item_its_sales(known: History) -> None:
    chosen = np.flatnonzero(np.diff(known.lines.start) > 3)[::2]
    some = known.only(chosen)
    assert some.users.to_pylist() == known.users.take(pa.array(chosen)).to_pylist() and len(chosen) > 10
    for name in MATRICES:
        assert (getattr(some, name) != getattr(known, name)[chosen]).nnz == 0
    assert some.buyers_recent is known.buyers_recent and some.stores is known.stores
    for place, user in enumerate(chosen):
        here, there = slice(*some.lines.start[[place, place + 1]]), slice(*known.lines.start[[user, user + 1]])
        for name in ("item", "basket", "age"):
            assert getattr(some.lines, name)[here].tolist() == getattr(known.lines, name)[there].tolist()
    assert some.lines.start[-1] == len(some.lines.item)
    assert len(known.only(chosen[:0]).users) == 0


def test_purchases_of_a_range_are_of_listable_goods_and_known_users(toy: Any) -> None:
    day = toy.as_of
    rows = [
        *toy.basket("b0", "u", day - timedelta(7), "a"),  # the day before the range
        *toy.basket("b1", "u", day - timedelta(6), "bb"),
        *toy.basket("b2", "v", day, "abc"),
        *toy.basket("b3", "v", day, "f"),  # in no catalogue
        *toy.basket("b4", "w", day, "a"),  # nobody we know
        *toy.basket("b5", "u", day + timedelta(1), "a"),
    ]
    users = pa.array(["u", "v"])
    found = bought_between(toy.lines(rows), users, space_of(list("abc"), unlisted="c"), day - timedelta(7), day)
    assert found.toarray().tolist() == [[False, True, False], [True, True, False]] and found.dtype == bool


@pytest.mark.parametrize("as_of", [date(2017, 1, 5), AS_OF])
def test_the_open_basket_is_the_newest(
    purchases: ibis.Table, purchase_rows: list[dict[str, Any]], space: Items, as_of: date
) -> None:
    rows = [row for row in purchase_rows if row["ds"] <= as_of]
    moments = {(row["user_key"], row["basket_id"]): row["ts"] for row in sorted(rows, key=lambda row: row["ts"])}
    newest = {user: max((at, b) for (u, b), at in moments.items() if u == user)[1] for user, _ in moments}
    expected = {(row["user_key"], row["item_id"]) for row in rows if newest[row["user_key"]] == row["basket_id"]}
    known = history(purchases, None, space, as_of, LATER)
    user, item = open_baskets.last(known).nonzero()
    found = zip(known.users.take(pa.array(user)).to_pylist(), space.ids.take(pa.array(item)).to_pylist(), strict=True)
    assert set(found) == expected and len(newest) > 10
