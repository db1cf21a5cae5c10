"""Cleaning of campaigns."""

import ibis.expr.types as ir

from pipeline.contracts.feeds import Reason
from pipeline.feeds.rules import FeedRules, Known, Rule, absent


def _rules(rows: ir.Table, _: Known) -> list[Rule]:
    return [
        absent(rows, "campaign_id", "campaign_name", "starts_on", "ends_on"),
        (Reason.ENDS_BEFORE_START, rows.ends_on < rows.starts_on),
    ]


RULES = FeedRules(_rules, replaces=True)
