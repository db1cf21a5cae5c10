"""What every DAG of ours shares: owner, retries by exception, whom to tell, which night, which asset, no orphans.

The one module that imports Airflow. Not here: DAGs (dags/) and anything a stage does.
"""

import asyncio
import ctypes
import hashlib
import logging
import os
import signal
import socket
import struct
import sys
from datetime import timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    CronDataIntervalTimetable,
    ExceptionRetryPolicy,
    Metadata,
    RetryAction,
    RetryRule,
    get_current_context,
)
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from pipeline import alerts
from pipeline.errors import ConfigError
from pipeline.settings import Night, load_shop, open_night

log = logging.getLogger(__name__)

SNAPSHOT = Asset(name="published_snapshot", uri="shopkeel://published_snapshot", group="shopkeel")
"""Announced by `publish` alone, its event carrying `shop`, `day` and `snapshot`: one asset, as nights are whole."""

GPU: dict[str, Any] = {"pool": "gpu", "queue": os.environ.get("SHOPKEEL_GPU_QUEUE", "gpu")}
"""Where training runs: one task a slot of the pool, on workers that listen to the queue (LocalExecutor has none)."""

ORPHANS = "SHOPKEEL_LET_ORPHANS_LIVE"
"""Set this variable only to see that orphans do no harm: tasks then outlive their supervisor."""

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>

RETRY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception="pipeline.errors.CommitStateUnknown",
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=30),
            reason="the commit may or may not have happened: a rerun resolves it",
        ),
        RetryRule(
            exception="pipeline.errors.ShopkeelError",
            action=RetryAction.FAIL,
            reason="data, contract or setting: a rerun meets it again",
        ),
        RetryRule(
            exception=[OSError, MemoryError],
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=2),
            reason="the machine: it may have recovered",
        ),
    ]
)


def tell_owner(context: Any) -> None:
    """Tell a task's final failure in one line; runs without a date (assets, manual ones) have it too."""
    task, params = context["ti"].task_id, context.get("params") or {}
    text = (
        f"shop {params.get('shop')}: task {task} failed: {context.get('exception')}; "
        "the last good snapshot stays, see the DAG's page for what to do"
    )
    log.error(text)
    alerts.tell(text, kind="failure", shop=str(params.get("shop")), day=str(params.get("day")), task=task)


async def tell_late(context: Any) -> None:
    """Tell that a run is late: in the triggerer, as workers may hang. A backfill has no hurry."""
    run = context["dag_run"]
    if run["run_type"] == "backfill":
        return
    conf = run.get("conf") or {}
    shop, day = conf.get("shop") or "as scheduled", conf.get("day") or run.get("data_interval_start")
    text = f"{run['dag_id']} of shop {shop}, {day}: not done by its deadline; readers have the last good snapshot"
    log.error(text)
    await asyncio.to_thread(alerts.tell, text, kind="deadline", shop=str(shop), day=str(day), task="")


def deadline(hours: str | None) -> DeadlineAlert | None:
    """By when a night should be published, in hours from when its run was queued; none for a run without a scheduler.

    `airflow dags test` takes none: of a DAG that has one it fails after the last task (Airflow 3.3.2).
    """
    if not hours:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=float(hours)),
        callback=AsyncCallback(tell_late),
    )


def by_clock(cron: str, zone: str) -> CronDataIntervalTimetable | None:
    """When a DAG runs by itself: never where SHOPKEEL_CLOCK is "off", for a shop whose days lie in the past.

    Airflow's own switch, [scheduler] use_job_schedule, stops what assets set off as well (3.3.2).
    """
    return None if os.environ.get("SHOPKEEL_CLOCK") == "off" else CronDataIntervalTimetable(cron, timezone=zone)


DEADLINE = deadline(os.environ.get("SHOPKEEL_DEADLINE_HOURS"))


