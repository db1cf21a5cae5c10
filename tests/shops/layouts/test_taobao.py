"""Taobao UserBehavior: rows to its published schema."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

FIRST = date(2017, 11, 25)
ROWS = """1,2268318,2520377,pv,1511544070
1,2268318,2520377,pv,1511544070
1,2333346,2520771,buy,1511561733
2,2333346,2520771,fav,1511664000
2,2576651,149192,cart,1511664001
2,2576651,149192,cart,99999999999999
3,5,5
"""


def test_events_and_items(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    source = dump("taobao", {"UserBehavior.csv": ROWS}, FIRST)
    assert source.days() == (date(2017, 11, 25), date(2017, 11, 26))
    found = rows(source, "events")
    assert [row["misread"] for row in found if "misread" in row] == ["bad_line"]
    read = [row for row in found if "misread" not in row]
    assert len({row["event_id"] for row in read}) == len(read) == 6
    assert sorted((row["user_id"], row["kind"], row.get("quantity", 0)) for row in read) == [
        ("1", "purchase", 1), ("1", "view", 0), ("1", "view", 0), ("2", "add_to_cart", 0), ("2", "add_to_cart", 0),
        ("2", "click", 0),
    ]  # fmt: skip
    (bought,) = [row for row in read if row["kind"] == "purchase"]
    assert bought["ts"] == datetime(2017, 11, 24, 22, 15, 33, tzinfo=UTC) and bought["ds"] == FIRST
    assert "amount_cents" not in bought
    # A time stamp that is none has no day: it arrives on the first, to be quarantined there.
    (timeless,) = [row for row in read if "ts" not in row]
    assert timeless["ds"] == FIRST
    items = [row for row in rows(source, "items") if "misread" not in row]
    assert [(row["item_id"], row["title"], row["category"], row["ds"]) for row in items] == [
        ("2268318", "Item 2268318", "category 2520377", FIRST),
        ("2333346", "Item 2333346", "category 2520771", FIRST),
        ("2576651", "Item 2576651", "category 149192", date(2017, 11, 26)),
    ]
