"""Cleaning of policies, answers and guides."""

import ibis.expr.types as ir

from pipeline.contracts.feeds import DOCUMENT_KINDS, Reason
from pipeline.feeds.rules import FeedRules, Known, Rule, absent


def _rules(rows: ir.Table, _: Known) -> list[Rule]:
    return [
        absent(rows, "document_id", "document_title", "document_text", "document_kind"),
        (Reason.UNKNOWN_KIND, rows.document_kind.notin(DOCUMENT_KINDS)),
        (Reason.NOTHING_SAID, rows.document_text.strip() == ""),
    ]


RULES = FeedRules(_rules, replaces=True)
