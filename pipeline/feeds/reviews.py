"""Cleaning of reviews, questions and answers."""

import ibis
import ibis.expr.types as ir

from pipeline.contracts.feeds import REVIEW_KINDS, Reason
from pipeline.engine import day_start
from pipeline.feeds.rules import FeedRules, Known, Rule, absent, ahead, refers


def _prepare(rows: ir.Table, known: Known) -> ir.Table:
    """Know whether the item had arrived."""
    if known.items is None:
        return rows.mutate(item_id_known=ibis.literal(False))
    return refers(rows, known.items, "item_id")


def _rules(rows: ir.Table, known: Known) -> list[Rule]:
    return [
        absent(rows, "review_id", "user_key", "item_id", "ts", "review_kind"),
        (Reason.UNKNOWN_KIND, rows.review_kind.notin(REVIEW_KINDS)),
        ahead(rows, known),
        (Reason.BEFORE_FIRST_DAY, rows.ts < ibis.literal(day_start(known.first_day, known.zone))),
        (Reason.UNKNOWN_ITEM, ~rows.item_id_known),
        (Reason.STARS_OUT_OF_RANGE, ~rows.stars.between(1, 5)),
        (Reason.NOTHING_SAID, rows.stars.isnull() & (rows.review_text.fill_null("").strip() == "")),
    ]


RULES = FeedRules(_rules, _prepare)
