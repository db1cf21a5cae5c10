"""Airflow and MLflow on this machine: `up` for a person, `once SHOP DAY` for one night through the scheduler.

Everything started here stops with it, on Ctrl-C as on SIGTERM. The environment comes from ops/airflow.sh.
Not here: containers (docker-compose.yml), and anything of the pipeline.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

BIN = Path(sys.executable).parent
HOME = Path(os.environ["SHOPKEEL_HOME"])
LOGS = HOME / "services"
PID = LOGS / "up.pid"
AIRFLOW = f"http://127.0.0.1:{os.environ['AIRFLOW_PORT']}"
MLFLOW = f"http://127.0.0.1:{os.environ['MLFLOW_PORT']}"
PASSWORDS = Path(os.environ["AIRFLOW_HOME"]) / "simple_auth_manager_passwords.json.generated"

AIRFLOW_SERVICES: dict[str, list[str]] = {
    "airflow-api-server": ["airflow", "api-server"],
    "airflow-scheduler": ["airflow", "scheduler"],
    "airflow-dag-processor": ["airflow", "dag-processor"],
}
MLFLOW_SERVER = ["mlflow", "server", "--host", "127.0.0.1", "--port", os.environ["MLFLOW_PORT"], "--workers", "1"]
MLFLOW_SERVICE: dict[str, list[str]] = {
    "mlflow": [
        *MLFLOW_SERVER,
        *("--backend-store-uri", f"sqlite:///{HOME}/mlflow.db"),
        *("--default-artifact-root", f"{HOME}/mlflow-artifacts"),
    ]
}

DEADLINE = {"SHOPKEEL_DEADLINE_HOURS": "5"}  # unless the environment has another

# Loopback only: a proxy of the environment has no part in it.
http = httpx.Client(trust_env=False, timeout=10)
Processes = Mapping[str, subprocess.Popen[bytes]]


@contextmanager
def running(services: Mapping[str, list[str]]) -> Iterator[Processes]:
    """Run services, each in its own session and log file, and stop them all at the end."""
    LOGS.mkdir(parents=True, exist_ok=True)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, (program, *arguments) in services.items():
            with (LOGS / f"{name}.log").open("wb") as log:
                processes[name] = subprocess.Popen(
                    [str(BIN / program), *arguments],
                    env=DEADLINE | os.environ,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        yield processes
    finally:
        stop(processes)


def stop(processes: Processes, patience: float = 30) -> None:
    """Interrupt each service's process group, wait, and end what is left: SIGTERM would orphan Airflow's children."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal_groups(processes, signal.SIGINT)
    deadline = time.monotonic() + patience
    for process in processes.values():
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue
    signal_groups(processes, signal.SIGKILL)


def signal_groups(processes: Processes, number: int) -> None:
    """Signal the services' process groups; one that is gone needs none."""
    for process in processes.values():
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            continue


def refuse_taken_ports() -> None:
    """End with a remedy where another program already listens on one of our ports."""
    for variable in ("AIRFLOW_PORT", "MLFLOW_PORT"):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(os.environ[variable])))
            except OSError:
                sys.exit(f"port {os.environ[variable]} is taken: choose another, as in `make up {variable}=18080`")


def wait(what: str, ready: Callable[[], bool], processes: Processes, patience: float = 300, pause: float = 1) -> None:
    """Wait until `ready()`, asking after each pause, in seconds.

    Raises:
        SystemExit: a service died, or time ran out; with the last lines of its log, or of each one's.
    """
    deadline, why = time.monotonic() + patience, "not yet"
    while time.monotonic() < deadline:
        for name, process in processes.items():
            if process.poll() is not None:
                sys.exit(f"{last_lines(name, 15)}\n{name} ended with code {process.returncode}; logs: {LOGS}")
        try:
            if ready():
                return
        except (httpx.HTTPError, ValueError, KeyError) as error:
            why = f"{type(error).__name__}: {error}"
        time.sleep(pause)
    tails = "\n".join(f"--- {name}\n{last_lines(name, 5)}" for name in processes)
    sys.exit(f"{tails}\n{what} not ready after {patience:.0f} s ({why}); logs: {LOGS}")


def last_lines(name: str, count: int) -> str:
    """The end of a service's log."""
    return "\n".join((LOGS / f"{name}.log").read_text(errors="replace").splitlines()[-count:])


def airflow_is_healthy(parts: Iterable[str] = ("metadatabase", "scheduler", "dag_processor")) -> bool:
    """Whether the API answers and these parts beat.

    Raises:
        ValueError: one does not.
    """
    health = http.get(f"{AIRFLOW}/api/v2/monitor/health").json()
    if ill := [part for part in parts if health[part]["status"] != "healthy"]:
        raise ValueError(f"no heartbeat of {', '.join(ill)}")
    return True


