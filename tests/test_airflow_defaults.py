"""What the DAGs share: which errors are retried, which day a run is for, what a failure tells, how a task ends."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
import types
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from airflow.sdk import RetryAction
from airflow.sdk.execution_time import task_runner

from pipeline import airflow_defaults, alerts, errors
from pipeline.airflow_defaults import DEFAULT_ARGS, RETRY, tell_owner, tonight
from pipeline.settings import load_shop
from pipeline.warehouse.staging import RUN
from tests.receivers import webhook

ROOT = Path(__file__).parents[1]
OURS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.ShopkeelError)]


def in_a_run(monkeypatch, day=None, interval=None, shop="grocer", run_id="manual__2017-12-01T03:00:00+00:00"):
    run = types.SimpleNamespace(run_id=run_id, run_type=types.SimpleNamespace(value=run_id.split("__")[0]))
    context = {"params": {"shop": shop, "day": day}, "dag_run": run}
    if interval is not None:
        context["data_interval_start"] = interval
    monkeypatch.setattr(airflow_defaults, "get_current_context", lambda: context)


@pytest.mark.parametrize("error", [error for error in OURS if error is not errors.CommitStateUnknown])
def test_our_errors_fail_at_once(error):
    assert RETRY.evaluate(error("x"), 1, 3).action is RetryAction.FAIL


@pytest.mark.parametrize("error", [OSError, ConnectionError, TimeoutError, MemoryError, errors.CommitStateUnknown])
def test_what_a_rerun_may_cure_is_retried(error):
    decision = RETRY.evaluate(error("x"), 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay < timedelta(seconds=300), "sooner than what nobody knows"


def test_unknown_errors_take_the_standard_way():
    assert RETRY.evaluate(ValueError("x"), 1, 3).action is RetryAction.DEFAULT
    assert DEFAULT_ARGS["retries"] == 2


def test_policy_survives_the_dag_being_stored():
    assert type(RETRY).deserialize(RETRY.serialize()).evaluate(errors.Refused("x"), 1, 3).action is RetryAction.FAIL


def test_param_gives_the_day(monkeypatch):
    in_a_run(monkeypatch, day="2017-11-30", interval=datetime(2020, 1, 1, tzinfo=UTC))
    night = tonight()
    assert (night.shop.name, night.day) == ("grocer", date(2017, 11, 30))


def test_airflow_runs_of_one_day_share_no_folder_and_a_retry_has_its_runs(monkeypatch):
    """A backfill beside a manual run; ids that people choose may hold what a folder's name must not."""
    names = []
    for run_id in ("manual__a", "manual__a", "manual__../b c", "backfill__2017-11-30T07:00:00+00:00"):
        in_a_run(monkeypatch, day="2017-11-30", run_id=run_id)
        names.append(tonight().run)
        assert RUN.fullmatch(names[-1])
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert names[3].startswith("backfill-")


@pytest.mark.parametrize(
    ("start", "day"),
    [
        (datetime(2017, 11, 30, 7, tzinfo=UTC), date(2017, 11, 30)),  # 02:00 New York, the schedule's own hour
        (datetime(2017, 12, 1, 4, 59, tzinfo=UTC), date(2017, 11, 30)),  # before local midnight
        (datetime(2017, 12, 1, 5, tzinfo=UTC), date(2017, 12, 1)),
    ],
)
def test_else_the_interval_gives_the_shops_local_day(monkeypatch, start, day):
    in_a_run(monkeypatch, interval=start)
    assert tonight().day == day


def test_the_clock_begins_runs_unless_it_is_off(monkeypatch):
    assert airflow_defaults.by_clock("0 2 * * *", "America/New_York").expression == "0 2 * * *"
    monkeypatch.setenv("SHOPKEEL_CLOCK", "off")
    assert airflow_defaults.by_clock("0 2 * * *", "America/New_York") is None


