"""A Spark standalone cluster on loopback: a master and two workers, each a process of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).parents[1]
WORKERS, PATIENCE = 2, 600
DEFAULTS = """spark.master spark://127.0.0.1:{port}
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.driver.memory 512m
spark.executor.memory 512m
spark.executor.cores 1
spark.ui.enabled false
spark.sql.shuffle.partitions 2
spark.executorEnv.PYTHONPATH {path}
spark.scheduler.minRegisteredResourcesRatio 1.0
spark.scheduler.maxRegisteredResourcesWaitingTime {patience}s
"""


@contextmanager
def started(folder: Path) -> Iterator[Any]:
    """An engine on a new cluster; what it is configured by lies in a folder, as a shop's would."""
    import pyspark

    from pipeline import spark

    port, path = _free_port(), os.pathsep.join([str(ROOT), *(one for one in sys.path if one)])
    defaults = DEFAULTS.format(port=port, path=path, patience=PATIENCE)
    (folder / "spark-defaults.conf").write_text(defaults, encoding="utf-8")
    here = {"SPARK_CONF_DIR": str(folder), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    run = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    common = ["--host", "127.0.0.1", "--webui-port", "0"]
    work = ["--cores", "1", "--memory", "700m", "--work-dir", str(folder / "work"), f"spark://127.0.0.1:{port}"]
    deploy = "org.apache.spark.deploy"
    commands = [[run, f"{deploy}.master.Master", *common, "--port", str(port)]]
    commands += [[run, f"{deploy}.worker.Worker", *common, *work]] * WORKERS
    before = dict(os.environ)
    with ExitStack() as stack:
        stack.callback(lambda: (os.environ.clear(), os.environ.update(before)))
        os.environ |= here
        for command in commands:
            stack.callback(_stop, subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
            _wait_for(port)
        engine = spark.connect(1)
        stack.callback(engine._session.stop)
        yield engine


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _wait_for(port: int) -> None:
    until = monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert monotonic() < until, "Spark's master does not start"
            sleep(0.5)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(PATIENCE)
