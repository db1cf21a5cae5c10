"""What Airflow adds to nights that it ran: python -m benchmarks.airflow_overhead [HOME].

Read off Airflow's own database and the nights' records under HOME (else SHOPKEEL_HOME, else var): a task's overhead is
what lies between its start and the next one's beyond the seconds of its stage, a night's all of it beyond its stages.
Only nights whose tasks ran in turn (`make nightly`) are told. Beside them, what processor time the DAG's file takes to
parse, which a scheduler does again and again; what Python needs to start and import Airflow once is in neither.
"""

import hashlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

from benchmarks.side_by_side import note_figures
from pipeline.nightly import STAGES
from pipeline.record import RUNS, last_values
from pipeline.settings import home

NAME, ROUNDS = "airflow_overhead", 5
DAG = Path(__file__).parents[1] / "dags" / "nightly.py"
TASKS = "select task_id, map_index, start_date, end_date from task_instance where run_id = ? order by start_date"
NIGHTS = "select run_id, run_type, start_date, conf from dag_run where dag_id = 'nightly' order by start_date"
PARSE = """
import sys
from time import process_time
from airflow.dag_processing.dagbag import DagBag
from airflow.dag_processing.importers.python_importer import PythonDagImporter  # parsing imports it once
seconds = []
for _round in range(int(sys.argv[2])):
    for name in [one for one in sys.modules if one.startswith(("pipeline", "unusual_prefix"))]:
        del sys.modules[name]
    began = process_time()
    bag = DagBag(sys.argv[1])
    seconds.append(process_time() - began)
    assert "nightly" in bag.dags, bag.import_errors
print(sorted(seconds)[len(seconds) // 2])
"""


def night(database: Path, shops: Path, run: tuple[str, str, str, str]) -> dict[str, float] | None:
    """Figures of one night: its tasks, seconds, and those of them that are no stage's; None where stages are missing.

    Args:
        database: Airflow's, SQLite.
        shops: folder of the shops' data.
        run: its row of NIGHTS.
    """
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tasks = connection.execute(TASKS, run[:1]).fetchall()
    conf = json.loads(run[3] or "{}")
    name = f"{conf.get('day')}-{run[1]}-{hashlib.sha256(run[0].encode()).hexdigest()[:8]}"
    over = {stage.name: stage.over for stage in STAGES}
    starts, extra = [datetime.fromisoformat(begun) for _task, _place, begun, _end in tasks if begun], []
    if len(starts) < sum(len(one) or 1 for one in over.values()):
        return None
    ends = [*starts[1:], datetime.fromisoformat(tasks[-1][3])]
    for (task, place, _begun, _end), start, end in zip(tasks, starts, ends, strict=True):
        item = f"{task}-{over[task][place]}" if over[task] else task
        notes = last_values(shops / str(conf.get("shop")) / "nights" / name / RUNS / item, "metrics")
        if "stage/seconds" not in notes:
            return None
        extra.append((end - start).total_seconds() - notes["stage/seconds"])
    before = (starts[0] - datetime.fromisoformat(run[2])).total_seconds()
    whole, overhead = (ends[-1] - starts[0]).total_seconds() + before, sum(extra) + before
    return {
        "tasks": len(tasks),
        "night_seconds": whole,
        "overhead_seconds": overhead,
        "overhead_share": overhead / whole,
        "task_median_seconds": statistics.median(extra),
        "task_most_seconds": max(extra),
    }


def parse_seconds() -> float:
    """Median processor seconds to parse the DAG's file, its imports of this package included, Airflow's not."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        command = [sys.executable, "-c", PARSE, str(DAG), str(ROUNDS)]
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return float(told.splitlines()[-1])


def main(folder: Path) -> dict[str, float]:
    """All nights of a home; prints and keeps their figures."""
    database, figures = folder / "airflow" / "airflow.db", {"parse/cpu_seconds": parse_seconds()}
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        runs = connection.execute(NIGHTS).fetchall()
    for run in runs:
        found = night(database, folder, run)
        figures |= {f"{json.loads(run[3])['day']}/{fact}": value for fact, value in (found or {}).items()}
    for fact, value in figures.items():
        print(f"{fact}: {value:,.3f}")
    note_figures(NAME, {f"{NAME}/{fact}": value for fact, value in figures.items()}, drift=0)
    return figures


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else home())
