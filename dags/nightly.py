"""### Nightly retrain: one shop's business day, from arrivals to a published snapshot.

**What it makes.** Lands the day's data, checks it, builds features, fine-tunes the encoder and the models on it, judges
them against the champions, scores every table, audits the staged night, publishes all tables as one snapshot and
reports. `published_snapshot` announces it, with shop, day and snapshot id in the event's extra.

**When.** At 02:00 New York time for the day that has closed. By hand, for any day:
`airflow dags trigger nightly --conf '{"shop": "grocer", "day": "2017-11-30"}'`. A range:
`airflow backfill create --dag-id nightly --from-date 2017-11-28 --to-date 2017-11-30T23:59:59`
(a bare last date means its midnight and leaves the day out). An older day never becomes current.

**May it be rerun?** Yes, whole or from any task: a task writes only its own day, and equal inputs give equal tables.
Two runs of one day, say a backfill's and yours, share no files: each has a name of its own, see `shopkeel status`.

**When it fails.** Readers keep the last good snapshot. A data, contract or gate error fails at once: read the task's
last log line, which says where, what and the remedy, and the night's report and Data Docs for the evidence. I/O and
memory errors are retried twice first. Clear the failed task once mended. A night of a scheduler that is not done five
hours after it was queued, and every final failure, is told by log, e-mail and webhook (docs/operations.md). Without
Airflow: `shopkeel run --date DAY`.

**Owner.** personalisation
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Metadata, Param, dag, task

from pipeline.airflow_defaults import DEADLINE, DEFAULT_ARGS, GPU, SNAPSHOT, announcement, by_clock, tonight

ZONE = "America/New_York"


@dag(
    dag_id="nightly",
    doc_md=__doc__,
    schedule=by_clock("0 2 * * *", ZONE),
    start_date=pendulum.datetime(2017, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    deadline=DEADLINE,
    default_args=DEFAULT_ARGS,
    params={
        "shop": Param("grocer", type="string", description="a known shop, or the path of its .yaml file"),
        "day": Param(None, type=["null", "string"], format="date", description="the business day; else the run's own"),
    },
    tags=["shopkeel", "nightly"],
)
def nightly() -> None:
    """The stages of `pipeline.nightly`, written out."""

    @task
    def ingest() -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "ingest")

    @task
    def features() -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "features")

    @task(**GPU)
    def encoder() -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "encoder")

    @task(map_index_template="{{ task.op_kwargs['model'] }}", **GPU)
    def fine_tune(model: str) -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "fine_tune", model)

    @task
    def judge() -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "judge")

    @task(map_index_template="{{ task.op_kwargs['table'] }}")
    def score(table: str) -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "score", table)

    @task
    def balance() -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "balance")

    @task
    def place() -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "place")

    @task
    def answers() -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "answers")

    @task
    def audit() -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "audit")

    @task(outlets=[SNAPSHOT])
    def publish() -> Iterator[Metadata]:
        from pipeline.nightly import run_stage

        night = tonight()
        yield announcement(night, run_stage(night, "publish")["snapshot"])

    @task
    def report() -> dict[str, Any]:
        from pipeline.nightly import run_stage

        return run_stage(tonight(), "report")

    lists = ["recommendations", "cart_recommendations"]
    (
        ingest()
        >> features()
        >> encoder()
        >> fine_tune.expand(model=["recommendations", "audiences", "sentiment", "answers", "asking", "phrasing"])
        >> judge()
        >> score.expand(
            table=[*lists, "ad_audiences", "user_profiles", "page_layouts", "review_sentiment", "open_questions"]
        )
        >> balance()
        >> place()
        >> answers()
        >> audit()
        >> publish()
        >> report()
    )


nightly()
