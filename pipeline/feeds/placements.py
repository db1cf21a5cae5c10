"""Cleaning of placements: where the shop showed an item."""

import ibis
import ibis.expr.types as ir

from pipeline.contracts.feeds import Reason
from pipeline.feeds.rules import FeedRules, Known, Rule, absent, refers


def _prepare(rows: ir.Table, known: Known) -> ir.Table:
    if known.items is None:
        return rows.mutate(item_id_known=ibis.literal(False))
    return refers(rows, known.items, "item_id")


def _rules(rows: ir.Table, _: Known) -> list[Rule]:
    return [
        absent(rows, "placement_id", "item_id", "starts_on", "store_count"),
        (Reason.UNKNOWN_ITEM, ~rows.item_id_known),
        (Reason.NO_STORES, rows.store_count <= 0),
    ]


RULES = FeedRules(_rules, _prepare)
