"""REES46: views, carts and purchases of a store, a CSV file a month. The catalogue is what the events say of an item.

A purchase is of one piece at the price of its event. `category_code` is a path with dots, empty for small goods.
Source: https://rees46.com/en/datasets
"""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
from ibis import _

from pipeline.settings import Shop
from pipeline.shops.layouts.layout import MOMENT, Layout, Made, Raw, cents, numbered

COLUMNS = ("event_time", "event_type", "product_id", "user_id")
OTHERS = ("category_id", "category_code", "brand", "price", "user_session")
KINDS = {"view": "view", "cart": "add_to_cart", "remove_from_cart": "remove_from_cart", "purchase": "purchase"}


def _timed(raw: Mapping[str, ir.Table]) -> ir.Table:
    rows = raw["events"]
    return rows.mutate(ts=rows.event_time.re_replace(r" UTC$", "").try_cast(MOMENT))


def _events(raw: Mapping[str, ir.Table], _: Shop) -> ir.Table:
    rows = numbered(_timed(raw), *COLUMNS, *OTHERS)
    bought = rows.event_type == "purchase"
    return rows.select(
        event_id=rows.event_id,
        user_id=rows.user_id,
        session_id=rows.user_session,
        ts=rows.ts,
        # A type the publisher does not list stays as it is and is quarantined.
        kind=rows.event_type.substitute(KINDS),
        item_id=rows.product_id,
        basket_id=ibis.ifelse(bought, rows.user_session, ibis.null("string")),
        quantity=ibis.ifelse(bought, 1, ibis.null("int64")),
        amount_cents=ibis.ifelse(bought, cents(rows.price), ibis.null("int64")),
        price_cents=cents(rows.price),
    )


def _items(raw: Mapping[str, ir.Table], shop: Shop) -> ir.Table:
    """Each day on which an item was met it arrives as the day's last event shows it."""
    rows = _timed(raw).filter(_.ts.notnull() & _.product_id.notnull())
    path = rows.category_code.replace(".", " > ").replace("_", " ")
    kind = rows.category_code.re_extract(r"([^.]+)$", 1).replace("_", " ").nullif("")
    return rows.select(
        item_id=rows.product_id,
        title=ibis.coalesce(rows.brand + " " + kind, kind, rows.brand, ibis.literal("Item ") + rows.product_id),
        title_is_composed=ibis.literal(True),
        category=ibis.coalesce(path, ibis.literal("category ") + rows.category_id),
        brand=rows.brand,
        price_cents=cents(rows.price),
        price_is_derived=ibis.literal(True),
        currency=ibis.literal(shop.currency),
        sold_by_measure=ibis.literal(False),
        ts=rows.ts,
    )


LAYOUT = Layout(
    {"events": Raw(r".*\.csv(\.gz)?", COLUMNS, OTHERS)},
    {"events": Made(("events",), _events), "items": Made(("events",), _items, last_of_day="item_id")},
)
