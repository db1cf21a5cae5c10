"""Cleaning of dialogues: somebody known by role said something."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipeline.contracts.feeds import Reason


def test_rules(judge: Callable[..., list[str | None]]) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, None),
        ({"user_id": None}, None),  # a visitor who has not signed in
        ({"speaker": "parrot"}, Reason.UNKNOWN_SPEAKER),
        ({"utterance": " "}, Reason.NOTHING_SAID),
        ({"ts": datetime(2020, 3, 12, tzinfo=UTC)}, Reason.AFTER_BUSINESS_DAY),
        ({"ts": datetime(2019, 3, 12, tzinfo=UTC)}, Reason.BEFORE_FIRST_DAY),
        *(({name: None}, Reason.MISSING_VALUE) for name in ("dialogue_id", "ts", "speaker", "utterance")),
    ]
    assert judge("dialogues", *(change for change, _ in cases)) == [reason for _, reason in cases]
