"""Cleaning of behaviour events: unit rules, ranges, references."""

import ibis
import ibis.expr.types as ir

from pipeline.contracts.feeds import DEVICES, KINDS, MAX_PIECES, SURFACES, Reason
from pipeline.engine import day_start
from pipeline.feeds.rules import FeedRules, Known, Rule, absent, ahead


def _prepare(rows: ir.Table, known: Known) -> ir.Table:
    """Know each item's arrival and unit; goods sold by measure count as one piece."""
    if known.items is None:
        return rows.mutate(item_known=ibis.literal(False))
    joined = rows.left_join(known.items, "item_id").drop("item_id_right")
    measured = (joined.measured_since <= joined.ds).fill_null(False)
    return joined.mutate(
        item_known=(joined.known_since <= joined.ds).fill_null(False),
        quantity=ibis.ifelse(measured & (joined.quantity > 0), 1, joined.quantity),
        price_cents=ibis.ifelse(measured, ibis.null("int64"), joined.price_cents),
    ).drop("known_since", "measured_since")


def _rules(rows: ir.Table, known: Known) -> list[Rule]:
    purchase = rows.kind == "purchase"
    return [
        absent(rows, "event_id", "user_key", "ts", "kind"),
        (Reason.UNKNOWN_KIND, rows.kind.notin(KINDS)),
        (Reason.UNKNOWN_SURFACE, rows.surface.notnull() & rows.surface.notin(SURFACES)),
        (Reason.UNKNOWN_DEVICE, rows.device.notnull() & rows.device.notin(DEVICES)),
        ahead(rows, known),
        (Reason.BEFORE_FIRST_DAY, rows.ts < ibis.literal(day_start(known.first_day, known.zone))),
        (Reason.MISSING_VALUE, purchase & (rows.item_id.isnull() | rows.quantity.isnull())),
        (Reason.MISSING_VALUE, purchase & rows.amount_cents.isnull() & known.priced),
        (Reason.UNKNOWN_ITEM, rows.item_id.notnull() & ~rows.item_known),
        (Reason.NON_POSITIVE_AMOUNT, purchase & (rows.amount_cents <= 0)),
        (Reason.NON_POSITIVE_QUANTITY, purchase & (rows.quantity <= 0)),
        (Reason.IMPLAUSIBLE_QUANTITY, purchase & (rows.quantity > MAX_PIECES)),
        (Reason.NEGATIVE_PRICE, rows.price_cents < 0),
        (Reason.RATING_OUT_OF_RANGE, ~rows.rating.between(0, 5)),
    ]


RULES = FeedRules(_rules, _prepare)
