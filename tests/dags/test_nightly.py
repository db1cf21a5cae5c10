"""House rules for the DAG files, one test a rule, and the nightly DAG's shape."""

import ast
import inspect
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction

from pipeline import airflow_defaults, nightly

DAGS = Path(__file__).parents[2] / "dags"
FILES = sorted(DAGS.glob("*.py"))
HEAVY = ("torch", "transformers", "mlflow", "great_expectations", "pandas", "ibis", "duckdb", "pipeline.nightly")

# Parses as the dag-processor does, in a fresh process, with Airflow itself already imported.
PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps([sorted(set(sys.modules) & set(sys.argv[2:])), bag.import_errors]))
"""


@pytest.fixture(scope="module")
def bag():
    bag = DagBag(DAGS)
    assert not bag.import_errors
    return bag


@pytest.fixture(scope="module")
def dag(bag):
    return bag.dags["nightly"]


def upstream(dag, task):
    return dag.get_task(task).get_flat_relative_ids(upstream=True)


def test_expected_dags(bag):
    assert set(bag.dags) == {"audiences", "erasure", "nightly", "tuning"}


def test_every_dag_has_its_runbook_and_tags(bag):
    for dag in bag.dags.values():
        assert {"shopkeel"} < set(dag.tags)
        for part in ("What it makes", "When", "May it be rerun?", "When it fails", "Owner"):
            assert f"**{part}" in dag.doc_md


def test_what_begins_by_the_clock_waits_until_it_is_unpaused_all_else_is_ready(bag):
    ready = {name for name, dag in bag.dags.items() if dag.is_paused_upon_creation is False}
    assert ready == {"audiences", "erasure"}


def test_every_task_has_the_defaults(bag):
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert task.owner == "personalisation", task.task_id
            assert task.retry_policy, task.task_id
            assert task.execution_timeout, task.task_id
            assert task.on_failure_callback, task.task_id
            assert task.on_execute_callback, task.task_id


def test_tasks_are_the_stages_in_order(dag):
    order = [task.task_id for task in dag.topological_sort()]
    assert order == [stage.name for stage in nightly.STAGES]
    assert len(order) <= 12


def test_mapped_tasks_run_over_the_stages_items(dag):
    mapped = {task.task_id: tuple(*task.op_kwargs_expand_input.value.values()) for task in dag.tasks if task.is_mapped}
    assert mapped == {stage.name: stage.over for stage in nightly.STAGES if stage.over}


def test_publish_is_behind_every_gate(dag):
    assert {"ingest", "features", "judge", "score", "balance", "place", "audit"} <= upstream(dag, "publish")


def test_no_task_runs_after_a_failed_one(dag):
    assert {task.trigger_rule for task in dag.tasks} == {"all_success"}


def test_only_publish_announces_the_snapshot(dag):
    assert {task.task_id: [asset.name for asset in task.outlets] for task in dag.tasks if task.outlets} == {
        "publish": ["published_snapshot"]
    }


def test_training_takes_the_gpu_pool_and_queue(dag):
    training = {task.task_id for task in dag.tasks if (task.pool, task.queue) == ("gpu", "gpu")}
    assert training == {"encoder", "fine_tune"}
    assert {task.pool for task in dag.tasks} == {"gpu", "default_pool"}


def test_one_night_at_a_time_and_no_catch_up_unasked(dag):
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_scheduled_run_covers_the_day_that_closed(dag):
    """A bare cron string would leave the interval empty; ours starts on the business day, and runs when it is over."""
    midnight = pendulum.datetime(2017, 11, 30, tz="America/New_York")
    timetable = coerce_to_core_timetable(dag.timetable)
    restriction = TimeRestriction(earliest=midnight, latest=None, catchup=True)
    run = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert run.data_interval.start == midnight.add(hours=2)
    assert run.run_after == midnight.add(days=1, hours=2)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_dag_files_stay_thin(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {alias.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module).split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported <= {"airflow", "pipeline", "datetime", "pendulum", "typing", "collections"}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 150
    assert "Variable.get" not in path.read_text(encoding="utf-8")


def test_parsing_needs_no_heavy_library(tmp_path):
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    command = [sys.executable, "-c", PARSE, str(DAGS), *HEAVY]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    heavy, errors = ast.literal_eval(printed.strip().splitlines()[-1])
    assert heavy == []
    assert errors == {}


@pytest.mark.parametrize("stage", nightly.STAGES, ids=lambda stage: stage.name)
def test_every_task_runs_its_stage_once(dag, stage, monkeypatch):
    calls = []

    def run_stage(night, name, item=None):
        calls.append((night, name, item))
        return {"snapshot": "2017-11-30-ab12"}

    night = types.SimpleNamespace(day="2017-11-30")
    body = inspect.unwrap(dag.get_task(stage.name).python_callable)
    monkeypatch.setattr(nightly, "run_stage", run_stage)
    monkeypatch.setitem(body.__globals__, "tonight", lambda: night)
    monkeypatch.setattr(airflow_defaults, "get_current_context", lambda: {"params": {"shop": "shops/corner.yaml"}})
    result = body(*stage.over[:1])
    if stage.name == "publish":
        (announced,) = result
        assert announced.asset.name == "published_snapshot"
        assert announced.extra == {"snapshot": "2017-11-30-ab12", "day": "2017-11-30", "shop": "shops/corner.yaml"}
    assert calls == [(night, stage.name, *(stage.over[:1] or (None,)))]


def test_runbook_names_the_commands_that_exist(dag):
    commands = re.findall(r"`(airflow [a-z]+ [a-z]+|shopkeel [a-z]+)", dag.doc_md)
    assert commands == ["airflow dags trigger", "airflow backfill create", "shopkeel status", "shopkeel run"]
