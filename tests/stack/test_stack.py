"""`make stack` on the corner shop: a night through Celery survives the death of a worker, and a late one is told."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.settings import Night, load_shop
from pipeline.warehouse.snapshot import log
from tests.chaos import corner
from tests.receivers import webhook

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_a_night_by_celery_survives_a_killed_worker_and_leaves_no_process(tmp_path, tiny_bert):
    pytest.importorskip("celery", reason="the extra `stack` is not installed")
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server on this machine")
    settings, package = corner.shop(tmp_path, tiny_bert), corner.cut(tmp_path)
    with webhook() as (url, told):
        asked = {
            "SHOPKEEL_HOME": str(tmp_path / "home"), "AIRFLOW_PORT": free_port(), "MLFLOW_PORT": free_port(),
            "PYTHONPATH": str(package), "SHOPKEEL_ALERT_WEBHOOK": url, "SHOPKEEL_DEADLINE_HOURS": "0.01",
        }  # fmt: skip
        script = f". ops/airflow.sh && exec {sys.executable} -m ops.stack {settings} {corner.NIGHT}"
        with subprocess.Popen(
            ["sh", "-c", script], cwd=ROOT, env=os.environ | asked, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        ) as stack:  # fmt: skip
            try:
                said, _ = stack.communicate(timeout=1500)
            finally:
                stack.send_signal(signal.SIGINT)
    print(said)  # what ran where, for `make stack`
    assert stack.returncode == 0, said[-3000:]
    figures = json.loads((ROOT / "build" / "figures" / "stack.json").read_text())
    assert figures["tries_of_the_killed_task"] == 2
    assert figures["tries"] == figures["tasks"] + 1
    assert figures["processes_outliving_the_kill"] == 0
    assert figures["workers_that_ran_tasks"] == 3
    assert figures["mlflow_files_in_the_object_store"] > 10
    assert re.search(r"encoder +1 +(gpu-\d) .*\n(?:.*\n)*?encoder +2 +(?!\1)gpu-\d +gpu +success", said)

    night = Night(load_shop(str(settings)), corner.NIGHT, tmp_path / "home")
    assert figures["tables_in_the_object_store"] == len(corner.readable(night.warehouse).manifest.tables) > 10
    assert len(log(night.warehouse)) == 1
    assert [one["shop"] for one in told if one["kind"] == "deadline"] == ["corner"]
    left = subprocess.run(["pgrep", "-f", str(tmp_path / "home")], capture_output=True, text=True, check=False)
    assert left.stdout == ""
