"""The relational steps of a night beside other ways: python -m benchmarks.relational [events [rounds [step …]]].

Ours are the product's own Ibis expressions, on DuckDB and on Spark; beside them stand DuckDB SQL by hand, Polars and
pandas. Each way runs in a process of its own, all in turn, twice, of which the second is timed; its peak memory is that
of the process and its children. Answers must be equal before a figure is one.

No step of a night makes sessions out of time stamps (a basket is the shop's, or a user's day), so theirs is an
expression of this file. `sequences` breaks ties by MD5, which Polars and pandas do not have as an expression. What is
read lies in SHOPKEEL_HOME/relational-EVENTS, and is made once.
"""

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import ibis
import ibis.expr.types as ir
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import _

from benchmarks import shop_at_scale
from benchmarks.side_by_side import Calibration, report
from pipeline import engine, spark
from pipeline.features import baskets, behaviour, sequences
from pipeline.features.split import known_by
from pipeline.feeds import ingest
from pipeline.settings import home, load_shop

THREADS, MEMORY, AS_OF = 2, 4.0, date(2017, 12, 30)
HISTORY, MOST, TOGETHER, WINDOW, BEST, GAP = 128, 40, 8, 180, 20, 30


def dedup(events: ir.Table) -> ir.Table:
    """Of equal keys the earliest arrival, as ingest keeps it."""
    place = ingest.among_equal(events, ["event_id"], events.columns)
    return events.mutate(place=place).filter(_.place == 0).drop("place")


def sessions(lines: ir.Table) -> ir.Table:
    """Runs of a user's events with no longer pause than half an hour."""
    order = ibis.window(group_by="user_key", order_by=[_.ts, _.basket_id, _.item_id])
    before = lines.mutate(before=_.ts.lag().over(order))
    begins = before.mutate(begins=(before.ts > before.before + ibis.interval(minutes=GAP)).fill_null(True))
    so_far = ibis.cumulative_window(group_by="user_key", order_by=[_.ts, _.basket_id, _.item_id])
    numbered = begins.mutate(session=begins.begins.cast("int64").sum().over(so_far).cast("int32"))
    return numbered.group_by("user_key", "session").agg(since=_.ts.min(), events=_.count())


def top_k(lines: ir.Table) -> ir.Table:
    """Each user's items that most baskets held."""
    once = known_by(lines, AS_OF).select("user_key", "item_id", "basket_id").distinct()
    held = once.group_by("user_key", "item_id").agg(baskets=_.count())
    order = ibis.window(group_by="user_key", order_by=[_.baskets.desc(), _.item_id])
    return held.mutate(place=ibis.row_number().over(order)).filter(_.place < BEST).drop("place")


OURS: dict[str, Callable[[ir.Table], ir.Table]] = {
    "dedup": dedup,
    "sessions": sessions,
    "sequences": lambda lines: sequences.recent(lines, AS_OF, HISTORY),
    "co-visitation": lambda lines: baskets.pairs(
        lines,
        AS_OF,
        max_basket=MOST,
        min_together=TOGETHER,
        window_days=WINDOW,
        parts=baskets.parts_of(lines),
    ),
    "top-k": top_k,
}

SQL = {
    "dedup": """
from read qualify row_number() over (partition by event_id order by ds, user_key, ts, kind, item_id, surface, device,
  basket_id, quantity, amount_cents, price_cents) = 1""",
    "sessions": f"""
with begun as (select *, coalesce(ts > lag(ts) over w + interval {GAP} minute, true) as begins from read
    window w as (partition by user_key order by ts, basket_id, item_id)),
  numbered as (select *, sum(begins::int) over
    (partition by user_key order by ts, basket_id, item_id rows unbounded preceding)::bigint as session from begun)
select user_key, session, min(ts) as since, count(*) as events from numbered group by all""",
    "sequences": f"""
with once as (select user_key, item_id, basket_id, ds, min(ts) as ts from read where ds <= date '{AS_OF}' group by all),
  placed as (select *, row_number() over
    (partition by user_key order by ts desc, basket_id desc, md5(basket_id || item_id) desc) as place from once)
select user_key, item_id, basket_id, (date '{AS_OF}' - ds)::bigint as age from placed where place <= {HISTORY}
order by user_key, place desc""",
    "co-visitation": f"""
with once as (select distinct basket_id, item_id from read
    where ds <= date '{AS_OF}' and date '{AS_OF}' - ds < {WINDOW}),
  sizes as (select basket_id from once group by 1 having count(*) between 2 and {MOST}),
  mid as (from once semi join sizes using (basket_id)),
  counts as (select item_id, count(*) as n from mid group by 1 having n >= {TOGETHER}),
  kept as (from mid semi join counts using (item_id)),
  paired as (select a.item_id, b.item_id as other_id, count(*) as together from kept a join kept b using (basket_id)
    where a.item_id <> b.item_id group by all having together >= {TOGETHER})
select paired.item_id, other_id, together, one.n as item_baskets, two.n as other_baskets,
  (select count(*) from sizes) as all_baskets
from paired join counts one on one.item_id = paired.item_id join counts two on two.item_id = other_id""",
    "top-k": f"""
with held as (select user_key, item_id, count(distinct basket_id) as baskets from read where ds <= date '{AS_OF}'
    group by all)
from held qualify row_number() over (partition by user_key order by baskets desc, item_id) <= {BEST}""",
}


