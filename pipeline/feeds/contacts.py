"""Cleaning of contacts: sends and the responses to them."""

import ibis
import ibis.expr.types as ir

from pipeline.contracts.feeds import Reason
from pipeline.feeds.drift import BAD_TYPE
from pipeline.feeds.rules import FeedRules, Known, Rule, absent, ahead, refers


def _prepare(rows: ir.Table, known: Known) -> ir.Table:
    """Know whether the campaign had arrived and whether the user was sent it."""
    if known.campaigns is None:
        return rows.mutate(campaign_id_known=ibis.literal(False), was_sent=ibis.literal(False))
    rows = refers(rows, known.campaigns, "campaign_id").mutate(was_sent=ibis.literal(True))
    # A send that goes to quarantine itself is none, in the drop of the response as on an earlier day.
    broken = ibis.or_(rows[BAD_TYPE], *(rule.fill_null(False) for _, rule in _rules(rows, known)))
    sends = rows.filter((rows.contact_kind == "send") & ~broken).select("campaign_id", "user_key", sent_on="ds")
    if known.sends is not None:
        sends = sends.union(known.sends.select("campaign_id", "user_key", "sent_on"))
    first = sends.group_by("campaign_id", "user_key").agg(sent_on=sends.sent_on.min())
    joined = rows.drop("was_sent").left_join(first, ["campaign_id", "user_key"])
    return joined.mutate(was_sent=(joined.sent_on <= joined.ds).fill_null(False)).drop(
        "sent_on", "campaign_id_right", "user_key_right"
    )


def _rules(rows: ir.Table, known: Known) -> list[Rule]:
    return [
        absent(rows, "contact_id", "campaign_id", "user_key", "contact_kind", "ts"),
        (Reason.UNKNOWN_KIND, rows.contact_kind.notin(("send", "response"))),
        ahead(rows, known),
        (Reason.UNKNOWN_CAMPAIGN, ~rows.campaign_id_known),
        (Reason.NOT_SENT, (rows.contact_kind == "response") & ~rows.was_sent),
        (Reason.PROPENSITY_OUT_OF_RANGE, ~rows.contact_propensity.between(0, 1)),
        (Reason.MISSING_VALUE, rows.is_randomised.fill_null(False) & rows.contact_propensity.isnull()),
    ]


RULES = FeedRules(_rules, _prepare)
