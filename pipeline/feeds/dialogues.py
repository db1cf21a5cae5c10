"""Cleaning of service dialogues."""

import ibis
import ibis.expr.types as ir

from pipeline.contracts.feeds import SPEAKERS, Reason
from pipeline.engine import day_start
from pipeline.feeds.rules import FeedRules, Known, Rule, absent, ahead


def _rules(rows: ir.Table, known: Known) -> list[Rule]:
    return [
        absent(rows, "dialogue_id", "turn", "ts", "speaker", "utterance"),
        (Reason.UNKNOWN_SPEAKER, rows.speaker.notin(SPEAKERS)),
        ahead(rows, known),
        (Reason.BEFORE_FIRST_DAY, rows.ts < ibis.literal(day_start(known.first_day, known.zone))),
        (Reason.NOTHING_SAID, rows.utterance.strip() == ""),
    ]


RULES = FeedRules(_rules)
