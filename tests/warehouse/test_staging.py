"""The writer: the same rows are the same bytes, a table is staged whole or not, facts are those of the file."""

import hashlib
import resource
import tempfile
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contracts.table import Column, Table
from pipeline.errors import ConfigError, DataError, NoData, Superseded
from pipeline.warehouse import durable, staging
from pipeline.warehouse.snapshot import history
from pipeline.warehouse.staging import FORMAT, ROW_GROUP, Staging

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
    many = ROW_GROUP + 10_000
    rows = pa.table({"item": [f"{n:06}" for n in reversed(range(many))], "price": [0.5] * many})
    staging = Staging.open(house.root, house.day(1), "night")
    staging.write(house.prices, rows)
    facts = pq.read_metadata(staging.path("prices"))
    assert [facts.row_group(n).num_rows for n in range(facts.num_row_groups)] == [ROW_GROUP, many - ROW_GROUP]
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


def in_parts(to: Staging, rows: pa.Table, cuts: list[int]):
    """Stage ordered rows in parts."""
    with to.parts(WIDE) as parts:
        for start, end in pairwise([0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]):
            parts.add(rows.slice(start, end - start))
    return parts.facts


@settings(max_examples=40)
@given(ROWS, st.lists(st.integers(0, 15), max_size=5), st.integers(1, 6))
def test_parts_are_the_bytes_of_the_whole_wherever_it_is_cut(rows, cuts, group):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "ROW_GROUP", group)
        one, other = (Staging.open(Path(folder), DAY, run) for run in ("one", "other"))
        assert in_parts(other, WIDE.enforce(table(rows)), cuts) == one.write(WIDE, table(rows))
        assert other.path("wide").read_bytes() == one.path("wide").read_bytes()
        assert other.tables() == one.tables()


def test_the_bytes_are_those_that_arrow_writes_of_all_rows_at_once(tmp_path):
    count = 2 * ROW_GROUP + 17_000
    rng, number = np.random.default_rng(3), np.arange(count)
    rows = WIDE.enforce(
        pa.table(
            {
                "name": [f"{one:07}" for one in number],
                "place": number // 3,
                "real": pa.array(rng.random(count), mask=rng.random(count) < 0.1),
                "flag": rng.random(count) < 0.5,
                "many": pa.array([[f"w{one % 999}"] * (one % 3) for one in number], pa.list_(pa.string())),
            }
        )
    )
    order = pq.SortingColumn.from_ordering(rows.schema, [(name, "ascending") for name in WIDE.order])
    pq.write_table(rows, tmp_path / "all", row_group_size=ROW_GROUP, sorting_columns=order, **FORMAT)
    cuts = [*rng.integers(0, count, 9).tolist(), ROW_GROUP, ROW_GROUP]
    facts = in_parts(Staging.open(tmp_path, DAY, "night"), rows, cuts)
    data = (tmp_path / "all").read_bytes()
    assert (facts.rows, facts.bytes, facts.sha256) == (count, len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("second", [["c"], ["b"], ["0", "d"]])
def test_parts_that_meet_are_refused_and_leave_nothing(house, second):
    to = Staging.open(house.root, house.day(1), "night")
    with pytest.raises(DataError, match="prices: a part begins at"), to.parts(house.prices) as parts:
        parts.add(pa.table({"item": ["c", "a"], "price": [1.0, 2.0]}))
        parts.add(pa.table({"item": second, "price": [3.0] * len(second)}))
    assert to.tables() == {}
    assert [path for path in to.folder.rglob("*") if path.is_file()] == []


def test_a_table_sorted_by_more_than_its_key_is_one_part(house):
    wider = replace(house.prices, order=("price", "item"))
    with pytest.raises(DataError, match="as one"), Staging.open(house.root, DAY, "night").parts(wider) as parts:
        parts.add(pa.table({"item": ["a"], "price": [1.0]}))
        parts.add(pa.table({"item": ["a"], "price": [2.0]}))


def test_nobody_sees_a_table_before_its_last_part_and_an_error_keeps_the_earlier_attempt(house):
    to = house.stage(1)
    before = to.tables()
    with pytest.raises(FileNotFoundError, match="of our own"), to.parts(house.prices) as parts:
        parts.add(pa.table({"item": [f"{n:06}" for n in range(ROW_GROUP + 1)], "price": [0.5] * (ROW_GROUP + 1)}))
        assert to.tables() == before
        assert to.read("prices").num_rows == 3
        raise FileNotFoundError("of our own")
    assert to.tables() == before
    assert [path.name for path in to.folder.iterdir() if path.is_file()] == []


def test_parts_of_an_attempt_that_was_overtaken_are_refused(house):
    to = Staging.open(house.root, DAY, "night")
    with pytest.raises(Superseded, match="a later attempt"), to.parts(house.prices) as parts:
        parts.add(house.rows()["prices"])
        to.discard()
    assert to.tables() == {}


def test_only_what_is_asked_for_is_read(house):
    found = house.stage(1).read("prices", ["price"], pc.field("item") > "a")
    assert found.to_pydict() == {"price": [1.0, None]}
