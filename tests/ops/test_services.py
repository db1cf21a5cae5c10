"""`make up` as a person meets it, and that nothing outlives it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]

# A service that ignores SIGINT, with a child of its own, stands for a worker that hangs.
HANGING = (
    "import signal, subprocess, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "subprocess.Popen(['sleep', '60']); time.sleep(60)"
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environment(tmp_path):
    ports = {"AIRFLOW_PORT": str(free_port()), "MLFLOW_PORT": str(free_port())}
    return os.environ | {"SHOPKEEL_HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path / "airflow")} | ports


@pytest.fixture
def services(environment, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "ops.services", raising=False)
    from ops import services

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield services
    services.http.close()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def group_is_gone(leader):
    for _ in range(50):
        try:
            os.killpg(leader.pid, 0)
        except ProcessLookupError:
            return True
        leader.poll()
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("program", [HANGING, "import time; time.sleep(60)"], ids=["hanging", "well behaved"])
def test_stop_leaves_no_process_of_the_group(services, program):
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    services.stop({"one": process}, patience=0.5)
    process.wait(5)
    assert group_is_gone(process)


def test_a_service_that_dies_is_told_with_its_log(services, monkeypatch):
    monkeypatch.setattr(services, "BIN", Path(sys.executable).parent)
    program = [Path(sys.executable).name, "-c", "raise SystemExit('no database')"]
    with (
        services.running({"one": program}) as processes,
        pytest.raises(SystemExit, match=r"no database\none ended with code 1"),
    ):
        services.wait("one", lambda: False, processes, patience=20)


def test_a_taken_port_is_refused_with_the_remedy(services):
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(os.environ["MLFLOW_PORT"])))
        other.listen()
        with pytest.raises(SystemExit, match="make up MLFLOW_PORT="):
            services.refuse_taken_ports()


@pytest.mark.stack
def test_up_serves_both_and_down_stops_both(environment):
    with subprocess.Popen(["make", "up"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as up:
        said = ""
        for line in up.stdout:
            said += line
            if line.startswith("Ctrl-C"):
                break
        airflow, user, password = re.search(r"Airflow  (\S+)   user (\w+), password (\w+)", said).groups()
        mlflow = re.search(r"MLflow   (\S+)", said).group(1)
        with httpx.Client(trust_env=False) as http:
            login = {"username": user, "password": password}
            assert http.post(f"{airflow}/auth/token", json=login).status_code == 201
            assert http.post(f"{airflow}/auth/token", json=login | {"password": "guess"}).status_code == 401
            assert http.get(f"{mlflow}/health").text == "OK"
        subprocess.run(["make", "down"], cwd=ROOT, env=environment, check=True, capture_output=True)
        assert up.wait(60) == 0
    for url in (airflow, mlflow):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)
