"""The engine: local days as the time zone database says, contracts held, no reach beyond its inputs."""

import gc
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from pipeline import engine
from pipeline.contracts.table import Column, Table
from pipeline.errors import DataError, NoData

PRICES = Table(
    "prices", "one item", "Prices.", (Column("item", pa.string(), "Item."), Column("cents", pa.int64(), "Price.")),
    ("item",), ("item",), "owner",
)  # fmt: skip
NEW_YORK = ZoneInfo("America/New_York")
CHANGES_2017 = (datetime(2017, 3, 12, 7, tzinfo=UTC), datetime(2017, 11, 5, 6, tzinfo=UTC))
# Far east and west, half hours, changes at midnight, in the south, in the fast month, and none.
ZONES = (
    "America/New_York", "Europe/Vienna", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago",
    "America/Sao_Paulo", "Asia/Beirut", "America/Santiago", "America/Havana", "Australia/Lord_Howe",
    "Africa/Casablanca", "UTC",
)  # fmt: skip


def local_days(instants: list[datetime], zone: ZoneInfo, first: date, last: date, kind: Any) -> list[date]:
    rows = ibis.memtable(pa.table({"n": list(range(len(instants))), "at": pa.array(instants, kind)}))
    days = rows.select("n", day=engine.local_day(rows.at, zone, first, last)).order_by("n")
    return days.to_pyarrow().column("day").to_pylist()


@pytest.mark.parametrize("zone", [ZoneInfo(name) for name in ZONES], ids=str)
def test_local_days_of_a_year_by_brute_force(zone: ZoneInfo) -> None:
    first, last = date(2017, 1, 1), date(2017, 12, 31)
    begins = engine.day_start(first, zone)
    instants = [begins + timedelta(minutes=30 * n) for n in range(48 * 365)]
    days = local_days(instants, zone, first, last, pa.timestamp("us", "UTC"))
    assert days == [at.astimezone(zone).date() for at in instants]
    assert set(days) == {first + timedelta(n) for n in range(365)}


@pytest.mark.parametrize("change", CHANGES_2017)
def test_local_days_by_the_second_around_a_change_of_the_clocks(change: datetime) -> None:
    instants = [change + timedelta(seconds=n) for n in range(-26 * 3600, 26 * 3600, 7)]
    instants += [change + timedelta(microseconds=n) for n in (-1, 0, 1)]
    days = local_days(instants, NEW_YORK, date(2017, 1, 1), date(2017, 12, 31), pa.timestamp("us", "UTC"))
    assert days == [at.astimezone(NEW_YORK).date() for at in instants]


@settings(max_examples=40)
@given(data=st.data(), name=st.sampled_from(ZONES), first=st.dates(date(1990, 1, 1), date(2035, 1, 1)))
def test_local_days_anywhere(data: st.DataObject, name: str, first: date) -> None:
    zone, last = ZoneInfo(name), first + timedelta(data.draw(st.integers(0, 90)))
    begins, ends = engine.day_start(first, zone), engine.day_start(last + timedelta(1), zone)
    inside = st.integers(0, int((ends - begins).total_seconds()) - 1).map(lambda s: begins + timedelta(seconds=s))
    instants = data.draw(st.lists(inside, min_size=1, max_size=20))
    expected = [at.astimezone(zone).date() for at in instants]
    for kind in (pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("s")):  # naive is UTC as well
        given_ = instants if kind.tz else [at.replace(tzinfo=None) for at in instants]
        assert local_days(given_, zone, first, last, kind) == expected


@pytest.mark.parametrize("zone", [ZoneInfo(name) for name in ZONES], ids=str)
def test_a_day_starts_where_the_day_before_ends(zone: ZoneInfo) -> None:
    for day in (date(2017, 1, 1) + timedelta(n) for n in range(365)):
        start = engine.day_start(day, zone)
        assert start.tzinfo is UTC and start.astimezone(zone).date() == day
    # The two days of a change last 23 and 25 hours.
    hours = [
        (engine.day_start(day + timedelta(1), NEW_YORK) - engine.day_start(day, NEW_YORK)) / timedelta(hours=1)
        for day in (date(2017, 3, 12), date(2017, 11, 5), date(2017, 6, 1))
    ]
    assert hours == [23, 25, 24]


def test_rows_are_read_from_all_files_and_none_is_no_data(connection: Any, tmp_path: Path) -> None:
    for n in range(3):
        folder = tmp_path / f"ds=2017-01-0{n + 1}"
        folder.mkdir()
        pq.write_table(pa.table({"item": [f"i{n}"], "cents": [n]}), folder / "rows.parquet")
    rows = engine.read(connection, sorted(tmp_path.glob("*/*.parquet")), PRICES)
    assert rows.columns == ("item", "cents")  # a folder's name adds no column
    assert engine.arrow(rows, PRICES).to_pydict() == {"item": ["i0", "i1", "i2"], "cents": [0, 1, 2]}
    with pytest.raises(NoData, match="prices: nothing has landed; run the ingest stage"):
        engine.read(connection, [], PRICES)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"item": ["a", "a"], "cents": [1, 2]}, "not unique"),
        ({"item": ["a", None], "cents": [1, 2]}, "no item"),
        ({"item": ["a"]}, "cents is missing"),
        ({"item": ["a"], "cents": ["dear"]}, "types"),
    ],
)
def test_what_leaves_the_engine_is_held_to_its_contract(rows: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        engine.arrow(ibis.memtable(pa.table(rows)), PRICES)


def test_the_engine_has_bounds_and_loads_nothing() -> None:
    connection = engine.connect(1, memory_gib=0.25)
    names = ("threads", "memory_limit", "TimeZone", "autoload_known_extensions", "autoinstall_known_extensions")
    facts = {name: connection.raw_sql(f"SELECT current_setting('{name}')").fetchone()[0] for name in names}
    assert facts == dict(zip(names, (1, "256.0 MiB", "UTC", False, False), strict=True))
    with pytest.raises(duckdb.Error, match=r"(?i)extension"):
        connection.raw_sql("SELECT * FROM read_xlsx('prices.xlsx')")


def test_failures_of_memory_and_disk_are_told_as_python_s_own(tmp_path: Path) -> None:
    connection = engine.connect(1, memory_gib=0.05)
    connection.raw_sql("SET temp_directory = ''")
    with pytest.raises(MemoryError, match=r"(?i)memory"), engine.machine_errors():
        connection.raw_sql("SELECT count(DISTINCT md5(i::VARCHAR)) FROM range(3000000) t(i)").fetchall()
    with pytest.raises(OSError, match="gone"), engine.machine_errors():
        connection.raw_sql(f"SELECT * FROM read_parquet('{tmp_path / 'gone.parquet'}')")
    with pytest.raises(OSError, match="I/O error"), engine.machine_errors():
        save_file({"weights": np.zeros(3, np.float32)}, tmp_path / "gone" / "model.safetensors")
    with pytest.raises(SafetensorError), engine.machine_errors():
        load(b"no header")
    with pytest.raises(duckdb.BinderException), engine.machine_errors():
        connection.raw_sql("SELECT nothing")


def test_what_nothing_holds_goes_back_to_the_system() -> None:
    gc.disable()
    try:
        ring: list[object] = [pa.nulls(4 * 2**20, pa.float64())]
        ring.append(ring)
        held = pa.total_allocated_bytes()
        del ring
        engine.give_back()
        assert pa.total_allocated_bytes() <= held - 32 * 2**20
    finally:
        gc.enable()
