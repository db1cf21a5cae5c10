"""Cleaning of the catalogue: a later arrival replaces, a wrong one does not."""

from collections.abc import Callable
from datetime import date
from typing import Any

from pipeline.contracts.feeds import Reason
from pipeline.feeds import partitions


def test_rules(judge: Callable[..., list[str | None]]) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"price_cents": 0}, None),
        ({"price_cents": None}, None),
        ({"price_cents": -1}, Reason.NEGATIVE_PRICE),
        ({"title": None}, Reason.MISSING_VALUE),
        ({"title": " \t "}, Reason.MISSING_VALUE),
        ({"title_is_composed": None, "sold_by_measure": None, "price_is_derived": None}, None),  # left out means no
        ({"category": None, "brand": None, "in_stock": None, "currency": None}, None),
    ]
    assert judge("items", *(change for change, _ in cases)) == [reason for _, reason in cases]


def test_the_newest_good_state_of_an_item_stands(dock: Any) -> None:
    states = [("Soap", 1), ("Soap, new", 5), ("", 9)]
    for title, day in states:
        dock.bring("items", {"item_id": "bar", "title": title}, ds=date(2020, 3, day))
    dock.land("items")
    rows = partitions.landed(dock.connection, dock.root, "items", date(2020, 3, 10))
    newest = partitions.latest(rows, "item_id").filter(lambda t: t.item_id == "bar").to_pyarrow().to_pylist()
    assert [row["title"] for row in newest] == ["Soap, new"]
    assert dock.counts("items") == (6, 5, 1, 0)
