"""What is bought together: pairs of items in one basket."""

from datetime import date
from functools import reduce

import ibis
import ibis.expr.types as ir
from ibis import _

from pipeline.features.behaviour import age_days
from pipeline.features.split import known_by

PART = 25_000_000  # lines whose pairs are counted together within a few gigabytes


def parts_of(lines: ir.Table) -> int:
    """In how many parts, a power of two, the pairs of purchases are to be counted; computes how many lines they are."""
    count: int = lines.count().to_pyarrow().as_py()
    return 1 << (count // PART).bit_length()


def pairs(
    lines: ir.Table, as_of: date, *, max_basket: int, min_together: int, window_days: int = 180, parts: int = 1
) -> ir.Table:
    """item_id, other_id, together, item_baskets, other_baskets, all_baskets: pairs in one basket, both directions.

    Args:
        lines: purchases.
        as_of: last day that counts.
        max_basket: larger baskets are left out; a stock-up pairs everything with everything.
        min_together: rarer pairs are left out.
        window_days: days up to `as_of` that count.
        parts: a power of two; pairs are counted in so many parts, so that no engine has to hold all counts at once.
    """
    known = known_by(lines, as_of)
    known = known.filter(age_days(known.ds, as_of) < window_days)
    once = known.select("basket_id", "item_id").distinct()
    sizes = once.group_by("basket_id").agg(size=_.count()).filter(_.size.between(2, max_basket))
    once = once.semi_join(sizes, "basket_id")
    counts = once.group_by("item_id").agg(n=_.count()).filter(_.n >= min_together)
    once = once.semi_join(counts, "item_id")
    of_part = once.item_id.hash() & (parts - 1)
    apart = [once.filter(of_part == part) for part in range(parts)] if parts > 1 else [once]
    together = reduce(ir.Table.union, (_together(one, once.view(), min_together) for one in apart))
    either = together.mutate(turned=ibis.array([False, True]).unnest())
    first, second = either.item_id, either.other_id
    frequent = either.select(
        item_id=ibis.ifelse(either.turned, second, first),
        other_id=ibis.ifelse(either.turned, first, second),
        together="together",
    )
    with_item = frequent.join(counts.select("item_id", item_baskets="n"), "item_id")
    with_both = with_item.join(counts.select(other_id="item_id", other_baskets="n"), "other_id")
    return with_both.cross_join(sizes.agg(all_baskets=_.count()))


def _together(once: ir.Table, others: ir.Table, min_together: int) -> ir.Table:
    """item_id, other_id, together: pairs of which the first is of one table; both directions are one count."""
    both = once.join(others, "basket_id").select(item_id=once.item_id, other_id=others.item_id)
    counted = both.filter(_.item_id < _.other_id).group_by("item_id", "other_id").agg(together=_.count())
    return counted.filter(_.together >= min_together)
