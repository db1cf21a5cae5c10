"""The cuts of a night."""

from datetime import date, timedelta

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import NoData
from pipeline.features.split import Split, between, known_by, split


def test_the_grocer_s_last_week() -> None:
    cut = split(date(2017, 12, 31), 7, date(2017, 1, 1), 60)
    assert cut == Split(
        day=date(2017, 12, 31), tune_end=date(2017, 12, 24), fit_end=date(2017, 12, 17), step=timedelta(7)
    )


@given(first=st.dates(date(2000, 1, 1), date(2040, 1, 1)), history=st.integers(1, 900), asked=st.integers(1, 900),
       holdout=st.integers(1, 60))  # fmt: skip
def test_a_night_has_its_history_or_no_data(first: date, history: int, asked: int, holdout: int) -> None:
    day = first + timedelta(history - 1)  # the first day counts
    if history < asked:
        enough = first + timedelta(asked - 1)
        with pytest.raises(NoData, match=f"{history} days of history.*choose {enough} or later"):
            split(day, holdout, first, asked)
        assert split(enough, holdout, first, asked).day == enough
    else:
        cut = split(day, holdout, first, asked)
        assert cut.day - cut.tune_end == cut.tune_end - cut.fit_end == timedelta(holdout) and cut.day == day


def test_lessons_are_weeks_of_their_own_before_the_judged_one() -> None:
    cut = split(date(2017, 12, 31), 7, date(2017, 1, 1), 60, lessons=2)
    assert cut.fit_end == date(2017, 12, 10)
    assert cut.lessons == [
        (date(2017, 12, 17), date(2017, 12, 24)), (date(2017, 12, 10), date(2017, 12, 17)),
    ]  # fmt: skip


def test_weeks_meet_without_overlap_or_gap() -> None:
    days = [date(2017, 12, 1) + timedelta(n) for n in range(31)]
    rows = ibis.memtable(pa.table({"ds": days}))
    cut = split(days[-1], 7, date(2017, 1, 1), 60)

    def found(part: ibis.Table) -> list[date]:
        return part.order_by("ds").to_pyarrow().column("ds").to_pylist()

    parts = [
        known_by(rows, cut.fit_end),
        between(rows, cut.fit_end, cut.tune_end),
        between(rows, cut.tune_end, cut.day),
    ]
    assert [len(found(part)) for part in parts] == [17, 7, 7]
    assert [day for part in parts for day in found(part)] == days
