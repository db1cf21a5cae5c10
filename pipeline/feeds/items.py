"""Cleaning of the catalogue."""

import ibis.expr.types as ir

from pipeline.contracts.feeds import Reason
from pipeline.feeds.rules import FeedRules, Known, Rule, absent


def _rules(rows: ir.Table, _: Known) -> list[Rule]:
    return [
        absent(rows, "item_id", "title"),
        (Reason.MISSING_VALUE, rows.title.strip() == ""),
        (Reason.NEGATIVE_PRICE, rows.price_cents < 0),
    ]


RULES = FeedRules(_rules, replaces=True)
