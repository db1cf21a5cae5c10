"""What stages share: the night's intermediate files and how to open them."""

import json
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend
from pyarrow import dataset
from pyarrow.dataset import Dataset

from pipeline import engine, spark
from pipeline.contracts.features import CATALOGUE
from pipeline.contracts.table import Table
from pipeline.errors import DataError
from pipeline.features.split import Split, split
from pipeline.features.timeline import Timeline
from pipeline.feeds import partitions
from pipeline.learning import lineage
from pipeline.record import Recorder
from pipeline.settings import Night
from pipeline.warehouse import durable, snapshot
from pipeline.warehouse.bucket import Bucket
from pipeline.warehouse.commit import mirror
from pipeline.warehouse.failpoints import Step

Progress = Callable[[int, int], None]
LINES, TIMELINE = "lines", ("timeline", "timeline-users")


def write(night: Night, name: str, rows: pa.Table, contract: Table | None = None) -> pa.Table:
    """Keep an intermediate table, held to its contract where it has one."""
    rows = contract.enforce(rows) if contract else rows
    with durable.filled(night.work / f"{name}.parquet", Step.WORK) as target:
        pq.write_table(rows, target, compression="zstd")
    return rows


def read(night: Night, name: str) -> pa.Table:
    """An intermediate table.

    Raises:
        DataError: the stage that writes it has not run.
    """
    return pq.read_table(_there(night.work / f"{name}.parquet"))


def lying(night: Night, name: str) -> Dataset:
    """An intermediate table, of which nothing is held yet."""
    return dataset.dataset(_there(night.work / f"{name}.parquet"))


def stream(night: Night, name: str, rows: ir.Table) -> None:
    """Keep an intermediate table as it is computed, without holding it."""
    with (
        durable.filled(night.work / f"{name}.parquet", Step.WORK) as target,
        rows.to_pyarrow_batches() as batches,
        pq.ParquetWriter(target, batches.schema, compression="zstd") as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)


def _there(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"{path}: not there; run the night from its first stage")
    return path


def note(night: Night, name: str, facts: Any) -> None:
    """Keep small facts for later stages as JSON."""
    durable.put(night.work / f"{name}.json", json.dumps(facts, indent=1, sort_keys=True), Step.NOTE)


def noted(night: Night, name: str) -> Any:
    """Facts an earlier stage kept.

    Raises:
        DataError: that stage has not run.
    """
    return json.loads(_there(night.work / f"{name}.json").read_text())


def begin(night: Night) -> None:
    """Note what was current as the night began, and the snapshot it follows: where its champions come from.

    A night run again follows what its first publication followed; else the current snapshot if that is of an earlier
    day (so a rolled-back night is not followed), else the newest of an earlier day.
    """
    root, day = night.warehouse, night.day
    if bucket := Bucket.of(night.shop):
        mirror(root, bucket)
    again = [manifest for manifest in snapshot.history(root) if manifest.day == day]
    now, before = snapshot.current(root), snapshot.newest_before(root, day)
    follows = before.id if before else None
    if again:
        follows = again[-1].parent
    elif now and now.manifest.day < day:
        follows = now.id
    note(night, "start", {"current": snapshot.pointer(root), "parent": follows})


def parent(night: Night) -> snapshot.Snapshot | None:
    """The snapshot this night follows, as noted when it began."""
    follows = noted(night, "start")["parent"]
    return snapshot.open_snapshot(night.warehouse, follows) if follows else None


def champion(night: Night, model: str) -> str | None:
    """The version of a model that served the night before; none that learned from users who have been erased."""
    version = _served(night).get(model)
    return None if version is None or _is_left(night, model, version) else version


def left(night: Night) -> dict[str, str]:
    """Versions by model that served the night before and that no night goes on from: their models begin anew."""
    return {model: version for model, version in _served(night).items() if _is_left(night, model, version)}


def _is_left(night: Night, model: str, version: str) -> bool:
    return lineage.knew_erased(night.models, f"{model}/{version}")


def _served(night: Night) -> dict[str, str]:
    before = parent(night)
    return before.manifest.models if before else {}


