"""A Spark worker that dies at work: the others do its share, and rows are what they would have been."""

from threading import Timer
from time import sleep
from typing import Any

import psutil
import pyarrow as pa
import pytest

from pipeline import spark

ROWS, SECONDS = 40, 0.25


def _slowly(batch: pa.RecordBatch) -> pa.RecordBatch:
    sleep(SECONDS * len(batch))
    return pa.record_batch(
        [batch.column("n"), pa.array([n * n for n in batch.column("n").to_pylist()])], ["n", "square"]
    )


def _workers() -> list[psutil.Process]:
    mine = psutil.Process().children(recursive=True)
    living = (one for one in mine if one.status() != psutil.STATUS_ZOMBIE)
    return [one for one in living if "org.apache.spark.deploy.worker.Worker" in one.cmdline()]


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
@pytest.mark.spark
def test_a_dead_workers_share_is_done_by_others(cluster: Any, matrix: Any) -> None:
    frame = cluster._session.createDataFrame(pa.table({"n": pa.array(range(ROWS), pa.int64())})).repartition(ROWS)
    one, *others = _workers()
    assert others

    def die() -> None:
        for process in (*one.children(recursive=True), one):
            process.kill()

    death = Timer(ROWS * SECONDS / 4, die)
    death.start()
    found = spark.mapped(frame, _slowly, "n bigint, square bigint").toArrow().sort_by("n")
    death.join()
    assert not one.is_running() or one.status() == psutil.STATUS_ZOMBIE
    assert found.column("square").to_pylist() == [n * n for n in range(ROWS)]
    matrix.row("a Spark worker is killed at work", 1, 1)
