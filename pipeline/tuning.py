"""A shop's weekly search, run without Airflow: two steps and one record. `dags/tuning.py` writes the same steps out.

The record is shipped as a night's is: one MLflow run for the week's search, a nested one for each step and each trial.
Importing this module stays light.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any

from pipeline.errors import NoData
from pipeline.record import RUNS, JsonRecorder
from pipeline.settings import Night
from pipeline.version import code_version
from pipeline.warehouse import fence, snapshot

RUN = "tuning"
MINUTES = 30.0
Progress = Callable[[str, str | None, int, int], None]


def of(night: Night) -> Night:
    """The search that goes with a night: its own record and work, the shop's feeds and models."""
    return replace(night, run=RUN)


def newest(night: Night) -> Night:
    """The night of the shop's current snapshot.

    Raises:
        NoData: there is none.
    """
    current = snapshot.current(night.warehouse)
    if current is None:
        raise NoData(f"shop {night.shop.name}: no night was published yet; run one first, or name a day with --date")
    return replace(night, day=current.manifest.day)


def adapt(night: Night, progress: Progress | None = None) -> dict[str, Any]:
    """Learn the shop's language up to a night; begins the record anew."""
    night = of(night)
    recorder = JsonRecorder(night.record, fresh=True)
    recorder.tags(
        {
            "shop": night.shop.name,
            "day": str(night.day),
            "run": night.run,
            "policy_hash": night.shop.policy_hash,
            "code_version": code_version(),
            "provenance": night.shop.provenance,
            "status": "running",
        }
    )
    with _step(night, "domain", progress) as (recorder, inner):
        from pipeline.stages import tune

        return tune.adapt(night, recorder, inner)


def search(night: Night, minutes: float = MINUTES, progress: Progress | None = None) -> dict[str, Any]:
    """Seek settings within a budget, leave the winner for the next night to judge, and ship the record."""
    from pipeline import tracking

    night = of(night)
    with _step(night, "search", progress) as (recorder, inner):
        from pipeline.stages import tune

        told = tune.search(night, minutes, recorder, inner)
    JsonRecorder(night.record).tags({"status": "tuned"})
    tracking.ship(night)
    return told


@contextmanager
def _step(
    night: Night, name: str, progress: Progress | None
) -> Iterator[tuple[JsonRecorder, Callable[[int, int], None]]]:
    """One step's recorder, named so that it is shipped as a nested run, and its progress; a failure is told."""
    from pipeline.engine import machine_errors

    def inner(done: int, total: int) -> None:
        if progress:
            progress("tune", name, done, total)

    recorder, began = JsonRecorder(night.record / RUNS / f"fine_tune-{name}", fresh=True), perf_counter()
    recorder.tags({"stage": "tune", "item": name})
    try:
        with fence.alive(night.warehouse, night.work.name), machine_errors():
            yield recorder, inner
    except Exception as error:
        recorder.tags({"status": "failed", "error": f"{type(error).__name__}: {error}"})
        JsonRecorder(night.record).tags({"status": "failed", "failed_stage": name, "error": str(error)})
        raise
    recorder.metrics({"stage/seconds": perf_counter() - began})
    recorder.tags({"status": "done"})
