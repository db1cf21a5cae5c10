"""Ships a night's record to MLflow: one run a night, one nested run a model, the registry's versions and aliases.

The record on disk is the original and MLflow a copy for reviewers, so an outage costs nothing: `replay` ships later.
Not here: what is noted (`record`, the stages), and any loading of models; MLflow only holds their plain files.
"""

import hashlib
import json
import logging
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline.record import NOTES, RUNS, JsonRecorder, last_values
from pipeline.settings import Night
from pipeline.tracking import client, registry
from pipeline.tracking.shipment import MARKER, Shipment, key_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

T = TypeVar("T")
SECONDS = 60.0  # no night waits longer for MLflow, whatever it does
PATIENT = 3600.0  # nobody waits for a replay: weights may go over a slow line


def uri(home: Path) -> str:
    """Where records go, without credentials: `MLFLOW_TRACKING_URI`, else a SQLite file under `home`."""
    return client.without_password(client.address(home))


def ship(night: Night, patience: float = SECONDS) -> str | None:
    """Ship the night's record; again only when it has changed, and then in place of the earlier run.

    Args:
        night: shop, day and run.
        patience: seconds after which it is given up.

    Returns:
        The id of its MLflow run; None when MLflow cannot be reached, which the record notes.
    """
    try:
        run_id, is_new = _within(patience, night.home, lambda opened: _ship(opened, night))
        if is_new:
            JsonRecorder(night.record).tags({"mlflow": run_id})
            marker = {"run_id": run_id, "digest": _digest(night)}
            (night.record / MARKER).write_text(json.dumps(marker), encoding="utf-8")
        return run_id
    except Exception as error:  # whatever ails MLflow or its client, the night goes on
        words = client.without_password(f"unreachable: {type(error).__name__}: {str(error).split(chr(10))[0][:300]}")
        log.warning("%s: MLflow %s; the record stays, `shopkeel replay` ships it", night.record.name, words)
        JsonRecorder(night.record).tags({"mlflow": words})
        return None


def replay(night: Night) -> list[Path]:
    """Ship every ended night of the shop that was not shipped yet, or has changed since, oldest first.

    Returns:
        The record folders that were shipped; it stops at the first that MLflow does not take.
    """
    shipped = []
    for folder in sorted(path.parent for path in (night.root / "nights").glob(f"????-??-??-*/{NOTES}")):
        if last_values(folder, "tags").get("status") == "running":
            continue
        one = replace(night, day=date.fromisoformat(folder.name[:10]), run=folder.name[11:])
        before = _marker(one)
        if ship(one, PATIENT) is None:
            break
        if _marker(one) != before:
            shipped.append(folder)
    return shipped


def align(night: Night, patience: float = SECONDS) -> None:
    """Point each `champion` alias at what the current snapshot was scored with, as after a rollback; best effort.

    Args:
        night: any night of the shop.
        patience: seconds after which it is given up.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (night.home / client.STORE).exists():
        return
    try:
        _within(patience, night.home, lambda opened: registry.align(opened, night))
    except Exception as error:  # readers follow the warehouse; the registry only shows it
        log.warning("champion aliases stay as they were: %s", client.without_password(str(error).split("\n")[0]))


def note_benchmark(
    home: Path, name: str, facts: Mapping[str, object], figures: Mapping[str, float], folder: Path | None = None
) -> str | None:
    """Leave a benchmark's figures as a run of the experiment `shopkeel/benchmarks`; best effort.

    Args:
        home: the folder of all data.
        name: of the run.
        facts: what was run, as parameters.
        figures: as metrics.
        folder: its files go along, pages and plots.

    Returns:
        The run's id; None when MLflow cannot be reached.
    """

    def send(opened: "MlflowClient") -> str:
        run = opened.create_run(client.experiment(opened, home, "benchmarks"), run_name=name).info.run_id
        for key, fact in facts.items():
            opened.log_param(run, key, fact)
        for key, value in figures.items():
            opened.log_metric(run, key_of(key), value)
        if folder:
            opened.log_artifacts(run, str(folder))
        opened.set_terminated(run)
        return str(run)

    try:
        return _within(SECONDS, home, send)
    except Exception as error:  # the figures stand on disk
        log.warning("MLflow cannot be reached: %s", client.without_password(str(error).split("\n")[0][:300]))
        return None


def _within(seconds: float, home: Path, work: "Callable[[MlflowClient], T]") -> T:
    """Do work with a client beside this thread, as no time-out of a socket bounds an answer that trickles.

    What is given up hangs in its one call until the process ends: its client takes no further one.

    Raises:
        TimeoutError: it took longer.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work(client.connect(home, seconds)))
        except Exception as error:  # told to who waits
            done.set_exception(error)

    with warnings.catch_warnings(action="ignore"):  # MLflow's about its own dependencies
        threading.Thread(target=run, name="mlflow", daemon=True).start()
        wait([done], seconds)
    if not done.done():
        raise TimeoutError(f"no end after {seconds:g} s")
    return done.result()


def _ship(opened: "MlflowClient", night: Night) -> tuple[str, bool]:
    """The night's run, and whether it was made now."""
    marker = _marker(night)
    if marker.get("digest") == _digest(night) and client.is_active(opened, marker["run_id"]):
        return marker["run_id"], False
    return Shipment(opened, night, client.experiment(opened, night.home, night.shop.name)).send(), True


def _marker(night: Night) -> dict[str, str]:
    """What the last shipping left; nothing when there was none, or it was cut off while writing."""
    try:
        marker: dict[str, str] = json.loads((night.record / MARKER).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return marker


def _digest(night: Night) -> str:
    """SHA-256 over where the record goes and its files, but for what the shipping stage notes of itself."""
    digest = hashlib.sha256(client.address(night.home).encode())
    for path in sorted(night.record.rglob("*")):
        name = path.relative_to(night.record)
        if path.is_file() and name.name != MARKER and name != Path(RUNS, "report", NOTES):
            digest.update(f"\n{name}\n".encode() + path.read_bytes())
    return digest.hexdigest()
