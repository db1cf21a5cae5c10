"""Clocks that are wrong, change, or are told in another zone: the shop's local day decides, the machine's never."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pyarrow as pa
import pytest

from pipeline.contracts.feeds import EVENTS, FEEDS, Reason
from pipeline.feeds import drift, ingest
from tests.chaos.conftest import Matrix, counts
from tests.chaos.dock import Row, bring, open_dock, outputs, shopping
from tests.feeds.conftest import FIRST, Dock

ROOT = Path(__file__).parents[2]
# The day before, of and after a change of the clocks, in zones that change by an hour and by half an hour.
CHANGES = {
    "America/New_York": date(2020, 3, 8),
    "Europe/Berlin": date(2020, 3, 29),
    "Australia/Lord_Howe": date(2020, 4, 5),
}
MAY = date(2020, 5, 1)
EVERY = ["UTC", "Asia/Kolkata", "America/St_Johns"]


def land(dock: Dock, zone: str, upto: date) -> None:
    for feed in ("items", "events"):
        ingest.land(
            dock.connection, dock, dock.root, FEEDS[feed], upto,
            first_day=FIRST, zone=ZoneInfo(zone), secret=dock.secret, origin="corner",
        )  # fmt: skip


@pytest.mark.parametrize("zone", CHANGES)
def test_events_up_to_26_hours_off_are_dated_or_refused_by_the_local_day(
    zone: str, connection: Any, tmp_path: Path, matrix: Matrix
) -> None:
    step = timedelta(minutes=counts(120, 5))
    rows: list[Row] = []
    for day in (CHANGES[zone] + timedelta(n) for n in (-1, 0, 1)):
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        span = range(-int(timedelta(hours=26) / step), int(timedelta(hours=26) / step) + 1)
        rows += [{"event_id": f"{day}/{n}", "ts": noon + n * step, "ds": day} for n in span]
    dock = open_dock(connection, tmp_path)
    bring(dock, rows)
    land(dock, zone, MAY)
    ahead = [row for row in rows if row["ts"].astimezone(ZoneInfo(zone)).date() > row["ds"]]
    expected = {row["event_id"]: Reason.AFTER_BUSINESS_DAY for row in ahead}
    found = dock.refused("events", upto=MAY)
    right = sum(found.get(row["event_id"]) == expected.get(row["event_id"]) for row in rows)
    matrix.row(f"clocks: 26 hours off, {zone}", len(rows), right, f"{len(expected):,} of the future quarantined")
    assert found == expected and 0 < len(expected) < len(rows)


def test_impossible_years_are_quarantined(connection: Any, tmp_path: Path, matrix: Matrix) -> None:
    reasons = {
        1: Reason.BEFORE_FIRST_DAY,
        1970: Reason.BEFORE_FIRST_DAY,
        2100: Reason.AFTER_BUSINESS_DAY,
        9999: Reason.AFTER_BUSINESS_DAY,
    }
    dock = open_dock(connection, tmp_path)
    bring(dock, [{"event_id": str(year), "ts": datetime(year, 6, 1, tzinfo=UTC)} for year in reasons])
    dock.land()
    found = dock.refused("events")
    matrix.row(
        "clocks: years 1, 1970, 2100, 9999", len(reasons), sum(found.get(str(y)) == r for y, r in reasons.items())
    )
    assert found == {str(year): reason for year, reason in reasons.items()}


def test_a_moment_is_the_same_however_it_is_told(matrix: Matrix) -> None:
    """Zoned or naive (then UTC), as text or as a timestamp of any unit."""
    moment = datetime(2020, 3, 8, 6, 59, 59, 250000, tzinfo=UTC)
    india = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    told = {
        "text, Z": pa.array([moment.isoformat().replace("+00:00", "Z")]),
        "text, +05:30": pa.array([india.isoformat()]),
        "text, naive": pa.array([moment.replace(tzinfo=None).isoformat(" ")]),
        "naive, ms": pa.array([moment.replace(tzinfo=None)], pa.timestamp("ms")),
        "naive, ns": pa.array([moment.replace(tzinfo=None)], pa.timestamp("ns")),
        "zoned, us": pa.array([india], pa.timestamp("us", "Asia/Kolkata")),
    }
    good = Dock.rows("events", {})
    right = 0
    for values in told.values():
        rows = good.set_column(good.column_names.index("ts"), "ts", values)
        found, _ = drift.conform(ibis.memtable(rows), EVENTS, text=True)
        right += found.to_pyarrow().column("ts").to_pylist() == [moment]
    matrix.row("clocks: naive and zoned", len(told), right, ", ".join(told))
    assert right == len(told)


HASH = """
import sys
from pathlib import Path
import numpy as np
from pipeline import engine
from tests.chaos.dock import bring, open_dock, outputs, shopping
from tests.feeds.conftest import LAST
dock = open_dock(engine.connect(1), Path(sys.argv[1]))
bring(dock, shopping(np.random.default_rng(1), 20, 60))
dock.land(upto=LAST)
print(outputs(dock, LAST))
"""


def test_the_machine_s_zone_changes_nothing(tmp_path: Path, matrix: Matrix) -> None:
    hashes = {
        zone: subprocess.run(
            [sys.executable, "-c", HASH, str(tmp_path / zone)],
            env=os.environ | {"TZ": zone, "PYTHONPATH": str(ROOT)},
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout
        for zone in EVERY
    }  # fmt: skip
    matrix.row(
        "clocks: TZ of the machine", len(EVERY), max(list(hashes.values()).count(one) for one in hashes.values())
    )
    assert len(set(hashes.values())) == 1 and all(len(one) == 65 for one in hashes.values())


def test_nothing_after_the_business_day_is_in_an_output(connection: Any, tmp_path: Path, matrix: Matrix) -> None:
    tried, survived = counts(2, 20), 0
    for seed in range(tried):
        rows = shopping(np.random.default_rng(seed), 12, 50)
        day = FIRST + timedelta(6)
        whole, known = (open_dock(connection, tmp_path / str(seed), name) for name in ("whole", "known"))
        bring(whole, rows)
        bring(known, [row for row in rows if row["ds"] <= day])
        whole.land(upto=FIRST + timedelta(12))
        known.land(upto=day)
        survived += outputs(whole, day) == outputs(known, day)
    matrix.row("clocks: point in time", tried, survived, "an old day again reads nothing later")
    assert survived == tried
