"""What the DAGs share: which errors are retried, which day a run is for, what a failure tells."""

import logging
import types
from datetime import UTC, date, datetime

import pytest
from airflow.sdk import RetryAction

from pipeline import airflow_defaults, errors
from pipeline.airflow_defaults import DEFAULT_ARGS, RETRY, tell_owner, tonight

OURS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.ShopkeelError)]


def in_a_run(monkeypatch, day=None, interval=None, shop="grocer"):
    context = {"params": {"shop": shop, "day": day}}
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
    assert decision.retry_delay < DEFAULT_ARGS["retry_delay"]


def test_unknown_errors_take_the_standard_way():
    assert RETRY.evaluate(ValueError("x"), 1, 3).action is RetryAction.DEFAULT
    assert DEFAULT_ARGS["retries"] == 2


def test_policy_survives_the_dag_being_stored():
    assert type(RETRY).deserialize(RETRY.serialize()).evaluate(errors.Refused("x"), 1, 3).action is RetryAction.FAIL


def test_param_gives_the_day(monkeypatch):
    in_a_run(monkeypatch, day="2017-11-30", interval=datetime(2020, 1, 1, tzinfo=UTC))
    night = tonight()
    assert (night.shop.name, night.day, night.run) == ("grocer", date(2017, 11, 30), "night")


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


def test_run_without_a_day_says_what_to_give(monkeypatch):
    in_a_run(monkeypatch)
    with pytest.raises(errors.ConfigError, match="day=YYYY-MM-DD"):
        tonight()


@pytest.mark.parametrize(("shop", "day"), [("nowhere", "2017-11-30"), ("grocer", "30.11.2017")])
def test_bad_params_are_config_errors(monkeypatch, shop, day):
    in_a_run(monkeypatch, day=day, shop=shop)
    with pytest.raises(errors.ConfigError, match=r"nowhere|30\.11\.2017"):
        tonight()


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
