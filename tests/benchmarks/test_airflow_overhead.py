"""What Airflow adds: read off a database and records made by hand, and the DAG parses in little time."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks import airflow_overhead
from pipeline.nightly import STAGES
from pipeline.record import RUNS, JsonRecorder

RUN = ("manual__1", "manual", "2026-01-01 00:00:00.000000", '{"shop": "corner", "day": "2020-03-01"}')
NAME = "2020-03-01-manual-19b04f56"
TASKS = [(stage.name, item) for stage in STAGES for item in stage.over or (None,)]


def at(seconds: float) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


def kept(folder: Path, tasks: list[tuple[str, str | None]]) -> Path:
    """A night whose tasks begin every 10 s, 2 s after the run, are at work for 9 and whose stages take 8."""
    database = folder / "airflow.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create table task_instance (run_id, task_id, map_index, start_date, end_date)")
        for number, (stage, item) in enumerate(tasks):
            over = next(one.over for one in STAGES if one.name == stage)
            row = (RUN[0], stage, over.index(item) if item else -1, at(2 + 10 * number), at(11 + 10 * number))
            connection.execute("insert into task_instance values (?, ?, ?, ?, ?)", row)
            notes = folder / "corner" / "nights" / NAME / RUNS / (f"{stage}-{item}" if item else stage)
            JsonRecorder(notes).metrics({"stage/seconds": 8.0})
        connection.commit()
    return database


def test_overhead_is_what_no_stage_took(tmp_path: Path) -> None:
    found = airflow_overhead.night(kept(tmp_path, TASKS), tmp_path, RUN)
    assert found is not None and found["tasks"] == len(TASKS)
    assert found["task_median_seconds"] == pytest.approx(2) and found["task_most_seconds"] == pytest.approx(2)
    assert found["overhead_seconds"] == pytest.approx(2 + 2 * (len(TASKS) - 1) + 1, abs=1e-3)
    assert found["night_seconds"] == pytest.approx(2 + 10 * (len(TASKS) - 1) + 9, abs=1e-3)
    assert found["overhead_share"] == pytest.approx(found["overhead_seconds"] / found["night_seconds"])


def test_half_a_night_tells_nothing(tmp_path: Path) -> None:
    assert airflow_overhead.night(kept(tmp_path, TASKS[:-1]), tmp_path, RUN) is None
