"""`make stack` on the corner shop: a night through Celery survives the death of a worker, and people are told."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.settings import Night, load_shop
from pipeline.warehouse.snapshot import log
from tests.chaos import corner
from tests.receivers import mailbox, webhook

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
PATIENCE = 3600  # seconds that a phase may take on a machine with much other work


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def of_home(home: Path) -> set[str]:
    """Processes whose output goes to a home's logs; some write over their own command line and environment."""
    found = set()
    for output in Path("/proc").glob("[0-9]*/fd/[12]"):
        with suppress(OSError):
            if output.readlink().is_relative_to(home):
                found.add(output.parts[2])
    return found


def test_a_night_by_celery_survives_a_killed_worker_and_leaves_no_process(tmp_path, tiny_bert):
    pytest.importorskip("celery", reason="the extra `stack` is not installed")
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server on this machine")
    settings, package, home = corner.shop(tmp_path, tiny_bert), corner.cut(tmp_path), tmp_path / "home"
    with webhook() as (url, told), mailbox() as (server, letters):
        asked = {
            "SHOPKEEL_HOME": str(home), "AIRFLOW_PORT": free_port(), "MLFLOW_PORT": free_port(),
            "PYTHONPATH": str(package), "SHOPKEEL_DEADLINE_HOURS": "0.01", "SHOPKEEL_ALERT_WEBHOOK": url,
            "SHOPKEEL_ALERT_EMAIL": "night@shop.example", "SHOPKEEL_ALERT_SMTP": server,
        }  # fmt: skip
        words = f"{sys.executable} -m ops.stack {settings} {corner.NIGHT} --patience {PATIENCE}"
        with (tmp_path / "said").open("w") as output:
            stack = subprocess.Popen(
                ["sh", "-c", f". ops/airflow.sh && exec {words}"], cwd=ROOT, env=os.environ | asked, stdout=output,
                stderr=output, start_new_session=True,
            )  # fmt: skip
            try:
                with suppress(subprocess.TimeoutExpired):
                    stack.wait(2 * PATIENCE)
            finally:
                stack.send_signal(signal.SIGINT)
                stack.wait(120)
    words = (tmp_path / "said").read_text()
    print(words)  # what ran where, for `make stack`
    assert of_home(home) == set()
    assert stack.returncode == 0, words[-5000:]
    figures = json.loads((ROOT / "build" / "figures" / "stack.json").read_text())
    assert figures["tries_of_the_killed_task"] >= 2
    assert figures["processes_outliving_the_kill"] == 0
    assert figures["workers_that_ran_tasks"] == 3
    assert figures["mlflow_files_in_the_object_store"] > 10
    assert figures["rows_shown_from_the_object_store"] == 5
    assert (figures["dags"], figures["dag_import_errors"]) == (4, 0)
    assert re.search(r"encoder +1 +(gpu-\d) .*\n(?:.*\n)*?encoder +\d +(?!\1)gpu-\d +gpu +success", words)

    night = Night(load_shop(str(settings)), corner.NIGHT, home)
    assert figures["tables_in_the_object_store"] == len(corner.readable(night.warehouse).manifest.tables) > 10
    assert len(log(night.warehouse)) == 1
    late, failed = ([one for one in told if one["kind"] == kind] for kind in ("deadline", "failure"))
    assert [(one["shop"], one["day"]) for one in late] == [(str(settings), str(corner.NIGHT))]
    assert [one["task"] for one in failed] == ["erase"]
    assert sorted(re.findall(r"^kind: (\w+)", "\n".join(letters), re.MULTILINE)) == ["deadline", "failure"]
