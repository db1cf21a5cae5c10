"""What is said of items: goods alone, and no price of nothing."""

import ibis
import pyarrow as pa

from pipeline.contracts.tables import ITEM_FACTS
from pipeline.tables import item_facts

SOLD = ("buyers_recent", "is_recommendable")


def item(number, price=100, **more):
    plain = {"title": "Milk", "category": "DAIRY", "brand": None, "package_size": "1 ga", "price_is_derived": True}
    return {"item_id": number, "price_cents": price, "currency": "USD", "in_stock": None} | plain | more


def sold(number, **more):
    return {"item_id": number, "buyers_recent": 2, "is_listable": True, "is_recommendable": True} | more


def made(items, catalogue):
    schema = pa.schema([field.with_nullable(True) for field in ITEM_FACTS.schema if field.name not in SOLD])
    found = item_facts.rows(
        ibis.memtable(pa.Table.from_pylist(items, schema)), ibis.memtable(pa.Table.from_pylist(catalogue))
    ).to_pyarrow()
    return {row["item_id"]: row for row in ITEM_FACTS.enforce(found.select(ITEM_FACTS.names)).to_pylist()}


def test_goods_are_told_with_how_they_sell():
    (row,) = made([item("1"), item("2")], [sold("1"), sold("2", is_listable=False)]).values()
    assert (row["item_id"], row["price_cents"], row["buyers_recent"], row["is_recommendable"]) == ("1", 100, 2, True)


def test_what_costs_nothing_has_no_price_to_tell():
    rows = made([item("1", 0), item("2", None), item("3", -5)], [sold(number) for number in "123"])
    assert [row["price_cents"] for row in rows.values()] == [None, None, None]
