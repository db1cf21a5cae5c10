"""A supervisor killed by the real scheduler's side: the orphan loses to its retry; and by default there is no orphan.

Airflow's LocalExecutor in a home of its own, its time-outs shortened. A worker of the executor supervises one task at a
time; killed with -9 it leaves the task running, and Airflow starts a retry when heartbeats have been missing too long.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import pytest

from pipeline.warehouse.snapshot import log, open_snapshot, verify
from tests.chaos.conftest import Matrix, counts
from tests.figures import ROOT

pytestmark = pytest.mark.stack

MISSING = 15  # seconds without a heartbeat until Airflow retries; 300 by default
AT_ONCE = 8
SETTINGS = {
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).with_name("dags")),
    "AIRFLOW__CORE__PARALLELISM": str(AT_ONCE),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(MISSING),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "PYTHONPATH": str(ROOT),
}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """ops/services.py, as `make up` has it, in a home of its own."""
    home = tmp_path_factory.mktemp("airflow")
    asked = {"SHOPKEEL_HOME": str(home), "AIRFLOW_PORT": free_port(), "MLFLOW_PORT": free_port()} | SETTINGS
    shell = [*("sh", "-c"), ". ops/airflow.sh && env -0"]
    given = subprocess.run(shell, cwd=ROOT, env=os.environ | asked, capture_output=True, text=True, check=True).stdout
    environment = dict(line.split("=", 1) for line in given.split("\0") if line)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.delitem(sys.modules, "ops.services", raising=False)
        subprocess.run([Path(sys.executable).parent / "airflow", "db", "migrate"], check=True, capture_output=True)
        from ops import services

        yield services
        services.http.close()


@pytest.fixture(scope="module")
def processes(services: ModuleType) -> Iterator[Mapping[str, Any]]:
    with services.running(services.AIRFLOW_SERVICES) as started:
        services.wait("Airflow", services.airflow_is_healthy, started)
        yield started


def told(home: Path, name: str) -> dict[int, dict[str, Any]]:
    """What attempts have told under a name, by index."""
    return {int(path.parts[-3]): json.loads(path.read_text()) for path in home.glob(f"*/*/{name}")}


def kill_supervisors(home: Path, count: int, ended: Callable[[], bool]) -> dict[int, float]:
    """Kill each first attempt's supervisor once it has begun; gives when, by index."""
    killed: dict[int, float] = {}
    while len(killed) < count and not ended():
        for index, facts in told(home, "began-1").items():
            if index not in killed:
                os.kill(facts["supervisor"], signal.SIGKILL)
                killed[index] = time.monotonic()
        time.sleep(0.1)
    return killed


def is_gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has reaped yet has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def a_run(services: ModuleType, processes: Mapping[str, Any], count: int, live: bool) -> tuple[str, Path]:
    """A run of the DAG: its URL, and where its attempts tell."""
    before = set((Path(os.environ["SHOPKEEL_HOME"]) / "orphans").glob("*"))
    url = services.trigger("orphans", {"count": count, "live": live}, processes)
    folder: set[Path] = set()

    def begun() -> bool:
        folder.update(set((Path(os.environ["SHOPKEEL_HOME"]) / "orphans").glob("*")) - before)
        return bool(folder)

    services.wait("the first attempt", begun, processes)
    return url, folder.pop()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is told of its parent's death")
def test_by_default_a_task_ends_with_its_supervisor(
    services: ModuleType, processes: Mapping[str, Any], matrix: Matrix
) -> None:
    count = counts(4, 16)
    url, home = a_run(services, processes, count, live=False)
    killed = kill_supervisors(home, count, lambda: False)
    time.sleep(2)
    gone = sum(is_gone(facts["task"]) for facts in told(home, "began-1").values())
    state = services.follow(url, processes)
    matrix.row("supervisor killed, no orphan", len(killed), gone, "gone within 2 s")
    assert gone == len(killed) == count
    assert state == "success"
    assert {facts["said"] for facts in told(home, "ended-2").values()} == {"committed"}
    assert not told(home, "ended-1")


def test_an_orphan_that_lives_loses_to_its_retry(
    services: ModuleType, processes: Mapping[str, Any], matrix: Matrix
) -> None:
    count = counts(4, 50)
    url, home = a_run(services, processes, count, live=True)
    killed = kill_supervisors(home, count, lambda: False)
    state = services.follow(url, processes)
    services.wait("the orphans", lambda: len(told(home, "ended-1")) == count, processes)
    orphans, retries, began = told(home, "ended-1"), told(home, "ended-2"), told(home, "began-2")
    survived = 0
    for index in killed:
        root = next(home.glob(f"{index}/*/warehouse"))
        published = open_snapshot(root)
        survived += (
            (orphans[index]["said"], retries[index]["said"]) == ("Superseded", "committed")
            and [move["snapshot"] for move in log(root)] == [published.id]
            and not verify(published)
            and published.table("prices")["price"].to_pylist() == [2.0, 2.0, None]
        )
    waits = [began[index]["at"] - at for index, at in killed.items()]
    matrix.row(
        "supervisor killed, orphan lives", len(killed), survived,
        f"retry began {median(waits):.0f} s after the kill, heartbeat time-out {MISSING} s",
        retry_after_seconds=round(median(waits), 1), retry_after_seconds_longest=round(max(waits), 1),
    )  # fmt: skip
    assert survived == len(killed) == count, (orphans, retries)
    assert state == "success"
