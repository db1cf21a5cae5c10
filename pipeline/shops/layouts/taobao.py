"""Taobao UserBehavior: page views, carts, favourites and purchases; a CSV file without a header.

Nothing but ids is told of items: titles are composed and prices unknown. A favourite is no kind of our own: it lands as
a click, the weakest sign of interest there is, rather than being lost.
Source: https://tianchi.aliyun.com/dataset/649
"""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
from ibis import _

from pipeline.settings import Shop
from pipeline.shops.layouts.layout import Layout, Made, Raw, moment, numbered

COLUMNS = ("user", "item", "category", "behavior", "seconds")
KINDS = {"pv": "view", "buy": "purchase", "cart": "add_to_cart", "fav": "click"}


def _events(raw: Mapping[str, ir.Table], _: Shop) -> ir.Table:
    rows = numbered(raw["events"], *COLUMNS)
    return rows.select(
        event_id=rows.event_id,
        user_id=rows.user,
        ts=moment(rows.seconds),
        kind=rows.behavior.substitute(KINDS),
        item_id=rows.item,
        quantity=ibis.ifelse(rows.behavior == "buy", 1, ibis.null("int64")),
    )


def _items(raw: Mapping[str, ir.Table], _shop: Shop) -> ir.Table:
    """An item arrives with its first event, in the category of that event."""
    rows = raw["events"].mutate(ts=moment(_.seconds)).filter(_.ts.notnull() & _.item.notnull())
    place = ibis.row_number().over(ibis.window(group_by="item", order_by=["ts", "category"]))
    rows = rows.mutate(place=place).filter(_.place == 0)
    return rows.select(
        item_id=rows.item,
        title=ibis.literal("Item ") + rows.item,
        title_is_composed=ibis.literal(True),
        category=ibis.literal("category ") + rows.category,
        price_is_derived=ibis.literal(False),
        sold_by_measure=ibis.literal(False),
        ts=rows.ts,
    )


LAYOUT = Layout(
    {"events": Raw(r".*\.csv(\.gz)?", COLUMNS, header=COLUMNS)},
    {"events": Made(("events",), _events), "items": Made(("events",), _items)},
)
