"""The drill of the whole platform: one night that loses a worker, and what must follow it; told as tables and figures.

Not here: starting and stopping what it runs on (`stack`, `backing`, `services`).
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import fsspec  # type: ignore[import-untyped]
import psutil

from ops import services
from pipeline.settings import load_shop
from pipeline.warehouse.bucket import Bucket

WORKERS = {"cpu-1": "default", "gpu-1": "gpu", "gpu-2": "gpu"}
VICTIM = "encoder"  # the task whose worker is killed
SHOWN = "recommendations"  # the table that a reader on another machine looks at

Processes = dict[str, "subprocess.Popen[bytes]"]


@dataclass
class Killed:
    """A worker that was killed: its name, its task's process, and which of its processes lived on."""

    worker: str = ""
    task: int = 0
    survivors: list[int] = field(default_factory=list)


def tasks_of(run: str) -> list[dict[str, Any]]:
    """The task instances of a run, as Airflow tells them."""
    told: list[dict[str, Any]] = services.http.get(f"{run}/taskInstances").raise_for_status().json()["task_instances"]
    return told


def kill_worker(run: str, processes: Processes, patience: float, task: str = VICTIM) -> Killed:
    """Wait until a task is at work, then kill its worker (SIGKILL to its group), which leaves `processes`."""
    killed = Killed()

    def struck() -> bool:
        for told in tasks_of(run):
            if told["task_id"] == task and told["state"] == "running" and told["hostname"] in WORKERS:
                killed.worker, killed.task = told["hostname"], told["pid"]
                return True
        return False

    services.wait(f"the task {task}", struck, processes, patience)
    time.sleep(2)  # past its first lines
    worker = processes.pop(killed.worker)
    family = [worker.pid, *(child.pid for child in psutil.Process(worker.pid).children(recursive=True))]
    os.killpg(worker.pid, signal.SIGKILL)
    print(f"  killed worker {killed.worker} with task {task} at work in process {killed.task}", flush=True)
    time.sleep(3)
    killed.survivors = [pid for pid in family if _is_alive(pid)]
    return killed


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tries_of(run: str) -> list[dict[str, Any]]:
    """Every try of every task of a run, oldest first, each with the `name` that people read."""
    found: list[dict[str, Any]] = []
    for task in tasks_of(run):
        place, name = f"{run}/taskInstances/{task['task_id']}", task["task_id"]
        if task["map_index"] >= 0:
            place, name = f"{place}/{task['map_index']}", f"{name} [{task['rendered_map_index'] or task['map_index']}]"
        tries = services.http.get(f"{place}/tries").raise_for_status().json()["task_instances"]
        found += [one | {"name": name} for one in tries]
    return sorted(found, key=lambda one: (one["start_date"] or "9", one["name"], one["try_number"]))


def table(tries: list[dict[str, Any]]) -> str:
    """What ran where, a line a try."""
    lines = [f"{'task':<34} {'try':>3}  {'worker':<8} {'queue':<8} {'state':<16} {'seconds':>7}"]
    for one in tries:
        where, state = one["hostname"] if one["hostname"] in WORKERS else "", one["state"] or ""
        seconds = "" if one["duration"] is None else f"{one['duration']:.1f}"
        lines.append(f"{one['name']:<34} {one['try_number']:>3}  {where:<8} {one['queue']:<8} {state:<16} {seconds:>7}")
    return "\n".join(lines)


