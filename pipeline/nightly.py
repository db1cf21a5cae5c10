"""THE list of stages, and how to run them without Airflow. `dags/nightly.py` writes the same list out; a test compares.

Importing this module stays light: a stage's code is imported when it runs.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from pipeline.errors import ConfigError, Refused
from pipeline.record import RUNS, JsonRecorder
from pipeline.settings import Night
from pipeline.version import code_version
from pipeline.warehouse import durable, fence
from pipeline.warehouse.failpoints import ELSEWHERE, Step, reached

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
    Stage("fine_tune", ("recommendations", "audiences", "sentiment", "answers", "asking", "phrasing")),
    Stage("judge"),
    Stage(
        "score",
        (
            "recommendations",
            "cart_recommendations",
            "ad_audiences",
            "user_profiles",
            "page_layouts",
            "review_sentiment",
            "open_questions",
        ),
    ),
    Stage("balance"),
    Stage("place"),
    Stage("answers"),
    Stage("audit"),
    Stage("publish"),
    Stage("report"),
)


def failpoints() -> tuple[str, ...]:
    """Every place where a test may kill a night: around each task, and around each step that others could see."""
    tasks = [_task(stage.name, item) for stage in STAGES for item in stage.over or (None,)]
    around = [f"{when}-stage-{task}" for task in tasks for when in ("before", "after")]
    return (*around, *(f"{when}-{step}" for step in Step if step not in ELSEWHERE for when in ("before", "after")))


def run_stage(
    night: Night, name: str, item: str | None = None, progress: Progress | None = None, epoch: int | None = None
) -> dict[str, Any]:
    """Run one stage and note its time and outcome; a failed night's record is shipped before the error goes on.

    Args:
        night: shop, day and run.
        name: a stage of STAGES.
        item: for a stage over several, which one.
        progress: called as (stage, item, done, total).
        epoch: of the run that this stage is part of; left out, the first stage begins a new one.

    Raises:
        Superseded: a newer attempt of the same task, or of the whole run, has started.
        ShopkeelError: whatever the stage found wrong.
    """
    _place(name)
    task = _task(name, item)
    if name == STAGES[0].name and epoch is None:
        epoch = fence.begin(night.warehouse, night.work.name)
    with fence.enter(night.warehouse, night.work.name, task, epoch) as token:
        reached(f"before-stage-{task}")
        try:
            summary = _run(night, name, item, progress)
        except Exception as error:
            with token.held():  # whatever ails a copy that was overtaken, the record is the newer one's
                _note_failure(night, name, task, error)
            _leave_record(night)
            raise
        reached(f"after-stage-{task}")
    return summary


def _run(night: Night, name: str, item: str | None, progress: Progress | None) -> dict[str, Any]:
    from pipeline.engine import give_back, machine_errors

    if name == STAGES[0].name:
        _begin(night)
    with durable.guarded():
        recorder = _Recorder(night.record / RUNS / _task(name, item), fresh=True)
    recorder.tags({"stage": name, "item": item or ""})
    started = perf_counter()

    def inner(done: int, total: int) -> None:
        if progress:
            progress(name, item, done, total)

    with machine_errors():
        summary: dict[str, Any] = import_module(f"pipeline.stages.{name}").run(night, item, recorder, inner)
    give_back()
    recorder.metrics({"stage/seconds": perf_counter() - started})
    recorder.tags({"status": "done"})
    if name == STAGES[-1].name:
        _leave_word(night)
    log.info("%s %s%s: %.1f s", night.day, name, f" {item}" if item else "", perf_counter() - started)
    return summary


def run_night(
    night: Night, first: str | None = None, last: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Run the stages in order, all of them or from one to another; the same run started elsewhere ends superseded.

    Returns:
        Summaries by stage, or `stage-item` for mapped ones.

    Raises:
        Superseded: the same run was started again elsewhere.
        ConfigError: no such stage, or `last` stands before `first`.
    """
    begin, end = _place(first or STAGES[0].name), _place(last or STAGES[-1].name)
    if end < begin:
        raise ConfigError(f"--to {last} stands before --from {first}; the order is {', '.join(s.name for s in STAGES)}")
    done: dict[str, Any] = {}
    with fence.alive(night.warehouse, night.work.name):
        epoch = fence.begin(night.warehouse, night.work.name)
        for stage in STAGES[begin : end + 1]:
            for item in stage.over or (None,):
                if progress:
                    progress(stage.name, item)
                done[_task(stage.name, item)] = run_stage(night, stage.name, item, progress, epoch)
    return done


def _place(name: str) -> int:
    names = [stage.name for stage in STAGES]
    if name not in names:
        raise ConfigError(f"stage '{name}': unknown; choose one of {', '.join(names)}")
    return names.index(name)


def _task(name: str, item: str | None) -> str:
    return f"{name}-{item}" if item else name


class _Recorder(JsonRecorder):
    """Notes nothing any more once a newer attempt of the task has begun."""

    def _note(self, kind: str, values: Mapping[str, Any], step: int | None = None) -> None:
        with durable.guarded():
            super()._note(kind, values, step)

    def file(self, path: Path, folder: str = "") -> None:
        with durable.guarded():
            super().file(path, folder)


def _note_failure(night: Night, name: str, task: str, error: Exception) -> None:
    _Recorder(night.record / RUNS / task).tags({"status": "failed", "error": f"{type(error).__name__}: {error}"})
    status = "refused" if isinstance(error, Refused) else "failed"
    _Recorder(night.record).tags({"status": status, "failed_stage": name, "error": str(error)})


def _begin(night: Night) -> None:
    """Start the night's record anew, in a home that says its version."""
    from pipeline import upgrade

    upgrade.begin(night.home)
    shop = night.shop
    with durable.guarded():
        recorder = _Recorder(night.record, fresh=True)
    recorder.tags(
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