def end_with_supervisor(_context: Any) -> None:
    """Have the kernel kill this task the moment its supervisor dies: a retry may start soon, and one task has one copy.

    Linux only. A task without a supervisor (`airflow dags test`) stays as it is.
    """
    # Set in a supervised task alone: the socket pair that its supervisor made before the fork, and so knows its pid.
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    channel = getattr(getattr(runner, "SUPERVISOR_COMMS", None), "socket", None)
    if channel is None or sys.platform != "linux" or os.environ.get(ORPHANS):
        return
    supervisor, _, _ = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:  # it died before the kernel knew
        os.kill(os.getpid(), signal.SIGKILL)


# How long an unknown error waits for its retry is Airflow's own setting, [core] default_task_retry_delay: 5 minutes.
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "personalisation",
    "retries": 2,
    "retry_policy": RETRY,
    "execution_timeout": timedelta(hours=2),
    "on_execute_callback": end_with_supervisor,
    "on_failure_callback": tell_owner,
}


def tonight() -> Night:
    """The night this task run belongs to: the `shop` param, its business day, and a run of this Airflow run's own.

    A backfill and a manual run of one day may overlap: each stages and records under its own name, its retries too.
    The day is the `day` param if given, else the shop's local day on which the data interval starts.
    Never the logical date: a scheduled and a manual run mean different days by it, and some runs have none.

    Raises:
        ConfigError: unknown shop, a malformed day, or a run with neither `day` nor data interval.
    """
    context = get_current_context()
    shop, day = context["params"]["shop"], context["params"].get("day")
    if day is None:
        start = context.get("data_interval_start")
        if start is None:
            raise ConfigError("this run has no data interval to take the day from; give it the param day=YYYY-MM-DD")
        day = start.astimezone(load_shop(shop).zone).date()
    run = context["dag_run"]
    return open_night(shop, day, f"{run.run_type.value}-{hashlib.sha256(run.run_id.encode()).hexdigest()[:8]}")


def this_week() -> tuple[Night, float]:
    """The night up to which this task run searches, and the minutes it may take.

    The day is the `day` param if given, else the shop's local day before the one on which the data interval ends.

    Raises:
        ConfigError: unknown shop, a malformed day, or a run with neither `day` nor data interval.
    """
    context = get_current_context()
    shop, day, end = context["params"]["shop"], context["params"].get("day"), context.get("data_interval_end")
    if day is None:
        if end is None:
            raise ConfigError("this run has no data interval to take the day from; give it the param day=YYYY-MM-DD")
        day = end.astimezone(load_shop(shop).zone).date() - timedelta(days=1)
    return open_night(shop, day), float(context["params"]["minutes"])


def announcement(night: Night, snapshot: str) -> Metadata:
    """What the event of a published snapshot carries: its shop is named as this run's params do, so others can open it.

    A settings file may lie anywhere and bear another name than its shop.
    """
    shop = get_current_context()["params"]["shop"]
    return Metadata(SNAPSHOT, {"snapshot": snapshot, "day": str(night.day), "shop": shop})


def announced() -> list[tuple[Night, str | None]]:
    """What this run was triggered for: each announced snapshot with a night of its shop, else what its params name.

    Raises:
        ConfigError: unknown shop, or an event without shop, day and snapshot.
    """
    context = get_current_context()
    events = [event.extra for event in (context.get("triggering_asset_events") or {}).get(SNAPSHOT, ())]
    if not events:
        params = context["params"]
        shop = load_shop(params["shop"])
        return [(open_night(params["shop"], shop.first_day), params.get("snapshot"))]
    if lacking := [extra for extra in events if not {"shop", "day", "snapshot"} <= set(extra)]:
        raise ConfigError(f"asset event {lacking[0]}: lacks shop, day or snapshot; announce it as `publish` does")
    return [(open_night(extra["shop"], extra["day"]), extra["snapshot"]) for extra in events]


def asked(name: str) -> tuple[Night, list[str]]:
    """Any night of the shop that this run's params name, and the list under one of them.

    Raises:
        ConfigError: unknown shop, or nothing on the list.
    """
    params = get_current_context()["params"]
    if not params.get(name):
        raise ConfigError(f"this run names no {name}; trigger it with the param {name}, a list")
    shop = load_shop(params["shop"])
    return open_night(params["shop"], shop.first_day), list(params[name])