def mlflow_is_healthy() -> bool:
    """Whether the tracking server answers."""
    return http.get(f"{MLFLOW}/health").status_code == 200


def login() -> tuple[str, str]:
    """User and generated password of the local Airflow."""
    user, password = next(iter(json.loads(PASSWORDS.read_text()).items()))
    return user, password


def up() -> None:
    """Start everything, say where it is, and stay until interrupted."""
    refuse_taken_ports()
    LOGS.mkdir(parents=True, exist_ok=True)
    PID.write_text(str(os.getpid()))
    try:
        with running(AIRFLOW_SERVICES | MLFLOW_SERVICE) as processes:
            print("starting Airflow and MLflow ...", flush=True)
            wait("Airflow", airflow_is_healthy, processes)
            wait("MLflow", mlflow_is_healthy, processes)
            user, password = login()
            print(f"Airflow  {AIRFLOW}   user {user}, password {password}   (kept in {PASSWORDS})")
            print(f"MLflow   {MLFLOW}")
            print(f"logs     {LOGS}\nCtrl-C, or `make down` elsewhere, stops both.", flush=True)
            wait("nothing", lambda: False, processes, patience=float("inf"))
    except KeyboardInterrupt:
        print("stopped")
    finally:
        PID.unlink(missing_ok=True)


def down() -> None:
    """Interrupt a running `up`, and wait until it has stopped its services."""
    if not PID.exists():
        sys.exit("nothing to stop: `make up` is not running here")
    os.kill(int(PID.read_text()), signal.SIGINT)
    deadline = time.monotonic() + 45
    while PID.exists() and time.monotonic() < deadline:
        time.sleep(0.5)


def once(shop: str, day: str) -> None:
    """Run one night through the scheduler and end with its state: 0 for success.

    Raises:
        SystemExit: the run failed, or a service did.
    """
    refuse_taken_ports()
    with running(AIRFLOW_SERVICES) as processes:
        wait("Airflow", airflow_is_healthy, processes)
        url = trigger("nightly", {"shop": shop, "day": day}, processes)
        print(f"run {url.rsplit('/', 1)[-1]} of {shop} {day}", flush=True)
        try:
            state = follow(url, processes)
        except KeyboardInterrupt:
            http.patch(url, json={"state": "failed"})  # left running, it would hold back the next night
            sys.exit("interrupted: the run is marked failed")
    print(f"run ended: {state}")
    sys.exit(0 if state == "success" else 1)


def trigger(dag: str, conf: dict[str, Any], processes: Processes) -> str:
    """Start a run of a DAG, once Airflow has read it; gives the run's URL."""
    user, password = login()
    token = http.post(f"{AIRFLOW}/auth/token", json={"username": user, "password": password}).json()
    http.headers["Authorization"] = f"Bearer {token['access_token']}"
    url = f"{AIRFLOW}/api/v2/dags/{dag}"
    wait("the DAG", lambda: http.get(url).status_code == 200, processes)
    http.patch(url, json={"is_paused": False}).raise_for_status()
    run = http.post(f"{url}/dagRuns", json={"logical_date": None, "conf": conf}).raise_for_status().json()
    return f"{url}/dagRuns/{run['dag_run_id']}"


def follow(run: str, processes: Processes, patience: float = 6 * 3600) -> str:
    """Print each change of a task's state until the run has ended; its final state."""
    seen: dict[str, Any] = {}
    state = "queued"

    def ended() -> bool:
        nonlocal state
        for task in http.get(f"{run}/taskInstances").json()["task_instances"]:
            name = task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"
            if task["state"] and seen.get(name) != task["state"]:
                seen[name] = task["state"]
                print(f"  {name:<12} {task['state']}", flush=True)
        state = http.get(run).json()["state"]
        return state in ("success", "failed")

    wait(f"the end of {run}", ended, processes, patience, pause=2)
    return state


def interrupt(*_: object) -> None:
    """Turn a signal into the exception that unwinds `running`; also where a shell started us with SIGINT ignored."""
    raise KeyboardInterrupt


def main() -> None:
    """Read the command and run it."""
    parser = argparse.ArgumentParser(description="Airflow and MLflow on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start both, stay until Ctrl-C")
    commands.add_parser("down", help="stop a running `up`")
    one = commands.add_parser("once", help="run one night through the scheduler")
    one.add_argument("shop")
    one.add_argument("day", help="YYYY-MM-DD")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    if arguments.command == "once":
        once(arguments.shop, arguments.day)
    else:
        {"up": up, "down": down}[arguments.command]()


if __name__ == "__main__":
    main()
