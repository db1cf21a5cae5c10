"""The DAG of the right to erasure: whoever its params name is erased for good."""

import inspect
import types
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from pipeline import airflow_defaults, erasure
from pipeline.errors import ConfigError

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag():
    return DagBag(DAGS / "erasure.py").dags["erasure"]


def test_it_runs_when_asked_alone_and_announces_nothing(dag):
    assert not dag.timetable.can_be_scheduled
    assert dag.max_active_runs == 1
    assert [task.task_id for task in dag.tasks] == ["erase"]
    assert not dag.tasks[0].outlets


def test_it_erases_for_good_whom_the_params_name(dag, monkeypatch):
    asked = types.SimpleNamespace(night="n", users=["7"])
    body = inspect.unwrap(dag.get_task("erase").python_callable)
    monkeypatch.setitem(body.__globals__, "asked", lambda name: (asked.night, getattr(asked, name)))
    done = erasure.Erasure({"events": 3}, "s2", (), ("s1",), {"encoder": ("e1",)})
    monkeypatch.setattr(
        erasure, "erase_for_good", lambda night, users: done if (night, users) == ("n", ["7"]) else None
    )
    assert body() == {
        "rows": {"events": 3}, "snapshot": "s2", "holding": (), "removed": ("s1",), "models": {"encoder": ("e1",)},
    }  # fmt: skip


def test_a_run_that_names_nobody_is_refused(monkeypatch):
    params = {"shop": "grocer", "users": ["7", "8"]}
    monkeypatch.setattr(airflow_defaults, "get_current_context", lambda: {"params": params})
    night, users = airflow_defaults.asked("users")
    assert (night.shop.name, users) == ("grocer", ["7", "8"])
    params["users"] = []
    with pytest.raises(ConfigError, match="names no users"):
        airflow_defaults.asked("users")
