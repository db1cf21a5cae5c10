"""### Audience files for marketing, made from each snapshot as it is published.

**What it makes.** The files that the shop's orders file (`exports.yaml` among its files) asks for: audiences as csv,
xlsx, parquet or json, and hashed addresses for ad platforms, in `exports/<snapshot>/`, with `exports.json` naming rows
and hashes, or why an audience was refused. No orders file, no files.

**When.** When `published_snapshot` is announced; shop and snapshot come with the event. By hand, for the current one:
`airflow dags trigger audiences --conf '{"shop": "grocer"}'`. Without Airflow: `shopkeel deliver`.

**May it be rerun?** Yes: the same orders on the same snapshot give the same files.

**When it fails.** A wrong orders file fails at once, and the last log line names the key to mend. An audience that is
withheld, or too small for a platform, is named in `exports.json` and fails nothing.

**Owner.** personalisation
"""

from typing import Any

import pendulum
from airflow.sdk import Param, dag, task

from pipeline.airflow_defaults import DEFAULT_ARGS, SNAPSHOT, announced


@dag(
    dag_id="audiences",
    doc_md=__doc__,
    schedule=[SNAPSHOT],
    start_date=pendulum.datetime(2017, 1, 1, tz="UTC"),
    catchup=False,
    is_paused_upon_creation=False,  # only a published snapshot begins it
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={
        "shop": Param("grocer", type="string", description="for runs by hand: a known shop, or the path of its .yaml"),
        "snapshot": Param(None, type=["null", "string"], description="for runs by hand: its id; else the current one"),
    },
    tags=["shopkeel", "marketing"],
)
def audiences() -> None:
    """One task: deliver what is asked for of each snapshot that was announced."""

    @task
    def deliver() -> list[dict[str, Any]]:
        from pipeline import delivery

        return [delivery.deliver(night, snapshot) for night, snapshot in announced()]

    deliver()


audiences()