def night(shop: str, day: str, processes: Processes, patience: float) -> dict[str, float]:
    """Run a night that loses its trainer; prints what ran where, gives the figures of it."""
    begun = time.monotonic()
    url = services.trigger("nightly", {"shop": shop, "day": day}, processes)
    killed = kill_worker(url, processes, patience)
    state = services.follow(url, processes, patience)
    seconds = time.monotonic() - begun
    tries = tries_of(url)
    print(table(tries), flush=True)
    last = {one["name"]: one for one in tries}
    spent = {name: one["try_number"] for name, one in last.items()}  # also tries that a worker never began
    return {
        "night_succeeded": float(state == "success"),
        "night_seconds": round(seconds, 1),
        "tasks": len(spent),
        "tries": sum(spent.values()),
        "tries_of_the_killed_task": spent[VICTIM],
        "tries_lost_to_the_load": sum(spent.values()) - len(spent) - (spent[VICTIM] - 1),
        "retried_on_the_other_worker": float(last[VICTIM]["hostname"] in WORKERS.keys() - {killed.worker}),
        "processes_outliving_the_kill": len(killed.survivors),
        "workers_that_ran_tasks": len({one["hostname"] for one in tries} & WORKERS.keys()),
    }


def published(shop: str) -> dict[str, float]:
    """What the stores hold after the night, the tables read back by the command line on a machine without any."""
    bucket = Bucket.of(load_shop(shop))
    shown = read_back(shop)
    print(f"\n`shopkeel show {SHOWN}` of the object store's snapshot, its first row:\n  {shown[0] if shown else ''}")
    return {
        "tables_in_the_object_store": len(bucket.manifest().tables) if bucket else 0,
        "rows_shown_from_the_object_store": len(shown),
        "mlflow_files_in_the_object_store": len(fsspec.filesystem("s3", skip_instance_cache=True).find("mlflow")),
    }


def read_back(shop: str) -> list[str]:
    """Rows of the object store's snapshot as `shopkeel show` prints them in an empty home, every hash checked first."""
    with tempfile.TemporaryDirectory() as elsewhere:
        said = ""
        for words in (["mirror"], ["verify"], ["show", SHOWN, "--limit", "5", "--json"]):
            command = [str(services.BIN / "shopkeel"), *words, "--shop", shop]
            there = os.environ | {"SHOPKEEL_HOME": elsewhere}
            done = subprocess.run(command, env=there, capture_output=True, text=True, check=False)
            said = done.stdout
            if done.returncode:
                print(f"shopkeel {' '.join(words)}: {done.stderr.strip()[-500:]}")
                return []
    return said.splitlines()


def follow_ups(shop: str, day: str, processes: Processes, patience: float) -> dict[str, float]:
    """What else the platform does: every DAG is read, the snapshot's event sets one off, others run by hand.

    The erasure names nobody, so it is refused, and its failure is told to whom the environment names.
    """
    dags = services.http.get(f"{services.AIRFLOW}/api/v2/dags").raise_for_status().json()["dags"]
    errors = services.http.get(f"{services.AIRFLOW}/api/v2/importErrors").raise_for_status().json()["import_errors"]
    print(f"\nDAGs: {', '.join(sorted(one['dag_id'] for one in dags))}; {len(errors)} import errors")
    runs = {
        "audiences": set_off("audiences", processes),
        "tuning": services.trigger("tuning", {"shop": shop, "day": day, "minutes": 1}, processes),
        "erasure": services.trigger("erasure", {"shop": shop}, processes),
    }
    ended = {dag: services.follow(url, processes, patience) for dag, url in runs.items()}
    for dag, state in ended.items():
        print(f"{dag:<12} {state}")
    return {
        "dags": len(dags),
        "dag_import_errors": len(errors),
        "audiences_after_the_snapshots_event": float(ended["audiences"] == "success"),
        "tuning_succeeded": float(ended["tuning"] == "success"),
        "erasure_of_nobody_refused": float(ended["erasure"] == "failed"),
    }


def set_off(dag: str, processes: Processes) -> str:
    """Wait for a run of a DAG that an asset's event began; its URL."""
    runs = f"{services.AIRFLOW}/api/v2/dags/{dag}/dagRuns"
    found: list[str] = []

    def begun() -> bool:
        told: list[Mapping[str, Any]] = services.http.get(runs).raise_for_status().json()["dag_runs"]
        found.extend(one["dag_run_id"] for one in told if one["run_type"] == "asset_triggered")
        return bool(found)

    services.wait(f"a run of {dag} by the snapshot's event", begun, processes)
    return f"{runs}/{found[0]}"
