"""Schema drift: a changed drop does to each feed what its verdict in the contract says, written out here again."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Drift
from pipeline.errors import DataError
from tests.chaos.conftest import Matrix
from tests.chaos.dock import open_dock
from tests.feeds.conftest import DAY, GOOD, Dock

# One feed of each verdict, with a column it may lack, one it must have, and a value to give other types.
FEED = {Drift.EVOLVE: "items", Drift.FREEZE: "campaigns", Drift.DISCARD_ROW: "events", Drift.DISCARD_VALUE: "users"}
OPTIONAL = {"items": "brand", "campaigns": "creative", "events": "store_id", "users": "age_band"}
REQUIRED = {"items": "title", "campaigns": "campaign_name", "events": "kind", "users": "user_id"}
VALUE = {"items": "price_cents", "campaigns": "starts_on", "events": "price_cents", "users": "created_at"}
LANDS, NOTED, REFUSED, NULLED, STOPS = "lands", "lands, noted", "row quarantined", "value null, noted", "night stops"
Change = Callable[[pa.Table, str], pa.Table]


def put(rows: pa.Table, name: str, values: Any) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, values)


def texts(rows: pa.Table, name: str, broken: bool) -> pa.Table:
    good = [str(value) for value in rows.column(name).to_pylist()]
    return put(rows, name, pa.array(["no such value", *good[1:]] if broken else good))


CHANGES: dict[str, Change] = {
    "columns in another order": lambda rows, feed: rows.select(rows.column_names[::-1]),
    "column added": lambda rows, feed: rows.append_column("colour", pa.array(["red"] * len(rows))),
    "optional column dropped": lambda rows, feed: rows.drop_columns(OPTIONAL[feed]),
    "required column dropped": lambda rows, feed: rows.drop_columns(REQUIRED[feed]),
    "optional column renamed": lambda rows, feed: rows.rename_columns({OPTIONAL[feed]: "colour"}),
    "name in another case": lambda rows, feed: rows.rename_columns({REQUIRED[feed]: REQUIRED[feed].upper()}),
    "to string, parsable": lambda rows, feed: texts(rows, VALUE[feed], broken=False),
    "to string, one not parsable": lambda rows, feed: texts(rows, VALUE[feed], broken=True),
    "nested value": lambda rows, feed: put(rows, VALUE[feed], pa.array([{"value": 1}] * len(rows))),
    "narrower integer": lambda rows, feed: put(rows, VALUE[feed], rows.column(VALUE[feed]).cast(pa.int32())),
    "to float, whole": lambda rows, feed: put(rows, VALUE[feed], rows.column(VALUE[feed]).cast(pa.float64())),
    "to float, one broken": lambda rows, feed: put(rows, VALUE[feed], pa.array([1.5, 150.0])),
}
# What each change does under each verdict, in FEED's order; None where the feed has no number to change.
EXPECTED = {
    "columns in another order": (LANDS, LANDS, LANDS, LANDS),
    "column added": (NOTED, STOPS, NOTED, NOTED),
    "optional column dropped": (NOTED, STOPS, NOTED, NOTED),
    "required column dropped": (STOPS, STOPS, STOPS, STOPS),
    "optional column renamed": (NOTED, STOPS, NOTED, NOTED),
    "name in another case": (STOPS, STOPS, STOPS, STOPS),
    "to string, parsable": (NOTED, STOPS, NOTED, NOTED),
    "to string, one not parsable": (REFUSED, STOPS, REFUSED, NULLED),
    "nested value": (REFUSED, STOPS, REFUSED, NULLED),
    "narrower integer": (NOTED, None, NOTED, None),
    "to float, whole": (NOTED, None, NOTED, None),
    "to float, one broken": (REFUSED, None, REFUSED, None),
}


def outcome(dock: Dock, feed: str, rows: pa.Table) -> str:
    """What the drop did; every row of it is accounted for."""
    dock.tables[feed] = rows
    before = dock.counts(feed)
    try:
        notes = dock.land("items", feed)
    except DataError as error:
        assert f"feed {feed}" in str(error) and "mend the drop" in str(error)
        assert dock.counts(feed) == before
        return STOPS
    arrived, published, quarantined, deduplicated = (a - b for a, b in zip(dock.counts(feed), before, strict=True))
    assert arrived == len(rows) == published + quarantined + deduplicated
    if quarantined:
        return REFUSED
    values = [row[VALUE[feed]] for row in dock.published(feed) if row["ds"] == DAY]
    return NULLED if None in values else NOTED if notes else LANDS


def test_every_change_meets_its_verdict(connection: Any, tmp_path: Path, matrix: Matrix) -> None:
    wrong, tried = [], 0
    for change, verdicts in EXPECTED.items():
        for (drift, feed), expected in zip(FEED.items(), verdicts, strict=True):
            if expected is None:
                continue
            assert FEEDS[feed].raw.drift is drift
            dock = open_dock(connection, tmp_path, f"{change}-{feed}")
            dock.land(upto=dock.tables["items"].column("ds")[0].as_py())
            found = outcome(dock, feed, CHANGES[change](Dock.rows(feed, {}, {}), feed))
            tried += 1
            if found != expected:
                wrong.append(f"{change}, {feed} ({drift}): {found}, not {expected}")
    matrix.row("schema drift", tried, tried - len(wrong), "each change under each verdict of the contracts")
    assert not wrong, wrong


def test_the_good_rows_land_without_a_word(connection: Any, tmp_path: Path) -> None:
    """Else the changes above would be noticed for another reason."""
    for feed in FEED.values():
        dock = open_dock(connection, tmp_path, feed)
        dock.land(upto=dock.tables["items"].column("ds")[0].as_py())
        assert outcome(dock, feed, Dock.rows(feed, {}, {})) == LANDS
    assert GOOD["events"]["ts"] == datetime(2020, 3, 10, 16, tzinfo=UTC)
