"""What stands beside the warehouse when a night has ended, well or not."""

import json
import sys
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from pipeline import tracking
from pipeline.contracts.tables import RUN_STATUS, TABLES
from pipeline.errors import Refused
from pipeline.nightly import STAGES, run_stage
from pipeline.record import JsonRecorder
from pipeline.reports import last_night
from pipeline.settings import Night
from pipeline.tables import run_status
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.snapshot import pointer
from pipeline.warehouse.staging import Staging

ERROR = "recommendations: 3 of 40\nexpectations failed"


def publish(night: Night) -> str:
    """A snapshot of run_status alone: one table as asked, one fallback, and those without input."""
    staging = Staging.open(night.warehouse, night.day, night.run, fresh=True)
    staging.write(
        RUN_STATUS, run_status.rows({"recommendations": 9, "user_profiles": 2}, {"user_profiles": "x"}, {}, ())
    )
    now = pointer(night.warehouse)
    required = Requirements(current=now, verdict_passed=True, tables=frozenset({RUN_STATUS.name}))
    return commit(
        night.warehouse, staging, shop="corner", day=night.day, parent=now, models={}, policy_hash="p",
        code_version="v", requires=required,
    ).snapshot  # fmt: skip


def ended(night: Night, status: str, **tags: str) -> dict[str, object]:
    """Leave word of a night with these tags, and read it as a reader without this package would."""
    JsonRecorder(night.record).tags({"status": status, **tags})
    last_night.leave(night)
    told: dict[str, object] = json.loads((night.root / "last_night.json").read_text())
    return told


def statuses(night: Night) -> dict[str, tuple[str, int, str | None]]:
    rows = pq.read_table(night.root / "run_status.parquet")
    assert rows.schema.equals(RUN_STATUS.schema)
    return {row["table_name"]: (row["status"], row["rows"], row["status_reason"]) for row in rows.to_pylist()}


def refuse(night: Night) -> dict[str, object]:
    return ended(night, "refused", failed_stage="audit", error=ERROR)


def test_a_published_night_tells_what_it_published(night: Night) -> None:
    snapshot = publish(night)
    assert ended(night, "published") == {
        "day": "2017-11-30", "run": "night", "status": "published", "failed_stage": None, "error": None,
        "snapshot": snapshot,
    }  # fmt: skip
    assert statuses(night)["recommendations"] == ("produced", 9, None)
    assert statuses(night)["user_profiles"] == ("fallback", 2, "x")


def test_a_refused_night_keeps_the_tables_and_says_why(night: Night) -> None:
    kept = publish(night)
    told = refuse(replace(night, day=night.day + timedelta(1)))
    assert (told["day"], told["status"], told["snapshot"]) == ("2017-12-01", "refused", kept)
    why = f"refused at audit: recommendations: 3 of 40 expectations failed; readers keep {kept}"
    assert statuses(night)["recommendations"] == ("kept", 9, why)
    assert statuses(night)["user_profiles"] == ("kept", 2, why)
    assert "answers" not in statuses(night)
    assert pointer(night.warehouse) == kept


def test_a_first_night_that_fails_leaves_empty_tables(night: Night) -> None:
    assert refuse(night)["snapshot"] is None
    told = statuses(night)
    assert set(TABLES) - {RUN_STATUS.name} <= set(told)
    assert told["recommendations"] == (
        "empty",
        0,
        f"refused at audit: {' '.join(ERROR.split())}; nothing is published yet",
    )


def test_a_rerun_that_succeeds_takes_the_failure_back(night: Night) -> None:
    publish(night)
    refuse(night)
    assert ended(night, "published")["failed_stage"] is None
    assert statuses(night)["recommendations"][0] == "produced"


@pytest.mark.parametrize(("day", "status"), [(date(2017, 11, 29), "published"), (date(2017, 12, 1), "refused")])
def test_an_earlier_day_is_no_news(night: Night, day: date, status: str) -> None:
    publish(night)
    ended(night, "published")
    refuse(replace(night, day=day, run="backfill"))
    assert last_night.read(night.root)["status"] == status


def test_no_word_before_the_first_night(night: Night) -> None:
    assert last_night.read(night.root) == {}


@pytest.mark.parametrize("error", [None, Refused("no")])
def test_the_last_stage_and_a_failed_one_leave_word(
    night: Night, monkeypatch: pytest.MonkeyPatch, error: Refused | None
) -> None:
    """Whichever way a night ends; MLflow and the night's page come after it."""
    publish(night)
    JsonRecorder(night.record).tags({"status": "published"})

    def run(*_: object) -> dict[str, object]:
        if error:
            raise error
        return {}

    monkeypatch.setitem(sys.modules, f"pipeline.stages.{STAGES[-1].name}", SimpleNamespace(run=run))
    monkeypatch.setattr(tracking, "ship", lambda night: None)
    with pytest.raises(Refused) if error else nullcontext():
        run_stage(night, STAGES[-1].name)
    assert last_night.read(night.root)["status"] == ("refused" if error else "published")
