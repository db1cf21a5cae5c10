"""What the feeds' rules share: absence, references by arrival day, and the end of a local day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import ibis
import pyarrow as pa
import pytest

from pipeline.contracts.feeds import FEEDS, REASON_WORDS, Reason
from pipeline.feeds.ingest import RULES
from pipeline.feeds.rules import Known, absent, ahead, refers


def test_every_feed_has_rules_and_every_reason_its_words() -> None:
    assert set(RULES) == set(FEEDS)
    assert set(REASON_WORDS) == set(Reason)


def test_absent_is_any_of_the_columns() -> None:
    rows = ibis.memtable(pa.table({"n": [0, 1, 2, 3], "a": ["x", None, "x", None], "b": [1, 2, None, None]}))
    reason, broken = absent(rows, "a", "b")
    assert reason is Reason.MISSING_VALUE
    assert rows.filter(broken).order_by("n").to_pyarrow().column("n").to_pylist() == [1, 2, 3]


def test_a_reference_holds_from_the_day_on_which_the_other_side_arrived() -> None:
    days = [date(2020, 1, n) for n in (1, 2, 3)]
    known = ibis.memtable(pa.table({"item_id": ["soap"], "known_since": [days[1]]}))
    rows = ibis.memtable(
        pa.table({"n": range(5), "item_id": ["soap"] * 3 + ["milk", None], "ds": [*days, days[2], days[2]]})
    )
    found = refers(rows, known, "item_id").order_by("n").to_pyarrow()
    assert found.column_names == ["n", "item_id", "ds", "item_id_known"]
    assert found.column("item_id_known").to_pylist() == [False, True, True, False, False]


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Kiritimati", "UTC"]
)
@pytest.mark.parametrize("first", [date(2017, 1, 1), date(2017, 7, 1)])
def test_a_row_is_ahead_from_the_first_instant_of_the_next_local_day_on(zone: str, first: date) -> None:
    known = Known(first, date(2018, 6, 30), ZoneInfo(zone))
    days = [first + timedelta(n) for n in range(365)]
    over = [datetime.combine(day + timedelta(1), time(), tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in days]
    moments = [end + step for step in (-timedelta(microseconds=1), timedelta(0)) for end in over]
    rows = ibis.memtable(
        pa.table({"n": range(730), "ds": days * 2, "ts": pa.array(moments, pa.timestamp("us", "UTC"))})
    )
    reason, broken = ahead(rows, known)
    found = rows.select("n", broken=broken).order_by("n").to_pyarrow().column("broken").to_pylist()
    assert found == [False] * 365 + [True] * 365 and reason is Reason.AFTER_BUSINESS_DAY
