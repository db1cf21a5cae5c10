"""Spark as an engine: Ibis's backend on a Spark session, with rows moved as Arrow, and a map of Arrow batches.

Alone in knowing PySpark, an extra that is imported once a shop asks for it. What runs here is its callers' matter;
where, is Spark's own configuration (a folder named by `SPARK_CONF_DIR`), or `SHOPKEEL_SPARK_MASTER`; without either,
this machine.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import psutil
import pyarrow as pa
from ibis import util

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Batches = Iterator[pa.RecordBatch]
Conf = dict[str, bool | float | int | str | None]  # as PySpark's types have it
ALWAYS: Conf = {"spark.sql.session.timeZone": "UTC", "spark.ui.showConsoleProgress": "false"}
HERE: Conf = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
MIB = 2**20


def session(threads: int) -> "SparkSession":
    """The process's Spark session, which lasts as long as the process.

    Args:
        threads: at work where Spark runs on this machine alone.

    Raises:
        ConfigError: PySpark is not installed.
    """
    if find_spec("pyspark") is None:
        raise ConfigError("engine: spark needs PySpark and Java 17 or newer; run `pip install -e '.[spark]'`")
    from pyspark.sql import SparkSession

    if (running := SparkSession.getActiveSession()) is not None:
        return running
    builder = SparkSession.builder.appName("shopkeel")
    if master := os.environ.get("SHOPKEEL_SPARK_MASTER"):
        builder = builder.master(master)
    elif "SPARK_CONF_DIR" not in os.environ:
        # One process does all the work and hands over whole tables; Spark's own bounds are a gibibyte for each.
        half = f"{psutil.virtual_memory().total // 2 // MIB}m"
        room: Conf = {"spark.driver.memory": half, "spark.driver.maxResultSize": half}
        builder = builder.master(f"local[{threads}]").config(map=HERE | room)
        builder = builder.config("spark.sql.shuffle.partitions", str(threads))
    return builder.config(map=ALWAYS).getOrCreate()


def connect(threads: int) -> Any:
    """The engine: an Ibis backend.

    Args:
        threads: at work where Spark runs on this machine alone.
    """
    running = session(threads)
    backend = _backend()()
    backend.register_options()
    backend.do_connect(running)
    return backend


def _schema(told: pa.Schema, found: pa.Schema) -> pa.Schema:
    """Types as the expression has them; but moments as Spark has them, whose zone Ibis forgets."""
    return pa.schema(
        [moment if pa.types.is_timestamp(moment.type) else field for field, moment in zip(told, found, strict=True)]
    )


@cache
def _backend() -> type:
    from ibis.backends.pyspark import Backend

    class Spark(Backend):
        """Ibis's backend; its own way to Arrow leads through pandas, where integers with nulls become floats."""

        def to_pyarrow(self, expr: ir.Expr, /, *, params: Any = None, limit: Any = None, **_options: Any) -> Any:
            """Compute an expression."""
            table = expr.as_table()
            self._run_pre_execute_hooks(table)
            found = self._session.sql(self.compile(table, params=params, limit=limit)).toArrow()
            rows = found.cast(_schema(table.schema().to_pyarrow(), found.schema))
            return rows if isinstance(expr, ir.Table) else expr.__pyarrow_result__(rows)

        def to_pyarrow_batches(self, expr: ir.Expr, /, **options: Any) -> pa.ipc.RecordBatchReader:
            """The same, batch by batch; Spark hands over all at once."""
            return self.to_pyarrow(expr.as_table(), **options).to_reader()

        def read_parquet(self, path: Any, /, *, table_name: str | None = None, **_options: Any) -> ir.Table:
            """One file or several as a table; the name of a folder adds no column."""
            files: Iterable[Any] = [path] if isinstance(path, str | os.PathLike) else path
            name = table_name or util.gen_name("read_parquet")
            self._session.read.parquet(*(str(file) for file in files)).createOrReplaceTempView(name)
            return self.table(name)

        def _register_in_memory_table(self, op: Any) -> None:
            self._session.createDataFrame(op.data.to_pyarrow(op.schema)).createOrReplaceTempView(op.name)

    return Spark


def mapped(rows: "DataFrame", each: Callable[[pa.RecordBatch], pa.RecordBatch], columns: str) -> "DataFrame":
    """Rows that a function of the package makes of others, batch by batch, wherever they lie.

    Args:
        rows: what is read.
        each: gives the rows made of a batch; the package must be importable where Spark works.
        columns: what it gives, in Spark's words (`user_key string, items array<int>`).
    """

    def over(batches: Batches) -> Batches:
        for batch in batches:
            yield each(batch)

    return rows.mapInArrow(over, columns)
