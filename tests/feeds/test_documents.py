"""Cleaning of documents: each says something, and a later arrival replaces the earlier."""

from collections.abc import Callable
from datetime import date
from typing import Any

from pipeline.contracts.feeds import Reason


def test_rules(judge: Callable[..., list[str | None]]) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, None),
        ({"document_kind": "rumour"}, Reason.UNKNOWN_KIND),
        ({"document_text": "\n"}, Reason.NOTHING_SAID),
        *(({name: None}, Reason.MISSING_VALUE) for name in ("document_title", "document_text", "document_kind")),
    ]
    assert judge("documents", *(change for change, _ in cases)) == [reason for _, reason in cases]


def test_a_new_text_is_no_duplicate(dock: Any) -> None:
    for day, text in ((9, "30 days"), (10, "14 days")):
        dock.bring("documents", {"document_id": "returns", "document_text": text}, ds=date(2020, 3, day))
    dock.land()
    assert [row["document_text"] for row in dock.published("documents")] == ["30 days", "14 days"]
