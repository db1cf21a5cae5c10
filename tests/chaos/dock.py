"""Arrivals of a small shop, disturbed in known ways, and what the features stage makes of them."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pyarrow as pa

from pipeline import engine
from pipeline.contracts.features import CATALOGUE
from pipeline.features import behaviour, sequences, texts
from pipeline.feeds import partitions
from tests.feeds.conftest import FIRST, Dock

ZONE = ZoneInfo("America/New_York")
GOODS = ("soap", "milk", "bread", "tea", "fuel")
SHOPPERS = ("ann", "bob", "cid")
Row = dict[str, Any]


def open_dock(connection: Any, root: Path, name: str = "dock") -> Dock:
    """An empty shop whose catalogue and users have arrived."""
    dock = Dock(connection, root / name)
    dock.bring("items", *({"item_id": item, "sold_by_measure": item == "fuel"} for item in GOODS), ds=FIRST)
    dock.bring("users", *({"user_id": user} for user in SHOPPERS), ds=FIRST)
    return dock


def shopping(rng: np.random.Generator, days: int, lines: int) -> list[Row]:
    """Basket lines over the shop's first days, on time: some without pay, some of goods that nobody knows."""
    rows = []
    for n in range(lines):
        day, minute = int(rng.integers(days)), int(rng.integers(24 * 60))
        local = datetime.combine(FIRST + timedelta(day), datetime.min.time(), ZONE) + timedelta(minutes=minute)
        rows.append(
            {
                "event_id": f"e{n}",
                "user_id": str(rng.choice(SHOPPERS)),
                "item_id": str(rng.choice([*GOODS, "never"])),
                "ts": local.astimezone(UTC),
                "basket_id": f"b{n // 2}",
                "amount_cents": int(rng.choice([0, 100, 250])),
                "ds": local.date(),
            }
        )
    return rows


def bring(dock: Dock, rows: Sequence[Row]) -> None:
    """Have event rows arrive, each on its own `ds`."""
    dock.tables["events"] = dock.rows("events", *rows)


def outputs(dock: Dock, day: date) -> str:
    """SHA-256 over what the features stage makes of all that landed by a day."""
    events = partitions.landed(dock.connection, dock.root, "events", day)
    items = partitions.landed(dock.connection, dock.root, "items", day)
    assert events is not None and items is not None
    bought = behaviour.purchases(events, ZONE, FIRST, day).order_by("ds", "user_key", "basket_id", "item_id", "ts")
    lines = bought.to_pyarrow()
    table = ibis.memtable(lines)
    goods = texts.catalogue(partitions.latest(items, "item_id"), behaviour.item_sales(table, day), "{title}", ())
    made = (
        lines,
        engine.arrow(goods, CATALOGUE),
        sequences.recent(table, day, 16).to_pyarrow(),
    )
    digest = hashlib.sha256()
    for one in made:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, one.schema) as stream:
            stream.write_table(one.combine_chunks(), max_chunksize=1 << 20)
        digest.update(sink.getvalue())
    return digest.hexdigest()


def adds_up(dock: Dock, feed: str = "events") -> bool:
    """Every row that arrived was published, quarantined or deduplicated, and none is counted twice."""
    arrived, published, quarantined, deduplicated = dock.counts(feed)
    return arrived == len(dock.tables[feed]) == published + quarantined + deduplicated
