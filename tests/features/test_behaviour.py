"""What users bought and how items sell, against a second computation in plain Python."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import behaviour
from pipeline.feeds import partitions

Row = dict[str, Any]
CUTS = [date(2017, 1, 1), date(2017, 2, 14), date(2017, 3, 12), date(2017, 3, 19)]


def item_sales(rows: list[Row], as_of: date) -> dict[str, tuple[int, int, int]]:
    found: dict[str, tuple[set[str], set[str], set[str]]] = defaultdict(lambda: (set(), set(), set()))
    for row in rows:
        if row["ds"] <= as_of:
            baskets, buyers, recent = found[row["item_id"]]
            baskets.add(row["basket_id"])
            buyers.add(row["user_key"])
            if row["ds"] > as_of - timedelta(28):
                recent.add(row["user_key"])
    return {item: tuple(len(members) for members in sets) for item, sets in found.items()}  # type: ignore[misc]


def as_dict(table: ibis.Table, *key: str) -> dict[Any, Any]:
    rows = table.to_pyarrow()
    keys, values = rows.select(key).to_pylist(), rows.drop_columns(list(key)).to_pylist()
    found = {}
    for k, v in zip(keys, values, strict=True):
        found[tuple(k.values()) if len(k) > 1 else next(iter(k.values()))] = tuple(v.values())
    assert len(found) == len(rows)
    return found


def test_purchases_are_the_purchases_alone() -> None:
    names = ("user_key", "item_id", "basket_id", "ds", "ts", "quantity", "amount_cents")
    kinds = ["view", "purchase", "rating", "add_to_cart", "purchase"]
    columns = {name: pa.array([None] * 5, pa.string()) for name in (*names, "rating", "query")}
    columns |= {name: pa.array([None] * 5, pa.int64()) for name in ("quantity", "amount_cents")}
    late = datetime(2020, 6, 30, 3, 30, tzinfo=UTC)  # still the 29th in New York; arrived on the 30th
    moments = pa.array([late] * 5, pa.timestamp("us", "UTC"))
    arrived = pa.array([date(2020, 6, 30)] * 5)
    people = {"user_key": ["u"] * 5, "basket_id": [None, "b1", None, None, None]}
    rows = columns | people | {"item_id": list("abcde"), "kind": kinds, "ts": moments, "ds": arrived}
    events = ibis.memtable(pa.table(rows))
    found = behaviour.purchases(events, ZoneInfo("America/New_York"), date(2020, 1, 1), date(2020, 6, 30))
    assert found.columns == names
    rows = found.order_by("item_id").to_pyarrow().to_pylist()
    assert [row["item_id"] for row in rows] == ["b", "e"]
    assert {row["ds"] for row in rows} == {date(2020, 6, 29)} and {row["quantity"] for row in rows} == {1}
    assert [row["basket_id"] for row in rows] == ["b1", "u-2020-06-29"]
    rated = behaviour.purchases(events, ZoneInfo("UTC"), date(2020, 1, 1), date(2020, 6, 30), ("rating",))
    assert rated.to_pyarrow().column("item_id").to_pylist() == ["c"]


@pytest.mark.parametrize("as_of", CUTS)
def test_item_sales_of_the_real_slice_by_brute_force(
    purchases: ibis.Table, purchase_rows: list[Row], as_of: date
) -> None:
    expected = item_sales(purchase_rows, as_of)
    assert as_dict(behaviour.item_sales(purchases, as_of), "item_id") == expected and expected


def test_promoted_items_of_the_real_slice_are_those_of_the_week(landed: Any, connection: Any) -> None:
    placements = partitions.landed(connection, landed.root, "placements", landed.day)
    rows = placements.select("item_id", "starts_on", "store_count", "ds").to_pyarrow().to_pylist()
    for as_of in (date(2017, 2, 12), date(2017, 2, 13), landed.day):
        monday = as_of - timedelta(as_of.weekday())
        expected: dict[str, int] = defaultdict(int)
        for row in rows:
            if row["starts_on"] == monday:
                expected[row["item_id"]] += row["store_count"]
        found = as_dict(behaviour.promoted(placements, as_of), "item_id")
        assert found == {item: (stores,) for item, stores in expected.items()} and len(found) > 100
    assert behaviour.promoted(None, landed.day) is None


@pytest.mark.parametrize(("late", "seen"), [(0, True), (1, False)])
def test_a_placement_that_arrives_after_the_day_is_not_known(late: int, seen: bool) -> None:
    as_of = date(2020, 6, 30)
    row = {"item_id": "a", "starts_on": as_of, "store_count": 4, "ds": as_of + timedelta(late)}
    found = behaviour.promoted(ibis.memtable(pa.Table.from_pylist([row])), as_of)
    assert as_dict(found, "item_id") == ({"a": (4,)} if seen else {})


@settings(max_examples=12)
@given(data=st.data())
def test_neither_the_future_nor_the_order_of_rows_matters(
    data: st.DataObject, toy: Any, unmoved: Callable[..., None]
) -> None:
    past = data.draw(toy.rows(70))

    def found(lines: ibis.Table) -> dict[Any, Any]:
        return as_dict(behaviour.item_sales(lines, toy.as_of), "item_id")

    assert found(toy.lines(past)) == item_sales(past, toy.as_of)
    unmoved(found, past, data)


def test_the_last_day_counts(toy: Any) -> None:
    rows = toy.basket("b1", "u", toy.as_of, "a") + toy.basket("b2", "u", toy.as_of - timedelta(30), "ab")
    assert as_dict(behaviour.item_sales(toy.lines(rows), toy.as_of), "item_id") == {"a": (2, 1, 1), "b": (1, 1, 0)}
