"""How the relational steps of a night grow on DuckDB and on Spark: python -m benchmarks.relational_growth [events …].

Each step of `relational` on each engine in a process of its own, once, with the engine started before: rows are read
from Parquet and written to Parquet, as a shop's are that no memory holds. Both engines' rows must be the same before a
figure is one; of a step that fails that alone is told. DuckDB may hold MEMORY GiB and spills past that; Spark has its
own bounds (`pipeline.spark`), and is not run past MOST events.

Seconds tell of a busy machine, too; processor seconds hardly do, and where two cores are busy all the while, half of
them is the least that a step can take here.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import duckdb
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.relational import MEMORY, OURS, THREADS, files_of, high_water, laid_out
from benchmarks.side_by_side import FAILED, Calibration, note_figures
from pipeline import engine, spark

SIZES, NAME = (1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000), "relational_growth"
MEASURES = ("seconds", "cpu_seconds", "peak_mib")


def on_duckdb(step: str, files: list[str]) -> Callable[[Path], None]:
    """A step that is ready to be computed into a file."""
    connection = engine.connect(THREADS, MEMORY)
    connection.raw_sql(f"SET temp_directory = '{Path(files[0]).parents[1] / 'spilled'}'")
    rows = OURS[step](connection.read_parquet(files, hive_partitioning=False))
    return lambda target: connection.to_parquet(rows, target / "rows.parquet", compression="zstd")


def on_spark(step: str, files: list[str]) -> Callable[[Path], None]:
    """A step that is ready to be computed into a folder."""
    backend, session = spark.connect(THREADS), spark.session(THREADS)
    found = session.sql(backend.compile(OURS[step](backend.read_parquet(files))))
    return lambda target: found.write.mode("overwrite").option("compression", "zstd").parquet(str(target))


ENGINES = {"DuckDB": on_duckdb, "Spark": on_spark}
MOST = {"Spark": 30_000_000}  # events, by engine


def _run(folder: Path, step: str, name: str, target: Path) -> None:
    compute = ENGINES[name](step, files_of(folder, step))
    spent, began = _spent(), perf_counter()
    compute(target)
    taken = perf_counter() - began, _spent() - spent
    peak = sum(high_water(one.pid) for one in _family())
    print(json.dumps(dict(zip(MEASURES, (*taken, peak), strict=True))))


def _family() -> list[psutil.Process]:
    us = psutil.Process()
    return [us, *us.children(recursive=True)]


def _spent() -> float:
    return sum(sum(one.cpu_times()[:2]) for one in _family())


def alone(folder: Path, step: str, name: str, target: Path) -> dict[str, float]:
    """A run in a process of its own; its rows are left in a folder."""
    target.mkdir(parents=True)
    command = [sys.executable, "-m", "benchmarks.relational_growth", "alone", str(folder), step, name, str(target)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]
    found: dict[str, float] = json.loads(told)
    return found


def digest(target: Path) -> tuple[int, int]:
    """How many rows a folder's files hold, and a number that equal rows share in whatever order and widths they are."""
    with duckdb.connect(config={"threads": THREADS, "memory_limit": f"{MEMORY}GiB"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        read = f"from read_parquet('{target}/*.parquet')"
        columns = sorted((name, kind) for name, kind, *_ in connection.execute(f"describe {read}").fetchall())
        plain = (f'epoch_us("{name}")' if kind.startswith("TIMESTAMP") else f'"{name}"' for name, kind in columns)
        texts = ", ".join(f"coalesce({one}::varchar, chr(0))" for one in plain)
        told = connection.execute(f"select count(*), sum(hash(concat_ws(chr(1), {texts}))) {read}").fetchone()
    assert told is not None
    return int(told[0]), int(told[1] or 0)


def measure(events: int, steps: list[str]) -> dict[str, float]:
    """All steps at one size on every engine; prints and keeps what they took."""
    folder, before = laid_out(events), Calibration.now()
    figures: dict[str, float] = {"events": events}
    engines = [name for name in ENGINES if events <= MOST.get(name, events)]
    for step in steps:
        answers = {}
        for name in engines:
            target = folder.with_suffix(f".{os.getpid()}")
            try:
                figures |= {f"{step}/{name}/{one}": value for one, value in alone(folder, step, name, target).items()}
                answers[name] = digest(target)
            except subprocess.CalledProcessError:
                figures[f"{step}/{name}/{FAILED}"] = 1
            finally:
                shutil.rmtree(target, ignore_errors=True)
        assert len(set(answers.values())) <= 1, f"{step}: rows differ: {answers}"
        figures |= {f"{step}/rows": rows for rows, _digest in answers.values()}
        _show(step, list(answers), figures)
        told = {f"{NAME}/{fact}": value for fact, value in figures.items()}
        note_figures(f"{NAME}_{events}", told, before, drift=before.drift(Calibration.now()))
    return figures


def _show(step: str, engines: list[str], figures: dict[str, float]) -> None:
    table = Table("engine", *MEASURES, title=f"{step}, {figures['events']:,} events")
    for name in engines:
        table.add_row(name, *(f"{figures[f'{step}/{name}/{one}']:,.1f}" for one in MEASURES))
    Console().print(table)


def main(sizes: list[int]) -> dict[int, dict[str, float]]:
    """All sizes, one after the other."""
    return {events: measure(events, list(OURS)) for events in sizes}


if __name__ == "__main__":
    if sys.argv[1:2] == ["alone"]:
        _run(Path(sys.argv[2]), *sys.argv[3:5], Path(sys.argv[5]))
    else:
        main([int(one) for one in sys.argv[1:]] or list(SIZES))
