"""Amazon Reviews 2018 and 2023: rows to their published schema, and the real slice of gift cards."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.shops.layouts.amazon import _plain

GIFT_CARDS = Path(__file__).parents[4] / "shared/data/gift_cards"
REVIEW = {
    "overall": 4.0, "verified": True, "reviewTime": "06 14, 2018", "reviewerID": "A1", "asin": "B1",
    "reviewerName": "Jo", "reviewText": "Nice<br />&amp; cheap, 3 < 5", "summary": "Ok", "unixReviewTime": 1528934400,
}  # fmt: skip
META = {
    "category": ["Home", "Bath &amp; Body", "Home"], "description": ["<p>Soft.</p>", "", "Mild"],
    "title": "Soap <b>bar</b>", "brand": "Own", "price": "$1,025.50", "asin": "B1", "also_buy": [],
}  # fmt: skip
DAY = date(2018, 6, 14)
FIRST = date(2018, 1, 1)


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_2018(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    other = REVIEW | {"asin": "B2", "reviewText": None, "unixReviewTime": 1528934401}
    untitled = META | {"asin": "B2", "title": "", "price": ".a-box-inner{color:#fff}", "description": []}
    bare = {"asin": "B3", "title": None, "category": [], "brand": "", "price": "$5.99 - $12.00"}
    source = dump(
        "amazon_2018",
        {
            "Soap_5.json.gz": lines(REVIEW, REVIEW, other) + "{broken\n",
            "meta_Soap.json.gz": lines(META, untitled, bare),
        },
        FIRST,
    )
    assert source.days() == (FIRST, DAY)
    lost, *reviews = sorted(rows(source, "reviews"), key=lambda row: row["ds"])
    assert lost == {"ds": FIRST, "origin": "Soap_5.json.gz:4", "misread": "bad_line"}
    assert len({row["review_id"] for row in reviews}) == 2 and len(reviews) == 3
    assert {k: v for k, v in reviews[0].items() if k != "review_id"} == {
        "user_id": "A1", "item_id": reviews[0]["item_id"], "ts": reviews[0]["ts"], "stars": 4.0, "review_title": "Ok",
        "review_kind": "review", "ds": DAY,
    } | ({"review_text": "Nice & cheap, 3 < 5"} if reviews[0]["item_id"] == "B1" else {})  # fmt: skip
    assert {row["ts"] for row in reviews} == {datetime(2018, 6, 14, 0, 0, n, tzinfo=UTC) for n in (0, 1)}
    events = [row for row in rows(source, "events") if "misread" not in row]
    assert {(row["event_id"], row["kind"], row["rating"]) for row in events} == {
        (row["review_id"], "rating", 4.0) for row in reviews
    }
    assert rows(source, "items") == [
        {
            "item_id": "B1", "title": "Soap bar", "title_is_composed": False, "description": "Soft. Mild",
            "category": "Home > Bath & Body", "brand": "Own", "price_cents": 102550, "price_is_derived": False,
            "currency": "USD", "sold_by_measure": False, "ds": FIRST,
        },
        {
            "item_id": "B2", "title": "Own, Home > Bath & Body", "title_is_composed": True,
            "category": "Home > Bath & Body", "brand": "Own", "price_is_derived": False, "sold_by_measure": False,
            "ds": FIRST,
        },
        {
            "item_id": "B3", "title": "Item B3", "title_is_composed": True, "price_is_derived": False,
            "sold_by_measure": False, "ds": FIRST,
        },
    ]  # fmt: skip


def test_2023(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    review = {
        "rating": 5.0, "title": "Yes", "text": "Good", "images": [], "asin": "B1v", "parent_asin": "B1",
        "user_id": "AE2", "timestamp": 1528934400500, "helpful_vote": 0, "verified_purchase": True,
    }  # fmt: skip
    meta = {
        "main_category": "Beauty", "title": "Soap", "features": [], "description": ["Mild"], "price": 7.99,
        "store": "Own", "categories": ["Home", "Bath"], "details": {"Size": "1"}, "parent_asin": "B1",
    }  # fmt: skip
    priceless = meta | {"parent_asin": "B2", "price": "from 14.99"}
    source = dump("amazon_2023", {"Soap.jsonl.gz": lines(review), "meta_Soap.jsonl.gz": lines(meta, priceless)}, FIRST)
    (found,) = rows(source, "reviews")
    moment = datetime(2018, 6, 14, 0, 0, 0, 500_000, tzinfo=UTC)
    assert (found["item_id"], found["user_id"], found["ts"], found["review_text"]) == ("B1", "AE2", moment, "Good")
    one, two = rows(source, "items")
    assert (one["price_cents"], one["category"], one["brand"], one["title"]) == (799, "Home > Bath", "Own", "Soap")
    assert "price_cents" not in two and "currency" not in two


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a <b>c</b>", "a c"), ("1 < 2 > 0", "1 < 2 > 0"), ("I <3 it", "I <3 it"), ("&lt;i&gt;x&lt;/i&gt;", "x"),
        ("<!-- no -->x\n\ny", "x y"), ("&#34;q&#34;", '"q"'), ("", ""),
    ],
)  # fmt: skip
def test_web_page_remains_go_and_text_stays(text: str, plain: str) -> None:
    assert _plain(text) == plain


@pytest.mark.skipif(not GIFT_CARDS.exists(), reason="needs ../shared/data/gift_cards")
def test_gift_cards_whole(dump: Any, rows: Callable[..., list[dict[str, Any]]]) -> None:
    with gzip.open(GIFT_CARDS / "Gift_Cards_5.json.gz") as file:
        raw = [json.loads(line) for line in file]
    source = dump("amazon_2018", {}, date(2005, 1, 1), path=GIFT_CARDS)
    reviews, events, items = (rows(source, feed) for feed in ("reviews", "events", "items"))
    said = {
        tuple(row.get(k) for k in ("reviewerID", "asin", "unixReviewTime", "overall", "summary", "reviewText"))
        for row in raw
    }
    assert len(reviews) == len(events) == len(raw) == 2972 and not any("misread" in row for row in reviews)
    assert len({row["review_id"] for row in reviews}) == len(said)
    assert len(items) == 1547 and {row["item_id"] for row in reviews} <= {row["item_id"] for row in items}
    assert sum(row["stars"] for row in reviews) == sum(row["overall"] for row in raw)
    assert not any("<" in row["title"] for row in items) and not any(row["title_is_composed"] for row in items)
    assert all(row["ds"] == row["ts"].date() for row in reviews)
