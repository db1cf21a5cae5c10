"""The text by which an item is known to the encoder, and the catalogue as models see it."""

from string import Formatter

import ibis
import ibis.expr.types as ir

from pipeline.errors import ConfigError
from pipeline.feeds import harmful


def item_text(items: ir.Table, template: str) -> ir.StringValue:
    """Fill a template such as `{title}, {brand} brand` from item columns, lower case, spaces single.

    Raises:
        ConfigError: the template is malformed, names no column, or one that items lack.
    """
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(f"encoder.item_text: '{template}': {error}; write columns as {{title}}") from error
    if all(piece[1] is None for piece in pieces):
        raise ConfigError(f"encoder.item_text: '{template}': names no column; write columns as {{title}}")
    parts: list[ir.StringValue] = []
    for literal, name, _spec, _conversion in pieces:
        if literal:
            parts.append(ibis.literal(literal))
        if name is not None:
            if name not in items.columns:
                raise ConfigError(
                    f"encoder.item_text: items have no column '{name}'; choose from {', '.join(items.columns)}"
                )
            parts.append(items[name].cast("string").fill_null(""))
    text = parts[0]
    for part in parts[1:]:
        text = text + part
    return text.lower().re_replace(r"\s+", " ").strip()


def catalogue(items: ir.Table, sales: ir.Table, template: str, never: tuple[str, ...]) -> ir.Table:
    """Contract `catalogue`: newest state of each item with its text, sales, and whether it may stand in a list.

    An item whose title is harmful stands in none, and no words made of the catalogue name it.

    Args:
        items: one row an item.
        sales: `behaviour.item_sales` as of the day.
        template: see `item_text`.
        never: widest categories that are never recommended.
    """
    joined = items.left_join(sales, "item_id").drop("item_id_right")
    text = item_text(joined, template)
    bad = harmful.is_harmful(joined.title)
    counts = {name: joined[name].fill_null(0) for name in ("baskets", "buyers", "buyers_recent")}
    goods = listable(joined, never) & ~bad
    # Where a shop tells prices, what has none is not for sale; where it tells none, that says nothing.
    sells_by_price = joined.price_cents.max().over(ibis.window()).notnull()
    return joined.select(
        "item_id",
        "category",
        "brand",
        "price_cents",
        title=bad.ifelse(harmful.MASK, joined.title),
        item_text=text,
        text_hash=text.hexdigest("sha256"),
        **counts,
        is_listable=goods,
        is_recommendable=goods
        & (counts["buyers_recent"] > 0)
        & ((joined.price_cents > 0).fill_null(False) | ~sells_by_price)
        & joined.in_stock.fill_null(True),
    )


def listable(items: ir.Table, never: tuple[str, ...]) -> ir.BooleanValue:
    """Goods that a list may hold at all, whatever they sell now: no fuel, no service lines."""
    widest = items.category.split(" > ")[0].fill_null("")
    return widest.notin(never) & ~items.sold_by_measure if never else ~items.sold_by_measure
