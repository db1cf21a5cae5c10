"""The Ibis connection on which all relational steps run: DuckDB embedded. Expressions stay portable to Spark."""

import ctypes
import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend
from safetensors import SafetensorError

from pipeline.contracts.table import Table
from pipeline.errors import NoData


def connect(threads: int, memory_gib: float = 3.0) -> Backend:
    """A fresh in-process engine with its own memory bound; it spills to disk past that and loads no extensions.

    Args:
        threads: worker threads.
        memory_gib: memory the engine may hold, in GiB.
    """
    connection = ibis.duckdb.connect(
        threads=threads,
        memory_limit=f"{memory_gib}GiB",
        autoload_known_extensions="false",
        autoinstall_known_extensions="false",
    )
    connection.raw_sql("SET TimeZone = 'UTC'")
    connection.raw_sql("SET preserve_insertion_order = false")
    return connection


@contextmanager
def machine_errors() -> Iterator[None]:
    """Tell failures of memory and disk that libraries name in their own way as Python's own, which callers retry."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise MemoryError(str(error).split("\n")[0]) from error
    except duckdb.IOException as error:
        raise OSError(str(error).split("\n")[0]) from error
    except SafetensorError as error:
        if "I/O error" in str(error):
            raise OSError(str(error)) from error
        raise


def give_back() -> None:
    """Give the system back what memory nothing holds: allocators keep it, and a night's process outlives its stages.

    Arrow's pool and glibc's arenas do; other C libraries have no such call.
    """
    gc.collect()
    pa.default_memory_pool().release_unused()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def read(connection: Backend, paths: Iterable[Path], contract: Table) -> ir.Table:
    """Parquet files of one contract as a table, without copying them.

    Raises:
        NoData: there is no file.
    """
    files = [str(path) for path in paths]
    if not files:
        raise NoData(f"{contract.name}: nothing has landed; run the ingest stage for a date with arrivals")
    return connection.read_parquet(files, hive_partitioning=False)


def arrow(table: ir.Table, contract: Table) -> pa.Table:
    """Compute an expression and hold it to its contract (types, nulls, key, order)."""
    return contract.enforce(table.to_pyarrow())


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The UTC instant at which a local day begins."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def local_day(moment: ir.TimestampValue, zone: ZoneInfo, first: date, last: date) -> ir.DateValue:
    """The shop's local day of UTC instants between two days, the same on every engine.

    Engines differ in how they convert zones, so the zone's offset changes in the range are spelled out as cases.
    """
    changes = _offsets(zone, first, last)
    naive = moment.cast("timestamp")

    def shifted(offset: timedelta) -> ir.TimestampValue:
        return naive + ibis.interval(seconds=int(offset.total_seconds()))

    branches = [(naive >= ibis.timestamp(at.replace(tzinfo=None)), shifted(offset)) for at, offset in changes[:0:-1]]
    local = ibis.cases(*branches, else_=shifted(changes[0][1])) if branches else shifted(changes[0][1])
    return local.date()


@cache
def _offsets(zone: ZoneInfo, first: date, last: date) -> list[tuple[datetime, timedelta]]:
    """The zone's offsets over two days and what lies between, each with the UTC instant from which it holds."""
    begins = datetime.combine(first, time(), tzinfo=UTC) - timedelta(1)
    changes: list[tuple[datetime, timedelta]] = []
    # Zones change at quarter hours; some at local midnight, where a coarser look would move an hour to another day.
    for at in (begins + timedelta(minutes=15 * quarter) for quarter in range(((last - first).days + 3) * 96)):
        offset = at.astimezone(zone).utcoffset() or timedelta()
        if not changes or changes[-1][1] != offset:
            changes.append((at, offset))
    return changes
