"""Cleaning of contacts: a response counts when the user was sent that campaign before."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipeline.contracts.feeds import Reason

RESPONSE = {"contact_kind": "response"}


def test_rules(judge: Callable[..., list[str | None]]) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"is_randomised": True, "contact_propensity": 0.0}, None),
        ({"is_randomised": True, "contact_propensity": 1.0}, None),
        ({"is_randomised": True, "contact_propensity": 1.01}, Reason.PROPENSITY_OUT_OF_RANGE),
        ({"contact_propensity": -0.1}, Reason.PROPENSITY_OUT_OF_RANGE),
        ({"is_randomised": True}, Reason.MISSING_VALUE),
        ({"is_randomised": None}, None),
        ({"contact_kind": "open"}, Reason.UNKNOWN_KIND),
        ({"ts": datetime(2020, 3, 12, tzinfo=UTC)}, Reason.AFTER_BUSINESS_DAY),
        ({"campaign_id": "autumn"}, Reason.UNKNOWN_CAMPAIGN),
        *(({name: None}, Reason.MISSING_VALUE) for name in ("campaign_id", "user_id", "contact_kind", "ts")),
        (RESPONSE, None),
        ({**RESPONSE, "user_id": "u2"}, Reason.NOT_SENT),
    ]
    assert judge("contacts", *(change for change, _ in cases)) == [reason for _, reason in cases]


def test_a_response_counts_from_the_day_of_the_send_on(dock: Any) -> None:
    """The send arrived on the tenth: a response of the ninth knew nothing of it."""
    for n in (9, 10, 11):
        at = datetime(2020, 3, n, 17, tzinfo=UTC)
        dock.bring("contacts", {**RESPONSE, "contact_id": f"answer{n}", "ts": at}, ds=date(2020, 3, n))
    daily = dock.again()
    for n in (9, 10, 11):
        daily.land(upto=date(2020, 3, n))
    dock.land(upto=date(2020, 3, 11))
    for landed in (dock, daily):
        assert landed.refused("contacts") == {"answer9": Reason.NOT_SENT}
        assert landed.counts("contacts") == (4, 3, 1, 0)


@pytest.mark.parametrize(
    "broken",
    [{"campaign_id": "autumn"}, {"ts": None}, {"ts": datetime(2020, 4, 1, tzinfo=UTC)}, {"contact_propensity": 2.0}],
)
def test_a_send_in_quarantine_is_none(dock: Any, broken: dict[str, Any]) -> None:
    """Landed in one drop with its response or a day before, it says the same."""
    dock.bring("campaigns", {"campaign_id": "autumn"}, ds=date(2020, 3, 11))
    dock.bring("contacts", {"contact_id": "send-u2", "user_id": "u2", **broken})
    answer = {**RESPONSE, "user_id": "u2", "contact_id": "answer", "campaign_id": broken.get("campaign_id", "spring")}
    dock.bring("contacts", answer, ds=date(2020, 3, 11))
    daily = dock.again()
    for n in (10, 11):
        daily.land(upto=date(2020, 3, n))
    dock.land(upto=date(2020, 3, 11))
    assert dock.refused("contacts") == daily.refused("contacts")
    assert dock.refused("contacts")["answer"] == Reason.NOT_SENT and len(dock.refused("contacts")) == 2


def test_without_campaigns_every_contact_is_refused(empty_dock: Any) -> None:
    empty_dock.bring("contacts", {}, RESPONSE)
    empty_dock.land()
    assert empty_dock.refused("contacts") == {"s0": Reason.UNKNOWN_CAMPAIGN, "s1": Reason.UNKNOWN_CAMPAIGN}
