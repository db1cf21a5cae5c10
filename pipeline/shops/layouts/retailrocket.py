"""RetailRocket: views, carts and transactions, item properties with the time they changed, and a category tree.

All property values but the category and whether the item is available are hashed; there are no titles or prices.
Source: https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset
"""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from pipeline.settings import Shop
from pipeline.shops.layouts.layout import Layout, Made, Raw, moment, numbered

DID = ("timestamp", "visitorid", "event", "itemid")
KINDS = {"view": "view", "addtocart": "add_to_cart", "transaction": "purchase"}


def _events(raw: Mapping[str, ir.Table], _: Shop) -> ir.Table:
    rows = numbered(raw["events"], *DID, "transactionid")
    return rows.select(
        event_id=rows.event_id,
        user_id=rows.visitorid,
        ts=moment(rows.timestamp, per_second=1000),
        kind=rows.event.substitute(KINDS),
        item_id=rows.itemid,
        basket_id=rows.transactionid,
        quantity=ibis.ifelse(rows.event == "transaction", 1, ibis.null("int64")),
    )


def _items(raw: Mapping[str, ir.Table], _shop: Shop) -> ir.Table:
    """An item arrives with its first event, and whenever its category or availability is told."""
    met = raw["events"].select("itemid", "timestamp", property=ibis.null("string"), value=ibis.null("string"))
    told = raw["properties"].select("itemid", "timestamp", "property", "value") if "properties" in raw else met.limit(0)
    rows = told.filter(_.property.isin(("categoryid", "available"))).union(met)
    rows = rows.mutate(ts=moment(rows.timestamp, per_second=1000)).filter(_.ts.notnull() & _.itemid.notnull())
    first = ibis.row_number().over(ibis.window(group_by="itemid", order_by=["ts", "property", "value"]))
    rows = rows.mutate(place=first).filter(_.property.notnull() | (_.place == 0))
    rows = rows.group_by("itemid", "ts").agg(
        category_id=_.value.max(where=_.property == "categoryid"),
        available=_.value.max(where=_.property == "available"),
    )
    rows = _carried(_carried(rows, "category_id"), "available")
    rows = rows.left_join(_paths(raw.get("tree")), "category_id")
    return rows.select(
        item_id=rows.itemid,
        title=ibis.literal("Item ") + rows.itemid,
        title_is_composed=ibis.literal(True),
        category=ibis.coalesce(rows.path, ibis.literal("category ") + rows.category_id),
        in_stock=rows.available == "1",
        price_is_derived=ibis.literal(False),
        sold_by_measure=ibis.literal(False),
        updated_at=rows.ts,
        ts=rows.ts,
    )


def _carried(rows: ir.Table, name: str) -> ir.Table:
    """What was last told of an item stands until something else is."""
    so_far = ibis.window(group_by="itemid", order_by="ts", preceding=None, following=0)
    rows = rows.mutate(told=rows[name].count().over(so_far))
    return rows.mutate(**{name: rows[name].max().over(group_by=["itemid", "told"])}).drop("told")


def _paths(tree: ir.Table | None) -> ir.Table:
    """The path of each category, widest first."""
    rows = [] if tree is None else tree.select("categoryid", "parentid").order_by("categoryid").to_pyarrow().to_pylist()
    parents = {row["categoryid"]: row["parentid"] for row in rows}
    paths = {}
    for category in parents:
        path: list[str] = []
        at: str | None = category
        while at and at not in path:  # a tree that runs in a circle ends, too
            path.insert(0, at)
            at = parents.get(at)
        paths[category] = " > ".join(f"category {part}" for part in path)
    return ibis.memtable(
        pa.table({"category_id": pa.array(paths, pa.string()), "path": pa.array(paths.values(), pa.string())})
    )


LAYOUT = Layout(
    {
        "events": Raw(r"events\.csv(\.gz)?", DID, ("transactionid",)),
        "properties": Raw(r"item_properties.*\.csv(\.gz)?", ("timestamp", "itemid", "property", "value")),
        "tree": Raw(r"category_tree\.csv(\.gz)?", ("categoryid",), ("parentid",)),
    },
    {
        "events": Made(("events",), _events),
        "items": Made(("events", "properties", "tree"), _items, last_of_day="item_id"),
    },
)
