"""Reaching MLflow: where it is, how long to wait for it, and the shop's experiment."""

import logging
import os
import re
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mlflow import MlflowClient

STORE, ARTIFACTS = "mlflow.db", "mlflow-artifacts"
CALM = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",
}


def address(home: Path) -> str:
    """Where records go, credentials included: `MLFLOW_TRACKING_URI`, else a SQLite file under `home`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / STORE}"


def without_password(text: str) -> str:
    """The text without what stands before an @ in its addresses."""
    return re.sub(r"//[^/@\s]+@", "//", text)


class Punctual:
    """A client that takes no call once its time is over."""

    def __init__(self, client: "MlflowClient", seconds: float) -> None:
        self._client, self._seconds, self._end = client, seconds, perf_counter() + seconds

    def __getattr__(self, name: str) -> Any:
        if perf_counter() > self._end:
            raise TimeoutError(f"no end after {self._seconds:g} s")
        return getattr(self._client, name)


def connect(home: Path, seconds: float) -> "MlflowClient":
    """A client for so long, that gives up soon on one answer where nobody has set how long to wait."""
    for name, value in CALM.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    home.mkdir(parents=True, exist_ok=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # making a new SQLite file is no news
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it raises what it logs
    return cast("MlflowClient", Punctual(MlflowClient(address(home), address(home)), seconds))


def is_active(client: "MlflowClient", run_id: str) -> bool:
    """Whether the run is still there and not deleted."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def experiment(client: "MlflowClient", home: Path, subject: str) -> str:
    """The id of the experiment of a shop, or of the benchmarks, made when it is new."""
    name = f"shopkeel/{subject}"
    if found := client.get_experiment_by_name(name):
        return str(found.experiment_id)
    # A server knows where its artifacts lie; a bare database would put them into the working directory.
    served = address(home).startswith(("http://", "https://"))
    return client.create_experiment(name, None if served else (home / ARTIFACTS).as_uri())