def _polars(step: str, files: list[str]) -> pa.Table:
    import polars as pl

    rows = pl.scan_parquet(files, hive_partitioning=False)
    if step == "dedup":
        values = [name for name in rows.collect_schema().names() if name not in ("event_id", "ds")]
        found = rows.sort("ds", *values).unique("event_id", keep="first", maintain_order=True)
    elif step == "sessions":
        begins = (pl.col("ts").diff() > pl.duration(minutes=GAP)).fill_null(True).over("user_key")
        numbered = rows.sort("user_key", "ts", "basket_id", "item_id").with_columns(begins=begins)
        numbered = numbered.with_columns(session=pl.col("begins").cast(pl.Int64).cum_sum().over("user_key"))
        found = numbered.group_by("user_key", "session").agg(since=pl.col("ts").min(), events=pl.len())
    elif step == "co-visitation":
        age = pl.lit(AS_OF) - pl.col("ds")
        near = rows.filter((pl.col("ds") <= AS_OF) & (age < timedelta(WINDOW)))
        once = near.select("basket_id", "item_id").unique()
        sizes = once.group_by("basket_id").len().filter(pl.col("len").is_between(2, MOST))
        once = once.join(sizes, on="basket_id", how="semi")
        counts = once.group_by("item_id").agg(n=pl.len()).filter(pl.col("n") >= TOGETHER)
        once = once.join(counts, on="item_id", how="semi")
        both = once.join(once.rename({"item_id": "other_id"}), on="basket_id")
        both = both.filter(pl.col("item_id") != pl.col("other_id")).group_by("item_id", "other_id")
        found = both.agg(together=pl.len()).filter(pl.col("together") >= TOGETHER)
        found = found.join(counts.rename({"n": "item_baskets"}), on="item_id")
        found = found.join(counts.rename({"n": "other_baskets", "item_id": "other_id"}), on="other_id")
        found = found.join(sizes.select(all_baskets=pl.len()), how="cross")
    else:
        held = rows.filter(pl.col("ds") <= AS_OF).group_by("user_key", "item_id")
        held = held.agg(baskets=pl.col("basket_id").n_unique())
        found = held.sort(["user_key", "baskets", "item_id"], descending=[False, True, False])
        found = found.group_by("user_key", maintain_order=True).head(BEST)
    return found.collect().to_arrow()


def _pandas(step: str, files: list[str]) -> pa.Table:
    rows = pq.read_table(files, partitioning=None).to_pandas()
    rows["ts"] = rows["ts"].dt.tz_convert(None)  # times with a zone make it warn
    if step == "dedup":
        found = rows.sort_values(["ds", *rows.columns.drop(["event_id", "ds"])]).drop_duplicates("event_id")
    elif step == "sessions":
        rows = rows.sort_values(["user_key", "ts", "basket_id", "item_id"])
        pause = rows.groupby("user_key")["ts"].diff()
        begins = (pause.isna() | (pause > pd.Timedelta(minutes=GAP))).astype("int64")
        rows["session"] = begins.groupby(rows["user_key"]).cumsum()
        found = rows.groupby(["user_key", "session"]).agg(since=("ts", "min"), events=("ts", "size")).reset_index()
    elif step == "co-visitation":
        rows = rows[(rows["ds"] <= AS_OF) & (rows["ds"] > AS_OF - timedelta(WINDOW))]
        once = rows[["basket_id", "item_id"]].drop_duplicates()
        sizes = once["basket_id"].value_counts()
        sizes = sizes[sizes.between(2, MOST)]
        once = once[once["basket_id"].isin(sizes.index)]
        counts = once["item_id"].value_counts()
        counts = counts[counts >= TOGETHER]
        once = once[once["item_id"].isin(counts.index)]
        both = once.merge(once.rename(columns={"item_id": "other_id"}), on="basket_id")
        both = both[both["item_id"] != both["other_id"]]
        found = both.groupby(["item_id", "other_id"]).size().rename("together").reset_index()
        found = found[found["together"] >= TOGETHER]
        found = found.assign(
            item_baskets=found["item_id"].map(counts),
            other_baskets=found["other_id"].map(counts),
            all_baskets=len(sizes),
        )
    else:
        rows = rows[rows["ds"] <= AS_OF]
        held = rows.groupby(["user_key", "item_id"])["basket_id"].nunique().rename("baskets").reset_index()
        held = held.sort_values(["user_key", "baskets", "item_id"], ascending=[True, False, True])
        found = held.groupby("user_key").head(BEST)
    return pa.Table.from_pandas(found, preserve_index=False)


def ours(step: str, files: list[str], memory: float = MEMORY) -> pa.Table:
    """A step on DuckDB."""
    rows = engine.connect(THREADS, memory).read_parquet(files, hive_partitioning=False)
    return OURS[step](rows).to_pyarrow()


