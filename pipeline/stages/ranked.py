"""Ranking all users of tonight's history by a kept version: in this process, or where Spark works.

On Spark users are dealt out in blocks; a worker opens what the ranking reads, keeps it for the blocks that come after,
and ranks with the same function. Lists come back by way of the night's folder, which workers share (docs/spark.md), so
that no process holds them all. Not here: what is opened, and the ranking itself.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import spark
from pipeline.features.history import History
from pipeline.learning import harness
from pipeline.models import recommendations
from pipeline.models.order import Order, blocks
from pipeline.models.recommendations import Knowledge, Lists
from pipeline.settings import Night
from pipeline.stages import states
from pipeline.stages.ranking_inputs import RankingInputs

Opener = Callable[[RankingInputs, History, str], tuple[Knowledge, Order]]
COLUMNS = "block int, user bigint, items array<bigint>, scores array<double>, features array<float>"


@dataclass(frozen=True)
class Asked:
    """A ranking of users of tonight's history by a kept version.

    Attributes:
        work: the night's folder, and with version and opener all that tells one ranking from another.
        version: of the model.
        opened: gives what is known and the order; a function of a module, as workers import it.
        places: of each list.
        night: whose.
    """

    work: str
    version: str
    opened: Opener
    places: int
    night: Night = field(compare=False)

    @classmethod
    def of(cls, night: Night, version: str, opened: Opener, places: int) -> "Asked":
        """The ranking of a night."""
        return cls(str(night.work), version, opened, places, night)


@lru_cache(maxsize=1)
def _open(asked: Asked) -> tuple[Knowledge, Order]:
    harness.settle(asked.night.shop.seed, asked.night.shop.threads)
    inputs = RankingInputs(asked.night)
    return asked.opened(inputs, inputs.history(asked.night.day), asked.version)


def _ranked(asked: Asked, dealt: pa.RecordBatch) -> pa.RecordBatch:
    """Rows of COLUMNS of a batch of blocks: their numbers, and lists of users."""
    known, order = _open(asked)
    parts = []
    for number, users in zip(dealt.column("block").to_pylist(), dealt.column("users"), strict=True):
        block, count = np.asarray(users.values), asked.night.shop.recommender.candidates
        with harness.one_thread:
            found = recommendations.rank(known, order, block, count, asked.places)
        lists = (_lists(values.reshape(len(block), -1)) for values in (found.items, found.scores, found.features))
        parts.append(pa.table([pa.array([number] * len(block), pa.int32()), pa.array(block), *lists], _names()))
    return pa.concat_tables(parts).combine_chunks().to_batches()[0]


def _names() -> list[str]:
    return [column.split()[0] for column in COLUMNS.split(", ")]


def _lists(values: np.ndarray) -> pa.Array:
    ends = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values.ravel()))


def everybody(inputs: RankingInputs, history: History, asked: Asked, users: np.ndarray) -> Iterator[Lists]:
    """Lists of users, block after block.

    Args:
        inputs: of the night, for a ranking in this process.
        history: of the night, likewise.
        asked: the ranking.
        users: int [B] places in the history, ascending.
    """
    night, shop = asked.night, asked.night.shop
    if shop.engine == "spark":
        yield from _on_spark(asked, users)
        return
    known, order = asked.opened(inputs, history, asked.version)
    states.recall(night, asked.version, known)
    yield from recommendations.rank_blocks(known, order, users, shop.recommender.candidates, asked.places, shop.threads)
    states.leave(night, asked.version, known)


def _on_spark(asked: Asked, users: np.ndarray) -> Iterator[Lists]:
    folder = asked.night.work / f"spread-{asked.opened.__module__.rpartition('.')[2]}-{asked.version}"
    dealt = [block.tolist() for block in blocks(users)]
    if not dealt:
        return
    rows = pa.table({"block": pa.array(range(len(dealt)), pa.int32()), "users": pa.array(dealt, pa.list_(pa.int64()))})
    session = spark.session(asked.night.shop.threads)
    try:
        found = spark.mapped(
            session.createDataFrame(rows).repartition(len(dealt), "block"), lambda batch: _ranked(asked, batch), COLUMNS
        )
        found.write.mode("overwrite").partitionBy("block").parquet(str(folder))
        for number, block in enumerate(dealt):
            yield _read(folder / f"block={number}", len(block), asked.places)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(folder: Path, count: int, places: int) -> Lists:
    """A block's lists, whichever files they came in."""
    files = (pq.read_table(path, partitioning=None) for path in sorted(folder.glob("*.parquet")))
    rows = pa.concat_tables(files).sort_by("user").combine_chunks()
    items, scores, features = (rows.column(name).combine_chunks().flatten().to_numpy() for name in _names()[2:])
    shape = (count, places)
    return Lists(
        rows.column("user").to_numpy(), items.reshape(shape), scores.reshape(shape), features.reshape(*shape, -1)
    )
