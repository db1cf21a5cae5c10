"""The item_facts table: what the shop may say of each item, to anybody."""

import ibis.expr.types as ir
from ibis import _


def rows(items: ir.Table, catalogue: ir.Table) -> ir.Table:
    """One row an item that is goods; a price of nothing is none.

    Args:
        items: newest state of each item, from the feed.
        catalogue: contract `catalogue` of the same night.
    """
    sold = catalogue.filter(_.is_listable).select("item_id", "buyers_recent", "is_recommendable")
    known = items.semi_join(sold, "item_id").select(
        "item_id",
        "title",
        "category",
        "brand",
        "package_size",
        "price_is_derived",
        "currency",
        "in_stock",
        price_cents=(_.price_cents > 0).ifelse(_.price_cents, None),
    )
    return known.join(sold, "item_id")
