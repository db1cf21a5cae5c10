"""Cleaning of users: a missing consent flag stays missing, which is no consent."""

import ibis.expr.types as ir

from pipeline.feeds.rules import FeedRules, Known, Rule, absent


def _rules(rows: ir.Table, _: Known) -> list[Rule]:
    return [absent(rows, "user_key")]


RULES = FeedRules(_rules, replaces=True)
