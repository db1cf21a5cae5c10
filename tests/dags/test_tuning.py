"""The weekly DAG: two tasks in order on the GPU's queue, on the day that closed, within a budget."""

import inspect
from pathlib import Path

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction

from pipeline import tuning

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag():
    return DagBag(DAGS / "tuning.py").dags["tuning"]


def test_the_language_comes_before_the_search_and_both_train(dag):
    assert [task.task_id for task in dag.topological_sort()] == ["adapt", "search"]
    assert {(task.pool, task.queue) for task in dag.tasks} == {("gpu", "gpu")}
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert not any(task.outlets for task in dag.tasks)


def test_it_runs_each_sunday(dag):
    restriction = TimeRestriction(earliest=pendulum.datetime(2017, 11, 1, tz="UTC"), latest=None, catchup=True)
    run = coerce_to_core_timetable(dag.timetable).next_dagrun_info(
        last_automated_data_interval=None, restriction=restriction
    )
    assert run.run_after == pendulum.datetime(2017, 11, 12, 14, tz="America/New_York")


@pytest.mark.parametrize(("task", "given"), [("adapt", ("night",)), ("search", ("night", 20.0))])
def test_a_task_is_one_call(dag, monkeypatch, task, given):
    calls = []
    body = inspect.unwrap(dag.get_task(task).python_callable)
    monkeypatch.setitem(body.__globals__, "this_week", lambda: ("night", 20.0))
    monkeypatch.setattr(tuning, task, lambda *told: calls.append(told) or {"of": task})
    assert body() == {"of": task}
    assert calls == [given]