def tell_version(recorder: Recorder, night: Night, model: str, version: str) -> None:
    """Tell the record which version of a model a stage kept, and where."""
    path = (night.models / model / version).relative_to(night.home)
    recorder.tags({"model/name": model, "model/version": version, "model/path": str(path)})


def tell_lesson(recorder: Recorder, night: Night, model: str, version: str, **parents: str | None) -> None:
    """Note what a version learned from: what had arrived by the business day, and others by model name."""
    grew_from = tuple(f"{name}/{one}" for name, one in parents.items() if one)
    told = lineage.note(night.models, f"{model}/{version}", lineage.Lesson(night.day, grew_from))
    recorder.tags({"lineage/day": str(told.day), "lineage/parents": ", ".join(told.parents) or "none"})
    recorder.tags({"lineage/knew_erased": str(told.knew_erased).lower()})


def connect(night: Night) -> Backend:
    """The night's engine for what is small, or no more than a few nights' arrivals."""
    return engine.connect(night.shop.threads)


def connect_large(night: Night) -> Backend:
    """The night's engine for what reads all that the shop's users ever did: Spark, if the shop says so."""
    return spark.connect(night.shop.threads) if night.shop.engine == "spark" else connect(night)


def lines(night: Night, connection: Any = None) -> ir.Table:
    """Purchases up to the business day, read where they lie.

    Args:
        night: whose.
        connection: the engine of what they are joined with; one of their own when left out.

    Raises:
        DataError: the stage that writes them has not run.
    """
    path = _there(night.work / f"{LINES}.parquet")
    found: ir.Table = (connection or connect_large(night)).read_parquet(path, hive_partitioning=False)
    return found


def keep_timeline(night: Night, timeline: Timeline) -> None:
    """Keep the purchases up to the business day in order."""
    for name, rows in zip(TIMELINE, timeline.tables(), strict=True):
        write(night, name, rows)


def timeline(night: Night) -> Timeline:
    """The purchases up to the business day in order."""
    return Timeline.from_tables(*(read(night, name) for name in TIMELINE))


def landed(connection: Backend, night: Night, feed: str) -> ir.Table | None:
    """Clean rows of a feed up to the business day."""
    return partitions.landed(connection, night.feeds, feed, night.day)


def active_since(night: Night, day: date, upto: date | None = None) -> pa.Array:
    """Users of whom an event arrived after a day and by the business day, or another, sorted; all others are idle."""
    events = landed(connect(night), night, "events")
    if events is None:
        return pa.array([], pa.string())
    late = events.filter((events.ds > ibis.literal(day)) & (events.ds <= ibis.literal(upto or night.day)))
    since = late.select("user_key").distinct().order_by("user_key")
    return since.to_pyarrow().column("user_key").combine_chunks()


def catalogue(night: Night) -> pa.Table:
    """The catalogue as models see it."""
    return read(night, CATALOGUE.name)


def text_index(catalogue: pa.Table) -> tuple[list[str], list[str]]:
    """Distinct text hashes in order, and their texts."""
    hashes = pc.unique(catalogue.column("text_hash").combine_chunks()).sort()
    first = pc.index_in(hashes, catalogue.column("text_hash").combine_chunks())
    return hashes.to_pylist(), catalogue.column("item_text").take(first).to_pylist()


def cut(night: Night) -> Split:
    """The night's dates.

    Raises:
        NoData: too little history.
    """
    shop = night.shop
    lessons = shop.recommender.lessons
    return split(night.day, shop.holdout_days, shop.first_day, shop.min_history_days, lessons)


def text_vectors(night: Night, catalogue: pa.Table, encoder: str) -> np.ndarray:
    """Unit vectors float32 [T, H] of the distinct texts under an encoder version; only unseen texts are encoded."""
    from pipeline.models import encoder as encoders

    hashes, texts = text_index(catalogue)
    settings = night.shop.encoder
    cache = encoders.EmbeddingCache(night.embeddings, encoder, settings.reads_in)
    reader = partial(encoders.load, night.models, encoder, settings.max_tokens, settings.reads_in)
    return cache.vectors(hashes, texts, reader)


def checkpoints(night: Night, model: str) -> Path:
    """Where a training run keeps what it needs to be resumed."""
    return night.work / "checkpoints" / model
