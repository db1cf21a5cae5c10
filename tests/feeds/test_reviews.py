"""Cleaning of reviews: about a known item, by somebody, with stars or words."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipeline.contracts.feeds import Reason


def test_rules(judge: Callable[..., list[str | None]]) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, None),
        ({"stars": None}, None),
        ({"review_text": None}, None),
        ({"stars": None, "review_text": "  "}, Reason.NOTHING_SAID),
        ({"stars": 1.0}, None),
        ({"stars": 5.0}, None),
        ({"stars": 0.5}, Reason.STARS_OUT_OF_RANGE),
        ({"stars": 5.5}, Reason.STARS_OUT_OF_RANGE),
        ({"review_kind": "rant"}, Reason.UNKNOWN_KIND),
        ({"item_id": "never"}, Reason.UNKNOWN_ITEM),
        ({"ts": datetime(2020, 3, 12, tzinfo=UTC)}, Reason.AFTER_BUSINESS_DAY),
        ({"ts": datetime(2019, 3, 12, tzinfo=UTC)}, Reason.BEFORE_FIRST_DAY),
        *(({name: None}, Reason.MISSING_VALUE) for name in ("user_id", "item_id", "ts", "review_kind")),
    ]
    assert judge("reviews", *(change for change, _ in cases)) == [reason for _, reason in cases]


def test_without_a_catalogue_no_review_is_about_anything(empty_dock: Any) -> None:
    empty_dock.bring("reviews", {})
    empty_dock.land()
    assert set(empty_dock.refused("reviews").values()) == {Reason.UNKNOWN_ITEM}
