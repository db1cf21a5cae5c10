"""Cleaning of campaigns."""

from collections.abc import Callable
from datetime import date
from typing import Any

from pipeline.contracts.feeds import Reason


def test_rules(judge: Callable[..., list[str | None]]) -> None:
    day = date(2020, 3, 10)
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"starts_on": day, "ends_on": day}, None),
        ({"starts_on": day, "ends_on": date(2020, 3, 9)}, Reason.ENDS_BEFORE_START),
        *(({name: None}, Reason.MISSING_VALUE) for name in ("campaign_name", "starts_on", "ends_on")),
        ({"campaign_kind": None, "creative": None, "target_item_ids": None}, None),
        ({"target_item_ids": []}, None),
    ]
    assert judge("campaigns", *(change for change, _ in cases)) == [reason for _, reason in cases]


def test_of_one_day_s_states_the_same_stands_whatever_their_order(dock: Any) -> None:
    states = [{"campaign_id": "twin", "target_item_ids": [item]} for item in ("soap", "milk", "fuel")]
    kept = []
    for order in (states, states[::-1], [*states[1:], states[0]]):
        landing = dock.again()
        landing.root = dock.root / str(len(kept))
        landing.bring("campaigns", *order)
        landing.land("campaigns")
        kept.append([row["target_item_ids"] for row in landing.published("campaigns") if row["campaign_id"] == "twin"])
        assert landing.counts("campaigns") == (4, 2, 0, 2)
    assert kept[0] == kept[1] == kept[2] and len(kept[0]) == 1