def by_hand(step: str, files: list[str]) -> pa.Table:
    """A step as SQL, on the same engine with the same bounds."""
    connection = engine.connect(THREADS, MEMORY)
    connection.read_parquet(files, table_name="read", hive_partitioning=False)
    return connection.raw_sql(SQL[step]).to_arrow_table()


def _spark(step: str, files: list[str]) -> pa.Table:
    return OURS[step](spark.connect(THREADS).read_parquet(files)).to_pyarrow()


WAYS: dict[str, Callable[[str, list[str]], pa.Table]] = {
    "ours": ours,
    "DuckDB SQL by hand": by_hand,
    "Polars": _polars,
    "pandas": _pandas,
    "ours on Spark": _spark,
}
WITHOUT = {("sequences", "Polars"), ("sequences", "pandas")}


def digest(rows: pa.Table) -> tuple[int, int]:
    """How many rows, and a number that equal rows share in whatever order and widths they come."""

    def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_date(column.type):
            return column.cast(pa.int32()).cast(pa.int64())
        if pa.types.is_timestamp(column.type):
            return column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
        return column.cast(pa.int64() if pa.types.is_integer(column.type) else pa.string())

    frame = pa.table({name: plain(rows.column(name)) for name in sorted(rows.column_names)}).to_pandas()
    return len(rows), int(pd.util.hash_pandas_object(frame, index=False).to_numpy().sum())


def lay_out(folder: Path, size: shop_at_scale.Size) -> None:
    """What the steps read: events by arrival day, some twice, and purchase lines."""
    zone, shape, first = load_shop("grocer").zone, shop_at_scale.grocer(), AS_OF - timedelta(size.days - 1)
    for day, rows in shop_at_scale.days(size, shape, first):
        rows = rows.rename_columns(["user_key" if name == "user_id" else name for name in rows.column_names])
        target = folder / "dedup" / f"{day}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows.append_column("ds", pa.array([day] * len(rows), pa.date32())), target, compression="zstd")
    once = dedup(engine.connect(THREADS).read_parquet(str(folder / "dedup" / "*.parquet")))
    lines = behaviour.purchases(once, zone, first, AS_OF)
    (folder / "lines").mkdir()
    lines.to_parquet(folder / "lines" / "lines.parquet", compression="zstd")


def files_of(folder: Path, step: str) -> list[str]:
    """What a step reads."""
    return sorted(str(path) for path in (folder / ("dedup" if step == "dedup" else "lines")).glob("*.parquet"))


@dataclass(frozen=True)
class Run:
    """One way's run: seconds, peak memory in MiB, and the answer's digest."""

    seconds: float
    peak: float
    answer: tuple[int, int]


def alone(folder: Path, step: str, way: str) -> Run:
    """A run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.relational", "alone", str(folder), step, way]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]
    seconds, peak, *answer = json.loads(told)
    return Run(seconds, peak, tuple(answer))


def _run(folder: Path, step: str, way: str) -> None:
    files = files_of(folder, step)
    for _round in range(2):
        began = perf_counter()
        rows = WAYS[way](step, files)
        seconds = perf_counter() - began
    us = psutil.Process()
    peak = sum(high_water(one.pid) for one in (us, *us.children(recursive=True)))
    print(json.dumps([seconds, peak, *digest(rows)]))


def high_water(process: int) -> float:
    """The most memory a process held, in MiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    held = (int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return next(held, 0.0)  # one that has ended holds nothing


def laid_out(events: int) -> Path:
    """The folder of what the steps read, made anew unless it is there whole."""
    folder = home() / f"relational-{events}"
    if not (folder / "lines").is_dir():
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        lay_out(half, shop_at_scale.Size.of(events))
        half.rename(folder)
    return folder


def main(events: int, rounds: int, steps: list[str]) -> None:
    """All ways of some steps, in turn."""
    folder = laid_out(events)
    for step in steps:
        ways = [way for way in WAYS if (step, way) not in WITHOUT]
        before, runs = Calibration.now(), {way: [] for way in ways}  # type: dict[str, list[Run]]
        for _round in range(rounds):
            for way in ways:
                runs[way].append(alone(folder, step, way))
        answers = {run.answer for of_way in runs.values() for run in of_way}
        assert len(answers) == 1, f"{step}: answers differ: { {way: runs[way][0].answer for way in ways} }"
        peaks = {f"{way}/peak MiB": statistics.median(run.peak for run in runs[way]) for way in ways}
        taken = {way: [run.seconds for run in of_way] for way, of_way in runs.items()}
        report(f"relational_{step.replace('-', '_')}", taken, before, events=events, rows=answers.pop()[0], **peaks)
        for fact, value in peaks.items():
            print(f"{fact}: {value:,.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["alone"]:
        _run(Path(sys.argv[2]), *sys.argv[3:])
    else:
        main(int((sys.argv[1:2] or ["1000000"])[0]), int((sys.argv[2:3] or ["3"])[0]), sys.argv[3:] or list(OURS))
