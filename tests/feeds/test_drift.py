"""Columns and types of an arrival, by the feed's drift verdict."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import ibis
import pyarrow as pa
import pytest

from pipeline.contracts.feeds import FEEDS, Feed
from pipeline.contracts.table import Column, Drift, Table
from pipeline.errors import DataError
from pipeline.feeds.drift import BAD_TYPE, conform

CONTRACT = Table(
    "goods",
    "one item",
    "Goods.",
    (
        Column("item", pa.string(), "Item."),
        Column("cents", pa.int64(), "Price."),
        Column("seen", pa.timestamp("us", "UTC"), "When."),
    ),
    ("item",),
    ("item",),
    "owner",
)
SEEN = datetime(2020, 1, 1, tzinfo=UTC)
ROWS = pa.table(
    {
        "item": ["a", "b"],
        "cents": [1, 2],
        "seen": pa.array([SEEN, SEEN], pa.timestamp("us", "UTC")),
        "ds": [date(2020, 1, 1)] * 2,
    }
)


def judged(rows: pa.Table, drift: Drift) -> tuple[pa.Table, list[str]]:
    found, notes = conform(ibis.memtable(rows), Feed(replace(CONTRACT, drift=drift)))
    return found.order_by("item").drop("origin", "misread").to_pyarrow(), notes


def put(name: str, values: Any, kind: pa.DataType | None = None) -> pa.Table:
    return ROWS.drop_columns(name).append_column(name, pa.array(values, kind))


@pytest.mark.parametrize("drift", Drift)
def test_rows_of_the_contract_pass_as_they_are_in_any_order_of_columns(drift: Drift) -> None:
    rows, notes = judged(ROWS.select(["ds", "seen", "cents", "item"]), drift)
    assert notes == [] and rows.column_names == ["item", "cents", "seen", "ds", BAD_TYPE]
    assert rows.column(BAD_TYPE).to_pylist() == [False, False]
    assert rows.drop_columns(BAD_TYPE).to_pylist() == ROWS.to_pylist()


@pytest.mark.parametrize("drift", Drift)
def test_a_column_too_many_is_left_aside_unless_frozen(drift: Drift) -> None:
    wider = ROWS.append_column("colour", pa.array(["red", "blue"]))
    if drift is Drift.FREEZE:
        with pytest.raises(DataError, match=r"feed goods: column colour is not in the contract.*freeze.*mend the drop"):
            judged(wider, drift)
    else:
        rows, notes = judged(wider, drift)
        assert notes == ["goods.colour: not in the contract, left aside"] and "colour" not in rows.column_names


@pytest.mark.parametrize("drift", Drift)
@pytest.mark.parametrize("gone", ["item", "cents"])
def test_a_column_too_few_reads_as_null_unless_it_must_be_there(drift: Drift, gone: str) -> None:
    if drift is Drift.FREEZE or gone == "item":
        with pytest.raises(DataError, match=f"feed goods: column {gone} is missing"):
            judged(ROWS.drop_columns(gone), drift)
    else:
        rows, notes = judged(ROWS.drop_columns(gone), drift)
        assert notes == [f"goods.{gone}: missing, read as null"]
        assert rows.column(gone).to_pylist() == [None, None] and rows.column(gone).type == pa.int64()
        assert rows.column(BAD_TYPE).to_pylist() == [False, False]


@pytest.mark.parametrize("drift", Drift)
@pytest.mark.parametrize(
    ("column", "values", "read"),
    [
        ("cents", ["1", "lots"], [1, None]),
        ("cents", [1.0, 3.99], [1, None]),  # rounding would turn a price in dollars into one in cents
        ("cents", [1.0, float("nan")], [1, None]),
        ("cents", [1.0, 1e30], [1, None]),
        ("cents", [2**63 - 1, 2**64 - 1], [2**63 - 1, None]),
        ("seen", ["2020-01-01 00:00:00", "soon"], [SEEN, None]),
    ],
)
def test_values_of_another_type_are_read_where_they_fit(drift: Drift, column: str, values: Any, read: Any) -> None:
    kind = pa.uint64() if values[-1] == 2**64 - 1 else None
    other = put(column, values, kind)
    if drift is Drift.FREEZE:
        with pytest.raises(DataError, match=f"feed goods: column {column} is .*, the contract says"):
            judged(other, drift)
        return
    rows, notes = judged(other, drift)
    assert len(notes) == 1 and notes[0].startswith(f"goods.{column}: came as ")
    assert rows.column(column).to_pylist() == read and rows.column(column).type == CONTRACT.schema.field(column).type
    assert rows.column(BAD_TYPE).to_pylist() == [False, drift is not Drift.DISCARD_VALUE]


def test_a_null_of_another_type_is_a_null(drift: Drift = Drift.DISCARD_ROW) -> None:
    rows, _ = judged(put("cents", [None, "2"]), drift)
    assert rows.column("cents").to_pylist() == [None, 2] and rows.column(BAD_TYPE).to_pylist() == [False, False]


def test_names_that_are_numbers_and_times_without_a_zone_are_read() -> None:
    rows, notes = judged(put("item", [10, 20]), Drift.EVOLVE)
    assert rows.column("item").to_pylist() == ["10", "20"] and len(notes) == 1
    rows, notes = judged(put("seen", [SEEN.replace(tzinfo=None)] * 2, pa.timestamp("us")), Drift.EVOLVE)
    assert rows.column("seen").to_pylist() == [SEEN, SEEN] and len(notes) == 1


@pytest.mark.parametrize(
    ("told", "cents"),
    [("400", 400), (" -5 ", -5), ("+7", 7), ("12.0", 12), ("3.99", None), ("0x10", None), ("7_0", None), ("1e3", None),
     ("9223372036854775807", 2**63 - 1), ("9223372036854775808", None), ("many", None), ("", None)],
)  # fmt: skip
def test_a_whole_number_in_text_is_read_as_it_stands_or_not_at_all(told: str, cents: int | None) -> None:
    found, _ = judged(put("cents", [told, "1"]), Drift.DISCARD_ROW)
    assert found.column("cents").to_pylist() == [cents, 1]
    assert found.column(BAD_TYPE).to_pylist() == [cents is None, False]


@pytest.mark.parametrize(
    ("told", "items"),
    [('["a", "b"]', ["a", "b"]), ('["ü, x"]', ["ü, x"]), ("[]", []), (None, None), ("[a", None), ("a", None)],
)
def test_a_list_in_text_is_json(told: str | None, items: list[str] | None) -> None:
    words = dict.fromkeys(("campaign_id", "campaign_name", "campaign_kind", "creative"), "x")
    row = words | {"starts_on": "2020-01-01", "ends_on": "2020-01-02", "target_item_ids": told, "ds": date(2020, 1, 1)}
    types = [(name, pa.date32() if name == "ds" else pa.string()) for name in row]
    rows = ibis.memtable(pa.Table.from_pylist([row], pa.schema(types)))
    found, _ = conform(rows, FEEDS["campaigns"], text=True)
    (read,) = found.to_pyarrow().to_pylist()
    assert read["target_item_ids"] == items and read["starts_on"] == date(2020, 1, 1)
    assert read[BAD_TYPE] == (told is not None and items is None)
