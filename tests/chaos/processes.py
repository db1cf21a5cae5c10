"""Processes that may be killed: forked from one helper that has imported all a night needs, so none pays for imports.

The helper computes nothing itself: neither the engine's nor torch's threads survive a fork.
"""

import multiprocessing
import pkgutil
import sys
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from pipeline.tracking.client import CALM

# The helper's main has no file, and pyspark, which Great Expectations imports where it is installed, takes that for
# its own doctests and exits.
vars(sys.modules["__main__"]).setdefault("__file__", __file__)

ROOT = Path(__file__).parents[2]
HEAVY = (
    "pipeline.cli", "torch", "transformers.trainer", "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert", "transformers.integrations.integration_utils", "peft", "accelerate",
    "mlflow", "mlflow.tracking._tracking_service.utils", "mlflow.store.tracking.sqlalchemy_store", "great_expectations",
    "scipy.stats", "sklearn.linear_model", "matplotlib.pyplot", "matplotlib.backends.backend_agg",
)  # fmt: skip


def helper() -> Any:
    """The context whose `.Process(...)` forks from one helper process that has imported all a night needs."""
    stages = pkgutil.iter_modules([str(ROOT / "pipeline" / "stages")])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "tests.chaos.processes",
            "tests.chaos.corner",
            "tests.chaos.compiled",
            "tests.warehouse.conftest",
            *HEAVY,
            *(f"pipeline.stages.{one.name}" for one in stages),
        ]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # the helper takes over no other path
        for name, value in CALM.items():
            patch.setenv(name, value)  # MLflow reads these as it is imported
        patch.setenv("OMP_NUM_THREADS", "1")
        forkserver.ensure_running()
    return context


# A child that has ended is asked for its exit code by whoever starts or joins one: only one thread at a time may.
_children = Lock()


def begin(process: BaseProcess) -> BaseProcess:
    """Start a process of the helper's, from any thread."""
    with _children:
        process.start()
    return process


def end(process: BaseProcess) -> int:
    """Wait for a process from any thread; gives its exit code, negative for a signal."""
    wait([process.sentinel])
    with _children:
        process.join()
    assert process.exitcode is not None
    return process.exitcode
