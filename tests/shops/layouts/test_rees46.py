"""REES46: rows to its published schema, and a real slice."""

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

SLICE = Path(__file__).parents[4] / "shared/data/events_rees46"
HEADER = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
FIRST = date(2019, 10, 1)


def test_events_and_the_catalogue_they_tell(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    months = {
        "2019-Oct.csv.gz": HEADER
        + "2019-10-01 10:00:00 UTC,view,7,21,home.bath_soap,own,1.99,u1,s1\n"
        + "2019-10-01 10:00:00 UTC,view,7,21,home.bath_soap,own,1.99,u1,s1\n"
        + "2019-10-01 10:01:00 UTC,cart,7,21,home.bath_soap,own,2.49,u1,s1\n"
        + "2019-10-02 10:02:00 UTC,purchase,7,21,home.bath_soap,own,2.29,u1,s1\n",
        "2019-Nov.csv": HEADER + "2019-10-03 00:00:00 UTC,teleport,8,22,,,0.5,u2,\nnot,a,row\n",
    }
    source = dump("rees46", months, FIRST)
    assert source.days() == (FIRST, date(2019, 10, 3))
    found = sorted(
        (row for row in rows(source, "events") if "misread" not in row), key=lambda row: (row["ts"], row["kind"])
    )
    assert [row["kind"] for row in found] == ["view", "view", "add_to_cart", "purchase", "teleport"]
    assert len({row["event_id"] for row in found}) == 5
    assert {k: v for k, v in found[3].items() if k != "event_id"} == {
        "user_id": "u1", "session_id": "s1", "ts": datetime(2019, 10, 2, 10, 2, tzinfo=UTC), "kind": "purchase",
        "item_id": "7", "basket_id": "s1", "quantity": 1, "amount_cents": 229, "price_cents": 229,
        "ds": date(2019, 10, 2),
    }  # fmt: skip
    assert not {"quantity", "amount_cents", "basket_id"} & found[0].keys()
    assert [row for row in rows(source, "events") if "misread" in row] == [
        {"ds": FIRST, "origin": "2019-Nov.csv:3", "misread": "bad_line"}
    ]
    items = [row for row in rows(source, "items") if "misread" not in row]
    assert [(row["item_id"], row["ds"], row["price_cents"], row["title"]) for row in items] == [
        ("7", FIRST, 249, "own bath soap"),
        ("7", date(2019, 10, 2), 229, "own bath soap"),
        ("8", date(2019, 10, 3), 50, "Item 8"),
    ]
    assert [row["category"] for row in items[1:]] == ["home > bath soap", "category 22"]
    assert all(row["title_is_composed"] and row["price_is_derived"] for row in items)


def test_parts_make_the_whole_whatever_the_order_of_lines(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    lines = [f"2019-10-0{n % 4 + 1} 10:0{n % 3}:00 UTC,view,{n % 5},1,a,b,{n}.5,u{n % 2},s\n" for n in range(40)]
    whole = dump("rees46", {"a.csv": HEADER + "".join(lines)}, FIRST)
    expected = {feed: rows(whole, feed) for feed in ("events", "items")}
    turned = dump("rees46", {"a.csv": HEADER + "".join(reversed(lines))}, FIRST)
    for feed, wanted in expected.items():
        assert rows(turned, feed) == wanted
        cut = date(2019, 10, 2)
        parts = rows(turned, feed, None, cut) + rows(turned, feed, cut)
        assert sorted(map(str, parts)) == sorted(map(str, wanted))


@pytest.mark.skipif(not SLICE.exists(), reason="needs ../shared/data/events_rees46")
def test_the_real_slice_whole(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    with (SLICE / "events.csv").open() as file:
        raw = list(csv.DictReader(file))
    source = dump("rees46", {}, FIRST, path=SLICE)
    events, items = rows(source, "events"), rows(source, "items")
    assert len(events) == len({row["event_id"] for row in events}) == len(raw) == 1000
    paid = sum(round(float(row["price"]) * 100) for row in raw if row["event_type"] == "purchase")
    assert sum(row.get("amount_cents", 0) for row in events) == paid > 0
    assert {row["item_id"] for row in items} == {row["product_id"] for row in raw}
