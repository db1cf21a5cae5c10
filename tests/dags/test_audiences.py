"""The DAG of audience files: on each published snapshot, one delivery of it."""

import inspect
import types
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from pipeline import delivery
from pipeline.airflow_defaults import SNAPSHOT

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag():
    return DagBag(DAGS / "audiences.py").dags["audiences"]


def test_it_runs_on_the_published_snapshot_and_one_at_a_time(dag):
    assert [asset.name for asset in dag.timetable.asset_condition.objects] == [SNAPSHOT.name]
    assert dag.max_active_runs == 1
    assert [task.task_id for task in dag.tasks] == ["deliver"]
    assert not dag.tasks[0].outlets


def test_it_delivers_each_snapshot_that_was_announced(dag, monkeypatch):
    night = types.SimpleNamespace()
    body = inspect.unwrap(dag.get_task("deliver").python_callable)
    monkeypatch.setitem(body.__globals__, "announced", lambda: [(night, "s1"), (night, "s2")])
    monkeypatch.setattr(delivery, "deliver", lambda given, snapshot: {"of": (given, snapshot)})
    assert body() == [{"of": (night, "s1")}, {"of": (night, "s2")}]
