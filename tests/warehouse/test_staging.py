"""The writer: the same rows are the same bytes, a table is staged whole or not, facts are those of the file."""

import hashlib
import resource
import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contracts.table import Column, Table
from pipeline.errors import ConfigError, DataError, NoData
from pipeline.warehouse import durable
from pipeline.warehouse.snapshot import history
from pipeline.warehouse.staging import Staging

DAY = date(2020, 1, 1)
WIDE = Table(
    "wide",
    "one name and place",
    "Every kind of column.",
    (
        Column("name", pa.string(), "Name."),
        Column("place", pa.int32(), "Place."),
        Column("real", pa.float64(), "Real."),
        Column("flag", pa.bool_(), "Flag."),
        Column("many", pa.list_(pa.string()), "Many."),
    ),
    ("name", "place"),
    ("place", "name"),
    "owner",
)
ROWS = st.lists(
    st.tuples(
        st.text(max_size=3),
        st.integers(-3, 3),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.booleans(),
        st.none() | st.lists(st.text(max_size=2), max_size=2),
    ),
    max_size=15,
    unique_by=lambda row: row[:2],
)


def table(rows: list[tuple]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(WIDE.names, row, strict=True)) for row in rows], WIDE.schema)


@settings(max_examples=40)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_same_rows_are_the_same_bytes(rows, random):
    with tempfile.TemporaryDirectory() as folder:
        first = Staging.open(Path(folder), DAY, "first").write(WIDE, table(rows))
        shuffled = table(random.sample(rows, len(rows)))
        chunked = pa.concat_tables([shuffled.slice(0, 2), shuffled.slice(2)])
        second = Staging.open(Path(folder), DAY, "second").write(WIDE, chunked)
        assert first == second
        assert Staging.open(Path(folder), DAY, "second").read("wide").equals(WIDE.enforce(table(rows)))


def test_facts_are_those_of_the_file(house):
    facts = house.stage(1).tables()["prices"]
    data = Staging.open(house.root, house.day(1), "night").path("prices").read_bytes()
    assert (facts.rows, facts.bytes, facts.sha256) == (3, len(data), hashlib.sha256(data).hexdigest())
    assert facts.fingerprint == house.prices.fingerprint


def test_the_file_is_sorted_zstd_in_groups_and_without_a_clock(house):
    many = 130_000
    rows = pa.table({"item": [f"{n:06}" for n in reversed(range(many))], "price": [0.5] * many})
    staging = Staging.open(house.root, house.day(1), "night")
    staging.write(house.prices, rows)
    facts = pq.read_metadata(staging.path("prices"))
    assert [facts.row_group(n).num_rows for n in range(facts.num_row_groups)] == [122_880, many - 122_880]
    assert facts.row_group(0).column(0).compression == "ZSTD"
    assert facts.row_group(0).sorting_columns == (pq.SortingColumn(0),)
    assert set(facts.metadata) == {b"ARROW:schema"}
    assert staging.read("prices", ["item"]).column("item")[0].as_py() == "000000"


def test_a_new_file_never_stands_beside_the_facts_of_an_old_one(house, monkeypatch):
    staging = house.stage(1)

    def fails(path, text, step):
        raise OSError("no space")

    monkeypatch.setattr(durable, "put", fails)
    with pytest.raises(OSError, match="no space"):
        staging.write(house.prices, house.rows(price=9.0)["prices"])
    assert set(staging.tables()) == {"users"}


def test_rows_that_break_the_contract_leave_nothing(house):
    staging = Staging.open(house.root, house.day(1), "night")
    with pytest.raises(DataError, match="price is missing"):
        staging.write(house.prices, pa.table({"item": ["a"]}))
    assert staging.tables() == {}
    with pytest.raises(NoData, match="no table prices; run the stage"):
        staging.read("prices")


def test_another_process_finds_what_was_staged_and_fresh_forgets_it(house):
    written = house.stage(1)
    written.note_models({"ranker": "v1"})
    written.note_models({"encoder": "v2"})
    reopened = Staging.open(house.root, house.day(1), "night")
    assert reopened.models() == {"ranker": "v1", "encoder": "v2"}
    assert reopened.tables() == written.tables()
    fresh = Staging.open(house.root, house.day(1), "night", fresh=True)
    assert (fresh.tables(), fresh.models()) == ({}, {})


def test_staged_is_not_published(house):
    house.stage(1)
    assert history(house.root) == []


def test_runs_do_not_meet(house):
    house.stage(1, price=1.0, run="one")
    other = house.stage(1, price=9.0, run="two")
    first = Staging.open(house.root, house.day(1), "one")
    assert first.tables()["prices"].sha256 != other.tables()["prices"].sha256


@pytest.mark.parametrize("run", ["", ".", "..", "a/b", "-x", "a b", "../up"])
def test_a_run_is_a_name(house, run):
    with pytest.raises(ConfigError, match="not a name"):
        Staging.open(house.root, house.day(1), run)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_full_disk_is_an_error_and_keeps_the_earlier_attempt(house, share):
    staging = house.stage(1)
    before = staging.tables()
    noise = pa.table(
        {
            "item": [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(2_000)],
            "price": [float(n) for n in range(2_000)],
        }
    )
    needed = Staging.open(house.root, house.day(2), "night").write(house.prices, noise).bytes
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(needed * share), hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            staging.write(house.prices, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert staging.tables() == before
    assert [path.name for path in staging.folder.iterdir() if path.is_file()] == []
    assert staging.write(house.prices, noise).bytes == needed
