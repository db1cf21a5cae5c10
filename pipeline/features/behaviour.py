"""What users bought and how items sell, as of a day. Sums run on integers, so they are the same in any order."""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
from ibis import _

from pipeline.engine import local_day
from pipeline.features.split import known_by

BOUGHT = ("purchase",)  # kinds of events that are orders
HALF_LIFE_DAYS = 30
RECENT_DAYS = 28
MILLIONTHS = 1_000_000


def purchases(
    events: ir.Table, zone: ZoneInfo, first_day: date, last_day: date, signals: Sequence[str] = BOUGHT
) -> ir.Table:
    """One row a basket line: user_key, item_id, basket_id, ds, ts, quantity, amount_cents.

    `ds` is the local day of the purchase itself: an event that arrived late counts as if it had been on time.
    Without basket ids a user's day is one basket.

    Args:
        events: landed events that have arrived by the business day.
        zone: the shop's time zone.
        first_day: the shop's first day.
        last_day: the business day.
        signals: kinds of events that count as taking an item.
    """
    taken = events.filter(_.kind.isin(signals) & _.item_id.notnull())
    day = local_day(taken.ts, zone, first_day, last_day)
    return taken.select(
        "user_key",
        "item_id",
        basket_id=ibis.coalesce(taken.basket_id, taken.user_key + ibis.literal("-") + day.cast("string")),
        ds=day,
        ts=taken.ts,
        quantity=taken.quantity.fill_null(1),
        amount_cents=taken.amount_cents,
    )


def age_days(day: ir.DateValue, as_of: date) -> ir.IntegerValue:
    """Whole days from a day to the cut."""
    return ibis.literal(as_of).delta(day, unit="day")


def item_sales(lines: ir.Table, as_of: date, recent_days: int = RECENT_DAYS) -> ir.Table:
    """item_id, baskets, buyers, buyers_recent: sales of each item as of a day, and lately."""
    known = known_by(lines, as_of)
    recent = age_days(known.ds, as_of) < recent_days
    return known.group_by("item_id").agg(
        baskets=_.basket_id.nunique(), buyers=_.user_key.nunique(), buyers_recent=_.user_key.nunique(where=recent)
    )


def promoted(placements: ir.Table | None, as_of: date) -> ir.Table | None:
    """item_id, stores: stores that display or mail the item in the week of a day; None without placements."""
    if placements is None:
        return None
    known = known_by(placements, as_of)
    return (
        known.filter(age_days(known.starts_on, as_of).between(0, 6)).group_by("item_id").agg(stores=_.store_count.sum())
    )
