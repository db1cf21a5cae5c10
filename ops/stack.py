"""The whole platform without containers: one night through Celery's workers, one of which is killed at work.

`make stack` starts PostgreSQL, Redis, an S3 object store, MLflow, Airflow's four services and three workers, has the
drill run on them, and stops everything, whatever happened. The environment comes from ops/airflow.sh. Not here: the
services below Airflow (`backing`), what the drill does (`drill`), and a machine for every day (`services`).
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ops import backing, buckets, drill, services
from pipeline.version import code_version

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "build" / "figures" / "stack.json"
MISSING = 90  # seconds without a heartbeat until Airflow takes a task for lost: no longer than needed, 300 by default
STARTING = 900  # seconds that all services may take to start on a machine with much other work
SETTINGS = {
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",  # the files stay as they are
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(MISSING),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",  # else the snapshot's event begins nothing
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # by default 5 seconds, then the task has failed
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "20",  # an API that is slow for a while ends no task
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
    "MLFLOW_TRACKING_URI": services.MLFLOW,
    "SHOPKEEL_CLOCK": "off",
}
# What must not be 0 for the drill to have gone well.
ASKED = (
    "night_succeeded", "retried_on_the_other_worker", "tables_in_the_object_store", "rows_shown_from_the_object_store",
    "mlflow_files_in_the_object_store", "audiences_after_the_snapshots_event", "tuning_succeeded",
    "erasure_of_nobody_refused",
)  # fmt: skip


def airflow_services() -> dict[str, list[str]]:
    """Airflow's services, MLflow, and the workers, each with a name and a queue."""
    others = {"airflow-triggerer": ["airflow", "triggerer", "--skip-serve-logs"], "mlflow": services.MLFLOW_SERVER}
    return services.AIRFLOW_SERVICES | others | {name: _worker(name, queue) for name, queue in drill.WORKERS.items()}


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


def run(shop: str, day: str, patience: float) -> dict[str, float]:
    """Start everything, have the drill run and tell what happened; gives the figures.

    Args:
        shop: a known shop, or the path of its .yaml.
        day: YYYY-MM-DD.
        patience: seconds that a phase of the drill may take.

    Raises:
        SystemExit: a service ended, or something was not ready in time.
    """
    services.refuse_taken_ports()
    under = backing.prepare(services.HOME / "backing")
    os.environ.update(under.environment() | SETTINGS | {"PYTHONPATH": _path()})
    with services.running(under.services()) as below:
        services.wait("what Airflow stands on", under.are_ready, below, STARTING)
        prepare_airflow()
        with services.running(airflow_services()) as above:
            processes = dict(below) | dict(above)
            services.wait("MLflow", services.mlflow_is_healthy, processes, STARTING)
            parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
            services.wait("Airflow", lambda: services.airflow_is_healthy(parts), processes, STARTING)
            print(f"{len(processes)} services run: {', '.join(processes)}", flush=True)
            figures = {"services": float(len(processes))} | drill.night(shop, day, processes, patience)
            if figures["night_succeeded"]:
                figures |= drill.published(shop) | drill.follow_ups(shop, day, processes, patience)
            return figures


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
    parser.add_argument("--patience", type=float, default=6 * 3600, help="seconds that a phase may take")
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, services.interrupt)
    figures = run(given.shop, given.day, given.patience)
    write(figures)
    for name, figure in figures.items():
        print(f"{name:<36} {figure:g}")
    print(f"figures  {FIGURES}", flush=True)
    if lacking := [name for name in ASKED if not figures.get(name)]:
        sys.exit(f"not as it should be: {', '.join(lacking)}; logs: {services.LOGS}")


if __name__ == "__main__":
    main()
