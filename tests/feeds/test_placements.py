"""Cleaning of placements."""

from collections.abc import Callable
from typing import Any

from pipeline.contracts.feeds import Reason


def test_rules(judge: Callable[..., list[str | None]]) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"store_count": 1}, None),
        ({"store_count": 0}, Reason.NO_STORES),
        ({"store_count": -2}, Reason.NO_STORES),
        ({"item_id": "bread"}, Reason.UNKNOWN_ITEM),
        *(({name: None}, Reason.MISSING_VALUE) for name in ("item_id", "starts_on", "store_count")),
        ({"display_location": None, "mailer_location": None}, None),
    ]
    assert judge("placements", *(change for change, _ in cases)) == [reason for _, reason in cases]


def test_without_a_catalogue_no_item_is_known(empty_dock: Any) -> None:
    empty_dock.bring("placements", {})
    empty_dock.land()
    assert empty_dock.refused("placements") == {"p0": Reason.UNKNOWN_ITEM}
