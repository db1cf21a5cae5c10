"""THE list of stages, and how to run them without Airflow. `dags/nightly.py` writes the same list out; a test compares.

Importing this module stays light: a stage's code is imported when it runs.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter
from typing import Any

from pipeline.errors import ConfigError, Refused
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.version import code_version

log = logging.getLogger(__name__)

Progress = Callable[..., None]


@dataclass(frozen=True)
class Stage:
    """One stage: `pipeline.stages.<name>.run`, run once for each name in `over`, or once."""

    name: str
    over: tuple[str, ...] = ()


STAGES = (
    Stage("ingest"),
    Stage("features"),
    Stage("encoder"),
    Stage("fine_tune", ("recommendations", "audiences")),
    Stage("judge"),
    Stage("score", ("recommendations", "cart_recommendations", "ad_audiences", "user_profiles")),
    Stage("audit"),
    Stage("publish"),
    Stage("report"),
)


def run_stage(night: Night, name: str, item: str | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Run one stage and note its time and outcome; a failed night's record is shipped before the error goes on.

    Args:
        night: shop, day and run.
        name: a stage of STAGES.
        item: for a stage over several, which one.
        progress: called as (stage, item, done, total).

    Raises:
        ShopkeelError: whatever the stage found wrong.
    """
    from pipeline.engine import machine_errors

    _place(name)
    if name == STAGES[0].name:
        _begin(night)
    recorder = JsonRecorder(night.record / "runs" / (f"{name}-{item}" if item else name), fresh=True)
    recorder.tags({"stage": name, "item": item or ""})
    started = perf_counter()

    def inner(done: int, total: int) -> None:
        if progress:
            progress(name, item, done, total)

    try:
        with machine_errors():
            summary: dict[str, Any] = import_module(f"pipeline.stages.{name}").run(night, item, recorder, inner)
    except Exception as error:
        recorder.tags({"status": "failed", "error": f"{type(error).__name__}: {error}"})
        status = "refused" if isinstance(error, Refused) else "failed"
        JsonRecorder(night.record).tags({"status": status, "failed_stage": name, "error": str(error)})
        _leave_record(night)
        raise
    recorder.metrics({"stage/seconds": perf_counter() - started})
    recorder.tags({"status": "done"})
    if name == STAGES[-1].name:
        _leave_word(night)
    log.info("%s %s%s: %.1f s", night.day, name, f" {item}" if item else "", perf_counter() - started)
    return summary


def run_night(
    night: Night, first: str | None = None, last: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Run the stages in order, all of them or from one to another.

    Returns:
        Summaries by stage, or `stage-item` for mapped ones.

    Raises:
        ConfigError: no such stage, or `last` stands before `first`.
    """
    begin, end = _place(first or STAGES[0].name), _place(last or STAGES[-1].name)
    if end < begin:
        raise ConfigError(f"--to {last} stands before --from {first}; the order is {', '.join(s.name for s in STAGES)}")
    done: dict[str, Any] = {}
    for stage in STAGES[begin : end + 1]:
        for item in stage.over or (None,):
            if progress:
                progress(stage.name, item)
            done[f"{stage.name}-{item}" if item else stage.name] = run_stage(night, stage.name, item, progress)
    return done


def _place(name: str) -> int:
    names = [stage.name for stage in STAGES]
    if name not in names:
        raise ConfigError(f"stage '{name}': unknown; choose one of {', '.join(names)}")
    return names.index(name)


def _begin(night: Night) -> None:
    """Start the night's record anew."""
    shop = night.shop
    JsonRecorder(night.record, fresh=True).tags(
        {
            "shop": shop.name,
            "day": str(night.day),
            "run": night.run,
            "policy_hash": shop.policy_hash,
            "code_version": code_version(),
            "provenance": shop.provenance,
            "status": "running",
        }
    )


def _leave_record(night: Night) -> None:
    """Report and ship a failed night as well as can be: its own error is the one to be told."""
    try:
        _leave_word(night)
        import_module("pipeline.reports.night").render(night)
        import_module("pipeline.tracking").ship(night)
    except Exception as error:  # whatever ails the report
        log.warning("the failed night's record stays local: %s", error)


def _leave_word(night: Night) -> None:
    from pipeline.reports import last_night

    last_night.leave(night)
