"""A task that may lose its supervisor: it stages two small tables and publishes them as a stage of the night does.

Each index is a shop of its own. The first attempt waits between its tables, to be made an orphan; with the param
`live` it outlives its supervisor, goes on when its retry has begun, and meets it in a different order at each index.
"""

import os
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Param, dag, get_current_context, task

from pipeline.airflow_defaults import DEFAULT_ARGS, ORPHANS, end_with_supervisor


def let_live(context: Any) -> None:
    """Before the task asks to end with its supervisor."""
    if context["params"]["live"]:
        os.environ[ORPHANS] = "1"


@dag(
    dag_id="orphans",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1),
    default_args=DEFAULT_ARGS
    | {"retry_delay": timedelta(seconds=0), "on_execute_callback": [let_live, end_with_supervisor]},
    params={"shop": "grocer", "day": "2020-01-01", "live": Param(type="boolean"), "count": Param(type="integer")},
)
def orphans() -> None:
    """As many shops as asked for, at once."""

    @task
    def shops() -> list[int]:
        return list(range(get_current_context()["params"]["count"]))

    @task
    def publish(index: int) -> str:
        from pipeline.airflow_defaults import tonight
        from tests.chaos.orphan import attempt

        return attempt(tonight(), index, get_current_context()["ti"].try_number)

    publish.expand(index=shops())


orphans()
