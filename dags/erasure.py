"""### The right to erasure: users leave feeds, work files and what readers see, and no later arrival brings them back.

**What it makes.** Rewrites the landed feeds without the users, publishes the current snapshot again without them,
removes the older snapshots that held them, and puts their keys on the list of the erased. Marks the model versions that
learned from them: the next night serves none of those and trains anew (`lineage/left` in MLflow says of which).

**When.** By hand, or by whatever takes the requests:
`airflow dags trigger erasure --conf '{"shop": "grocer", "users": ["1228"]}'`. The ids are the shop's own: Airflow keeps
a run's params, so delete the run once it is done (`airflow db clean`), or erase without Airflow:
`shopkeel erase --user 1228 --gc`.

**May it be rerun?** Yes: each step may be killed and done again, and of a user who is gone nothing is found.

**When it fails.** While a night is at work, or a snapshot that held them is pinned or being read, it is refused and the
log says which; run it again when that is over. I/O and memory errors are retried.

**Owner.** personalisation
"""

from typing import Any

import pendulum
from airflow.sdk import Param, dag, task

from pipeline.airflow_defaults import DEFAULT_ARGS, asked


@dag(
    dag_id="erasure",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2017, 1, 1, tz="UTC"),
    catchup=False,
    is_paused_upon_creation=False,  # it never begins by itself
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={
        "shop": Param("grocer", type="string", description="a known shop, or the path of its .yaml"),
        "users": Param([], type="array", items={"type": "string"}, description="the shop's own ids of who is to go"),
    },
    tags=["shopkeel", "privacy"],
)
def erasure() -> None:
    """One task: erase, then have what held them removed."""

    @task
    def erase() -> dict[str, Any]:
        from dataclasses import asdict

        from pipeline import erasure

        return asdict(erasure.erase_for_good(*asked("users")))

    erase()


erasure()
