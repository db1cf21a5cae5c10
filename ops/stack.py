"""The whole platform without containers: one night through Celery's workers, one of which is killed at work.

`make stack` starts PostgreSQL, Redis, an S3 object store, MLflow, Airflow's four services and three workers, triggers a
night, kills a training worker in the middle of its task, waits until the night has ended by the retry elsewhere, says
what ran where, and stops everything. The environment comes from ops/airflow.sh. Not here: the services below Airflow
(`backing`), and a machine for every day (`services`).
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import psutil

from ops import backing, buckets, services
from pipeline.settings import load_shop
from pipeline.version import code_version
from pipeline.warehouse.bucket import Bucket

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "build" / "figures" / "stack.json"
WORKERS = {"cpu-1": "default", "gpu-1": "gpu", "gpu-2": "gpu"}
VICTIM = "encoder"  # the task whose worker is killed
MISSING = 30  # seconds without a heartbeat until Airflow takes a task for lost; 300 by default
SETTINGS = {
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(MISSING),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "MLFLOW_TRACKING_URI": services.MLFLOW,
}

Processes = dict[str, "subprocess.Popen[bytes]"]


@dataclass
class Killed:
    """A worker that was killed: its name, its task's process, and when."""

    worker: str = ""
    task: int = 0
    at: float = 0.0
    survivors: list[int] = field(default_factory=list)


def airflow_services() -> dict[str, list[str]]:
    """Airflow's services, MLflow, and the workers, each with a name and a queue."""
    mlflow = ["mlflow", "server", "--host", "127.0.0.1", "--port", os.environ["MLFLOW_PORT"], "--workers", "1"]
    others = {"airflow-triggerer": ["airflow", "triggerer", "--skip-serve-logs"], "mlflow": mlflow}
    return services.AIRFLOW_SERVICES | others | {name: _worker(name, queue) for name, queue in WORKERS.items()}


def _worker(name: str, queue: str) -> list[str]:
    named = [f"SHOPKEEL_WORKER={name}", "AIRFLOW__CORE__HOSTNAME_CALLABLE=ops.backing.worker"]
    airflow = [str(services.BIN / "airflow"), "celery", "worker", "--queues", queue, "--concurrency", "1"]
    apart = ["--celery-hostname", f"{name}@%h", "--pid", str(services.LOGS / f"{name}.pid"), "--skip-serve-logs"]
    return ["/usr/bin/env", *named, *airflow, *apart]


def prepare_airflow() -> None:
    """Make Airflow's tables, the training pool and the buckets."""
    for words in (["db", "migrate"], ["pools", "set", "gpu", "1", "training, one task at a time"]):
        done = subprocess.run([services.BIN / "airflow", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"airflow {' '.join(words)} failed: {done.stderr.strip()[-1000:]}")
    buckets.main()


def tasks_of(run: str) -> list[dict[str, Any]]:
    """The task instances of a run, as Airflow tells them."""
    told: list[dict[str, Any]] = services.http.get(f"{run}/taskInstances").raise_for_status().json()["task_instances"]
    return told


def kill_worker(run: str, processes: Processes, task: str = VICTIM) -> Killed:
    """Wait until a task is at work, then kill its worker (SIGKILL to its group), which leaves `processes`."""
    killed = Killed()

    def struck() -> bool:
        for told in tasks_of(run):
            if told["task_id"] == task and told["state"] == "running" and told["hostname"] in WORKERS:
                killed.worker, killed.task = told["hostname"], told["pid"]
                return True
        return False

    services.wait(f"the task {task}", struck, processes, patience=3600)
    time.sleep(2)  # past its first lines
    worker = processes.pop(killed.worker)
    family = [worker.pid, *(child.pid for child in psutil.Process(worker.pid).children(recursive=True))]
    os.killpg(worker.pid, signal.SIGKILL)
    killed.at = time.monotonic()
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


def figures_of(shop: str, state: str, killed: Killed, tries: list[dict[str, Any]], seconds: float) -> dict[str, float]:
    """What the run showed, as numbers by name."""
    settings = load_shop(shop)
    store = fsspec.filesystem("s3", skip_instance_cache=True)
    current = Bucket.of(settings)
    manifest = current.manifest() if current and state == "success" else None
    victims = [one for one in tries if one["task_id"] == VICTIM]
    retried = victims[-1]["hostname"] if victims else ""
    return {
        "night_succeeded": float(state == "success"),
        "night_seconds": round(seconds, 1),
        "tasks": len({(one["task_id"], one["map_index"]) for one in tries}),
        "tries": len(tries),
        "tries_of_the_killed_task": len(victims),
        "retried_on_the_other_worker": float(retried in WORKERS and retried != killed.worker),
        "processes_outliving_the_kill": len(killed.survivors),
        "workers_that_ran_tasks": len({one["hostname"] for one in tries} & WORKERS.keys()),
        "tables_in_the_object_store": len(manifest.tables) if manifest else 0,
        "mlflow_files_in_the_object_store": len(store.find("mlflow")),
    }


def run(shop: str, day: str) -> dict[str, float]:
    """Start everything, run the night with its kill, print what ran where; gives the figures.

    Raises:
        SystemExit: a service ended, or was not ready in time.
    """
    services.refuse_taken_ports()
    under = backing.prepare(services.HOME / "backing")
    os.environ.update(under.environment() | SETTINGS | {"PYTHONPATH": _path()})
    with services.running(under.services()) as below:
        services.wait("what Airflow stands on", under.are_ready, below)
        prepare_airflow()
        with services.running(airflow_services()) as above:
            processes = dict(below) | dict(above)
            services.wait("MLflow", services.mlflow_is_healthy, processes)
            services.wait("Airflow", services.airflow_is_healthy, processes, patience=300)
            print(f"{len(processes)} services run: {', '.join(processes)}", flush=True)
            begun = time.monotonic()
            url = services.trigger("nightly", {"shop": shop, "day": day}, processes)
            killed = kill_worker(url, processes)
            state = services.follow(url, processes)
            seconds = time.monotonic() - begun
            tries = tries_of(url)
            print(table(tries), flush=True)
            return {"services": len(processes) + 1} | figures_of(shop, state, killed, tries, seconds)


def _path() -> str:
    """Where every process finds `ops`, behind what the environment names already."""
    return os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))


def write(figures: Mapping[str, float]) -> None:
    """Write the figures with the machine and the commit they are of."""
    facts = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "commit": code_version(),
    }
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(dict(figures) | facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Run it for the shop and day of the command line; ends with 0 when the night ended well."""
    parser = argparse.ArgumentParser(description="The whole platform on loopback, one night, one worker killed.")
    parser.add_argument("shop")
    parser.add_argument("day", help="YYYY-MM-DD")
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, services.interrupt)
    figures = run(given.shop, given.day)
    write(figures)
    for name, figure in figures.items():
        print(f"{name:<34} {figure:g}")
    print(f"figures  {FIGURES}")
    sys.exit(0 if figures["night_succeeded"] and figures["retried_on_the_other_worker"] else 1)


if __name__ == "__main__":
    main()