def test_run_without_a_day_says_what_to_give(monkeypatch):
    in_a_run(monkeypatch)
    with pytest.raises(errors.ConfigError, match="day=YYYY-MM-DD"):
        tonight()


@pytest.mark.parametrize(("shop", "day"), [("nowhere", "2017-11-30"), ("grocer", "30.11.2017")])
def test_bad_params_are_config_errors(monkeypatch, shop, day):
    in_a_run(monkeypatch, day=day, shop=shop)
    with pytest.raises(errors.ConfigError, match=r"nowhere|30\.11\.2017"):
        tonight()


@pytest.mark.parametrize(
    ("day", "ends", "wanted"),
    [
        ("2017-11-30", datetime(2020, 1, 1, tzinfo=UTC), date(2017, 11, 30)),
        (None, datetime(2017, 12, 3, 19, tzinfo=UTC), date(2017, 12, 2)),  # a Sunday's run: what Saturday closed with
        (None, datetime(2017, 12, 3, 4, tzinfo=UTC), date(2017, 12, 1)),  # before local midnight
    ],
)
def test_a_week_is_searched_up_to_the_day_that_closed(monkeypatch, day, ends, wanted):
    context = {"params": {"shop": "grocer", "day": day, "minutes": 20}, "data_interval_end": ends}
    monkeypatch.setattr(airflow_defaults, "get_current_context", lambda: context)
    night, minutes = airflow_defaults.this_week()
    assert (night.day, minutes) == (wanted, 20.0)


def test_a_search_without_a_day_says_what_to_give(monkeypatch):
    context = {"params": {"shop": "grocer", "day": None, "minutes": 20}}
    monkeypatch.setattr(airflow_defaults, "get_current_context", lambda: context)
    with pytest.raises(errors.ConfigError, match="day=YYYY-MM-DD"):
        airflow_defaults.this_week()


def triggered(monkeypatch, *extras, shop="grocer", snapshot=None):
    events = [types.SimpleNamespace(extra=extra) for extra in extras]
    context = {
        "params": {"shop": shop, "snapshot": snapshot},
        "triggering_asset_events": {airflow_defaults.SNAPSHOT: events} if events else {},
    }
    monkeypatch.setattr(airflow_defaults, "get_current_context", lambda: context)


def test_every_announced_snapshot_is_told_with_its_shop(monkeypatch):
    one, two = ({"shop": "grocer", "day": f"2017-11-{day}", "snapshot": f"s{day}"} for day in (29, 30))
    triggered(monkeypatch, one, two)
    told = airflow_defaults.announced()
    assert [(night.shop.name, str(night.day), snapshot) for night, snapshot in told] == [
        ("grocer", "2017-11-29", "s29"), ("grocer", "2017-11-30", "s30"),
    ]  # fmt: skip


def test_what_is_announced_opens_the_same_shop_though_its_file_lies_anywhere(monkeypatch, tmp_path):
    path = tmp_path / "another-name.yaml"
    path.write_text(yaml.safe_dump(load_shop("grocer").model_dump(mode="json") | {"name": "corner"}))
    in_a_run(monkeypatch, day="2017-11-30", shop=str(path))
    event = airflow_defaults.announcement(tonight(), "s1")
    assert event.asset is airflow_defaults.SNAPSHOT
    triggered(monkeypatch, event.extra)
    ((night, snapshot),) = airflow_defaults.announced()
    assert (night.shop.name, str(night.day), snapshot) == ("corner", "2017-11-30", "s1")


def test_by_hand_the_params_name_it(monkeypatch):
    triggered(monkeypatch, snapshot="s1")
    ((night, snapshot),) = airflow_defaults.announced()
    assert (night.shop.name, snapshot) == ("grocer", "s1")


def test_an_event_that_says_too_little_is_refused(monkeypatch):
    triggered(monkeypatch, {"shop": "grocer", "day": "2017-11-30"})
    with pytest.raises(errors.ConfigError, match="lacks shop, day or snapshot"):
        airflow_defaults.announced()


