"""H&M: purchases by day, articles, and customers with their age.

Prices are scaled by an unknown factor, so no amount is known. A row is one piece; equal rows are several. Days have no
hour: midday UTC, which is the same local day from UTC-11 to UTC+11.
Source: https://www.kaggle.com/c/h-and-m-personalized-fashion-recommendations
"""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from pipeline.settings import Shop
from pipeline.shops.layouts.layout import MOMENT, Layout, Made, Raw, numbered

BOUGHT = ("t_dat", "customer_id", "article_id", "price", "sales_channel_id")
BANDS = ((19, "under 19"), (25, "19-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64"))


def _events(raw: Mapping[str, ir.Table], _: Shop) -> ir.Table:
    rows = numbered(raw["transactions"], *BOUGHT)
    store = ibis.ifelse(rows.sales_channel_id == "1", ibis.literal("store"), ibis.null("string"))
    return rows.select(
        event_id=rows.event_id,
        user_id=rows.customer_id,
        ts=(rows.t_dat + " 12:00:00").try_cast(MOMENT),
        kind=ibis.literal("purchase"),
        item_id=rows.article_id,
        surface=store,
        device=store,
        quantity=ibis.literal(1),
    )


def _items(raw: Mapping[str, ir.Table], shop: Shop) -> ir.Table:
    rows = raw["articles"]
    return rows.select(
        item_id=rows.article_id,
        title=rows.prod_name,
        title_is_composed=ibis.literal(False),
        description=rows.detail_desc,
        category=ibis.literal(" > ").join([rows.index_group_name, rows.product_group_name, rows.product_type_name]),
        price_is_derived=ibis.literal(False),
        sold_by_measure=ibis.literal(False),
        ds=ibis.literal(shop.first_day),
    )


def _users(raw: Mapping[str, ir.Table], shop: Shop) -> ir.Table:
    rows = raw["customers"]
    age = rows.age.try_cast("float64")
    bands = [(age < below, ibis.literal(band)) for below, band in BANDS]
    return rows.select(
        user_id=rows.customer_id,
        age_band=ibis.cases((age.isnull(), ibis.null("string")), *bands, else_="65+"),
        ds=ibis.literal(shop.first_day),
    )


LAYOUT = Layout(
    {
        "transactions": Raw(r"transactions_train\.(csv|parquet)(\.gz)?", BOUGHT),
        "articles": Raw(
            r"articles\.(csv|parquet)(\.gz)?",
            ("article_id", "prod_name"),
            ("product_type_name", "product_group_name", "index_group_name", "detail_desc"),
        ),
        "customers": Raw(r"customers\.(csv|parquet)(\.gz)?", ("customer_id",), ("age",)),
    },
    {
        "events": Made(("transactions",), _events),
        "items": Made(("articles",), _items),
        "users": Made(("customers",), _users),
    },
)
