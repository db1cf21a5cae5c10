"""Daily drops as arrivals: days, late and changed files, and types across files."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.contracts.feeds import FEEDS
from pipeline.errors import NoData
from pipeline.feeds import drift
from pipeline.settings import Shop
from pipeline.shops.landing import Landing
from pipeline.shops.source import Arrivals

HEADER = "event_id,user_id,ts,kind,item_id\n"
D1, D2, D3 = date(2020, 3, 1), date(2020, 3, 2), date(2020, 3, 3)


@pytest.fixture
def source(landing_shop: Callable[..., Shop], connection: Any) -> Any:
    opened = Landing(landing_shop(), connection)
    yield opened
    opened.intake.parser.close()


@pytest.fixture
def put(source: Landing) -> Callable[..., Path]:
    def written(day: object, name: str, *ids: str, feed: str = "events", header: str = HEADER) -> Path:
        path = Path(source.intake.limits.path, feed, f"ds={day}", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + "".join(f"{key},u1,{day}T10:00:00Z,view,soap\n" for key in ids))
        return path

    return written


def ids(arrived: Arrivals | None) -> dict[str, date]:
    assert arrived is not None
    return {row["event_id"]: row["ds"] for row in arrived.rows.select("event_id", "ds").to_pyarrow().to_pylist()}


def test_days_are_those_of_the_folders(source: Landing, put: Callable[..., Path]) -> None:
    with pytest.raises(NoData, match=r"docs/landing\.md"):
        source.days()
    put(D2, "a.csv", "e1")
    put("2020-02-01", "a.csv", "e0", feed="items")
    put("2020-13-45", "a.csv", "e0")
    assert source.days() == (source.shop.first_day, D2)


def test_each_range_brings_its_folders_and_the_first_what_was_there_before(
    source: Landing, put: Callable[..., Path]
) -> None:
    put("2020-02-01", "a.csv", "e0")
    put(D1, "a.csv", "e1")
    put(D2, "a.csv", "e2")
    put(D2, "b.jsonl", header='{"event_id": "e3"}\n')
    first = source.arrivals("events", None, D1, {})
    assert ids(first) == {"e0": D1, "e1": D1} and first is not None
    second = source.arrivals("events", D1, D2, first.files)
    assert ids(second) == {"e2": D2, "e3": D2} and second is not None and second.text
    assert ids(source.arrivals("events", D2, D3, {**first.files, **second.files})) == {}
    assert source.arrivals("users", None, D2, {}) is None


def test_new_and_changed_files_of_earlier_days_come_late(source: Landing, put: Callable[..., Path]) -> None:
    kept = put(D1, "a.csv", "e1")
    first = source.arrivals("events", None, D2, {})
    assert first is not None
    put(D1, "late.csv", "e2")
    put(D3, "a.csv", "e3")
    assert ids(source.arrivals("events", D2, D3, first.files)) == {"e2": D3, "e3": D3}
    put(D1, "a.csv", "e1", "e4")
    changed = source.arrivals("events", D2, D3, first.files)
    assert ids(changed) == {"e1": D3, "e4": D3, "e2": D3, "e3": D3} and changed is not None
    shutil.copy(kept, kept.with_name("again.csv"))
    again = source.arrivals("events", D3, date(2020, 3, 4), {**first.files, **changed.files})
    assert ids(again) == {"e1": date(2020, 3, 4), "e4": date(2020, 3, 4)}


def test_files_outside_a_day_s_folder_are_told_not_lost(source: Landing, put: Callable[..., Path]) -> None:
    put("2020-13-45", "a.csv", "e0")
    put(D1, "deep/a.csv".replace("/", "-"), "e1")
    (Path(source.intake.limits.path) / "events/b.csv").write_text(HEADER)
    first = source.arrivals("events", None, D1, {})
    assert first is not None and ids(first) == {"e1": D1}
    assert {file.address: file.reason for file in first.refused} == {
        "events/b.csv": "misplaced",
        "events/ds=2020-13-45/a.csv": "misplaced",
    }
    again = source.arrivals("events", D1, D2, first.files)
    assert again is not None and not again.refused and not again.files


def test_text_is_cast_by_the_contract_and_damage_is_beside_it(source: Landing, put: Callable[..., Path]) -> None:
    path = put(D1, "a.csv", "e1", header="event_id,user_id,ts,kind,item_id\n")
    path.write_text(path.read_text() + "e2,u1,not a time,view,soap\ne3,short\n")
    arrived = source.arrivals("events", None, D1, {})
    assert arrived is not None
    rows, notes = drift.conform(arrived.rows, FEEDS["events"], text=arrived.text)
    found = {row["origin"]: row for row in rows.to_pyarrow().to_pylist()}
    assert found["events/ds=2020-03-01/a.csv:2"]["ts"] == datetime(2020, 3, 1, 10, tzinfo=UTC)
    assert found["events/ds=2020-03-01/a.csv:3"]["bad_type"] and not found["events/ds=2020-03-01/a.csv:2"]["bad_type"]
    assert found["events/ds=2020-03-01/a.csv:4"]["misread"] == "bad_line"
    assert all("missing" in note for note in notes)


def test_a_feed_of_which_no_line_could_be_read_is_no_drift(source: Landing, put: Callable[..., Path]) -> None:
    put(D1, "a.jsonl", header="{\n[]\n")
    arrived = source.arrivals("events", None, D1, {})
    assert arrived is not None
    rows, notes = drift.conform(arrived.rows, FEEDS["events"], text=arrived.text)
    assert rows.select("misread").to_pyarrow().column("misread").to_pylist() == ["bad_line"] * 2 and notes == []


def test_parquet_keeps_its_types_and_meets_text(source: Landing, put: Callable[..., Path]) -> None:
    path = put(D1, "a.parquet")
    moment = pa.array([datetime(2020, 3, 1, 9, tzinfo=UTC)], pa.timestamp("ns", "UTC"))
    table = pa.table({"event_id": ["p"], "user_id": ["u"], "ts": moment, "kind": ["view"], "position": [3]})
    pq.write_table(table, path)
    alone = source.arrivals("events", None, D1, {})
    assert alone is not None and not alone.text
    (row,) = drift.conform(alone.rows, FEEDS["events"])[0].to_pyarrow().to_pylist()
    assert (row["ts"], row["position"]) == (datetime(2020, 3, 1, 9, tzinfo=UTC), 3)
    put(D1, "b.csv", "c")
    both = source.arrivals("events", None, D1, {})
    assert both is not None and both.text
    rows = drift.conform(both.rows, FEEDS["events"], text=True)[0].to_pyarrow().to_pylist()
    assert {row["event_id"]: row["ts"].hour for row in rows} == {"p": 9, "c": 10}


@pytest.mark.parametrize("name", ['x"; DROP TABLE t; --.csv', "$(touch x).csv", "a b'c.csv", "näme.csv", "*.csv"])
def test_hostile_names_of_files_and_columns_are_words_like_others(
    source: Landing, put: Callable[..., Path], name: str
) -> None:
    put(D1, name, "e1", header='event_id,user_id,ts,kind,"a""; DROP TABLE t; --"\n')
    arrived = source.arrivals("events", None, D1, {})
    assert arrived is not None and ids(arrived) == {"e1": D1}
    _, notes = drift.conform(arrived.rows, FEEDS["events"], text=True)
    assert any('a"; DROP TABLE t; --: not in the contract' in note for note in notes)
    (origin,) = arrived.rows.select("origin").to_pyarrow().column("origin").to_pylist()
    assert origin == f"events/ds={D1}/{name}:2"


def test_an_object_store_is_a_folder_like_others(landing_shop: Callable[..., Shop], connection: Any) -> None:
    import fsspec

    with fsspec.open(f"memory://drops/events/ds={D1}/a.csv", "w") as file:
        file.write(HEADER + "e1,u,2020-03-01T10:00:00Z,view,soap\n")
    source = Landing(landing_shop(path="memory://drops"), connection)
    assert source.days() == (D1, D1)
    assert ids(source.arrivals("events", None, D1, {})) == {"e1": D1}