def test_failure_is_told_in_one_line_without_a_date(caplog):
    context = {
        "ti": types.SimpleNamespace(task_id="audit"),
        "params": {"shop": "grocer"},
        "exception": errors.Refused("no"),
    }
    with caplog.at_level(logging.ERROR, logger=airflow_defaults.__name__):
        tell_owner(context)
    (record,) = caplog.records
    assert "grocer" in record.message
    assert "audit failed: no" in record.message
    assert "last good snapshot stays" in record.message


def test_a_final_failure_reaches_the_webhook(monkeypatch):
    context = {"ti": types.SimpleNamespace(task_id="audit"), "params": {"shop": "grocer"}, "exception": OSError("full")}
    with webhook() as (url, bodies):
        monkeypatch.setenv(alerts.WEBHOOK, url)
        tell_owner(context)
    assert [(one["kind"], one["shop"], one["task"]) for one in bodies] == [("failure", "grocer", "audit")]
    assert "full" in bodies[0]["text"]


@pytest.mark.parametrize(("kind", "told"), [("manual", 1), ("scheduled", 1), ("backfill", 0)])
def test_a_late_night_reaches_the_webhook_and_a_backfill_has_no_hurry(monkeypatch, kind, told):
    run = {"dag_id": "nightly", "run_type": kind, "conf": {"shop": "corner"}, "data_interval_start": "2017-03-20"}
    with webhook() as (url, bodies):
        monkeypatch.setenv(alerts.WEBHOOK, url)
        asyncio.run(airflow_defaults.tell_late(context={"dag_run": run}))
    assert [(one["kind"], one["shop"], one["day"]) for one in bodies] == [("deadline", "corner", "2017-03-20")] * told


def test_the_deadlines_callback_is_found_by_its_name():
    alert = airflow_defaults.deadline("5")
    assert alert.callback.path == "pipeline.airflow_defaults.tell_late"
    assert alert.interval == timedelta(hours=5)
    assert airflow_defaults.deadline(None) is None and airflow_defaults.deadline("") is None


def family(late: bool) -> None:
    """In a process of its own, a supervisor as Airflow's, which makes the socket pair and forks the task.

    Args:
        late: the supervisor is dead before the task runs. The task tells on stdout what it does.
    """
    parent, (_, theirs) = os.getpid(), socket.socketpair()
    if os.fork():
        os._exit(0) if late else time.sleep(60)

    def bereft() -> None:
        while os.getppid() == parent:
            time.sleep(0.01)

    if late:
        bereft()
    task_runner.SUPERVISOR_COMMS = types.SimpleNamespace(socket=theirs)
    airflow_defaults.end_with_supervisor({})
    os.write(sys.stdout.fileno(), b"runs, ")
    bereft()
    os.write(sys.stdout.fileno(), b"outlives")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
@pytest.mark.parametrize(
    ("variable", "late", "says"),
    [("", False, b"runs, "), ("", True, b""), ("1", False, b"runs, outlives")],
    ids=["killed while the task runs", "killed before the task could ask", "orphans let live"],
)
def test_a_task_ends_with_its_supervisor(monkeypatch, variable, late, says):
    monkeypatch.setenv(airflow_defaults.ORPHANS, variable)
    program = f"from tests.test_airflow_defaults import family; family({late})"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, bufsize=0, cwd=ROOT) as supervisor:
        heard = b"" if late else supervisor.stdout.read(6)
        supervisor.kill() if not late else supervisor.wait()
        assert heard + supervisor.stdout.read() == says


def test_a_task_without_supervisor_is_left_alone():
    """As under `airflow dags test`: this process would be gone."""
    airflow_defaults.end_with_supervisor({})
    assert DEFAULT_ARGS["on_execute_callback"] is airflow_defaults.end_with_supervisor
