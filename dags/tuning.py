"""### Weekly search: a shop's language is learned, and settings are sought for its reader of reviews.

**What it makes.** A checkpoint that was pretrained further on the shop's own reviews, a study over ways of tuning with
pruned trials, and of its winner a trained version. That waits in `tuning/` and is the challenger of the next night,
which judges it as any other; until then nothing that is read changes. One MLflow run, one nested run a trial.

**When.** On Sundays at 14:00 New York time, on what had landed by the day before. By hand, for any day:
`airflow dags trigger tuning --conf '{"shop": "grocer", "day": "2017-11-30", "minutes": 20}'`. Without Airflow:
`shopkeel tune`.

**May it be rerun?** Yes: a later search of a day replaces what the earlier one proposed.

**When it fails.** No night depends on it. The last log line says where, what and the remedy; clear the failed task once
mended. A shop without reviews ends at once and well.

**Owner.** personalisation
"""

from typing import Any

import pendulum
from airflow.sdk import Param, dag, task

from pipeline.airflow_defaults import DEFAULT_ARGS, GPU, by_clock, this_week

ZONE = "America/New_York"


@dag(
    dag_id="tuning",
    doc_md=__doc__,
    schedule=by_clock("0 14 * * 0", ZONE),
    start_date=pendulum.datetime(2017, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={
        "shop": Param("grocer", type="string", description="a known shop, or the path of its .yaml file"),
        "day": Param(None, type=["null", "string"], format="date", description="what had landed by then; else its own"),
        "minutes": Param(30, type="number", minimum=1, maximum=90, description="budget of the search"),
    },
    tags=["shopkeel", "tuning"],
)
def tuning() -> None:
    """Two tasks: the language, then the search."""

    @task(**GPU)
    def adapt() -> dict[str, Any]:
        from pipeline import tuning

        return tuning.adapt(this_week()[0])

    @task(**GPU)
    def search() -> dict[str, Any]:
        from pipeline import tuning

        return tuning.search(*this_week())

    adapt() >> search()


tuning()
