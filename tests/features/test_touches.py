"""Touches and ratings as of a day, beside plain counts of the same rows."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pyarrow as pa
import pytest

from pipeline.contracts.feeds import EVENTS
from pipeline.features import touches
from pipeline.features.history import Items

ZONE, FIRST, LAST = ZoneInfo("America/New_York"), date(2017, 1, 1), date(2017, 1, 31)
SPACE = Items(pa.array(["a", "b", "c"]), np.ones(3, bool), np.ones(3, bool), np.arange(3))
SCHEMA = pa.schema([field.with_nullable(True) for field in EVENTS.landed.schema])


def event(user: str, kind: str, item: str | None, day: int, hour: int = 12, **more: Any) -> dict[str, Any]:
    return {"user_key": user, "kind": kind, "item_id": item, "ts": datetime(2017, 1, day, hour, tzinfo=UTC), **more}


ROWS = [
    event("u", "view", "a", 3, surface="home"),
    event("u", "view", "a", 4, surface="email"),
    event("u", "click", "b", 4, surface="home"),
    event("v", "add_to_cart", "b", 5, hour=3),  # still the fourth in New York
    event("v", "purchase", "b", 4, surface="home"),
    event("v", "view", None, 4, surface="home"),
    event("v", "search", "c", 4),
    event("w", "view", "unknown", 4),
    event("u", "rating", "a", 2, rating=4.5),
    event("v", "rating", "a", 6, rating=3.0),
    event("v", "rating", "c", 6, rating=1.0),
    event("v", "rating", "c", 6),
]


@pytest.fixture(scope="module")
def events() -> ibis.Table:
    return ibis.memtable(pa.Table.from_pylist(ROWS, SCHEMA))


def test_a_touch_is_a_view_a_click_or_what_is_put_into_a_basket_on_its_local_day(events: ibis.Table) -> None:
    rows = touches.touches(events, ZONE, FIRST, LAST).to_pyarrow().to_pylist()
    assert Counter((row["user_key"], row["item_id"], row["ds"].day) for row in rows) == Counter(
        [("u", "a", 3), ("u", "a", 4), ("u", "b", 4), ("v", "b", 4), ("w", "unknown", 4)]
    )


def test_touches_are_counted_by_user_and_item_in_a_range_of_days(events: ibis.Table) -> None:
    rows, users = touches.touches(events, ZONE, FIRST, LAST), pa.array(["u", "v"])
    counted = touches.touched_between(rows, users, SPACE, date(2017, 1, 2), date(2017, 1, 4))
    assert counted.toarray().tolist() == [[2, 1, 0], [0, 1, 0]]
    after = touches.touched_between(rows, users, SPACE, date(2017, 1, 3), date(2017, 1, 4))
    assert after.toarray().tolist() == [[1, 1, 0], [0, 1, 0]]
    home = touches.touched_between(touches.on_surfaces(rows, ("home", "cart")), users, SPACE, FIRST, LAST)
    assert home.toarray().tolist() == [[1, 1, 0], [0, 0, 0]]


def test_a_mean_rating_is_drawn_to_the_mean_of_all_and_knows_nothing_of_later(events: ibis.Table) -> None:
    rows = touches.ratings(events, ZONE, FIRST, LAST)
    assert touches.mean_ratings(rows, SPACE, date(2017, 1, 5)) == pytest.approx([4.5, 0, 0])
    mean = 8.5 / 3
    expected = [(7.5 + 10 * mean) / 12, 0, (1 + 10 * mean) / 11]
    assert touches.mean_ratings(rows, SPACE, LAST) == pytest.approx(expected)
    assert touches.mean_ratings(rows, SPACE, FIRST).tolist() == [0, 0, 0]
