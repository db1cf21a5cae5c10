"""Words that layouts share: moments, cents, and ids that stand for a row."""

from datetime import UTC, datetime

import ibis
import pyarrow as pa
import pytest

from pipeline.shops.layouts.layout import Raw, cents, fingerprint, moment, numbered


def column(expression: ibis.Value) -> list[object]:
    return expression.name("x").to_pyarrow().to_pylist()


def test_moments_between_1970_and_2100_are_known() -> None:
    rows = ibis.memtable(pa.table({"t": ["0", "1528934400", "-1", "99999999999999999", "soon", None, "1.5e9"]}))
    start, day = datetime(1970, 1, 1, tzinfo=UTC), datetime(2018, 6, 14, tzinfo=UTC)
    assert column(moment(rows.t))[:6] == [start, day, None, None, None, None]
    assert column(moment(rows.t, per_second=1000))[1] == datetime(1970, 1, 18, 16, 42, 14, 400000, tzinfo=UTC)


def test_cents_are_rounded_not_cut() -> None:
    rows = ibis.memtable(pa.table({"p": ["1.15", "0.29", "19.99", "x", None]}))
    assert column(cents(rows.p)) == [115, 29, 1999, None, None]


def test_a_fingerprint_tells_null_from_empty_and_where_values_end() -> None:
    rows = ibis.memtable(pa.table({"a": ["x", "xy", "", None, "x"], "b": ["yz", "z", None, "", "yz"]}))
    prints = column(fingerprint(rows.a, rows.b))
    assert len(set(prints)) == 4 and prints[0] == prints[4] and all(len(digits) == 32 for digits in prints)


def test_equal_rows_are_told_apart_by_number_in_any_order() -> None:
    table = pa.table({"a": ["x", "y", "x"], "b": [None, "1", None]})
    ids = set(column(numbered(ibis.memtable(table), "a", "b").event_id))
    assert len(ids) == 3
    assert ids == set(column(numbered(ibis.memtable(table.take([2, 1, 0])), "a", "b").event_id))


@pytest.mark.parametrize(
    ("address", "fits"), [("events.csv", True), ("deep/events.csv", False), ("events.csv~", False)]
)
def test_files_are_told_by_their_whole_name(address: str, fits: bool) -> None:
    assert Raw(r"events\.csv", ()).fits(address) is fits
