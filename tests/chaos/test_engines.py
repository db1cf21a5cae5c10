"""Engine swap: the features' expressions give the same rows on DuckDB and on Spark, after a canonical sort."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pytest

from pipeline.features import baskets, behaviour, texts
from pipeline.feeds import partitions
from pipeline.tables import profiles
from tests.chaos.conftest import Matrix, counts
from tests.chaos.dock import ZONE, shopping
from tests.feeds.conftest import FIRST, Dock

# PySpark 4.3 calls what pandas 4 will not have.
pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")]

DAYS = 40
AS_OF = FIRST + timedelta(30)
Tables = dict[str, ir.Table]

EXPRESSIONS: dict[str, Callable[[Tables], ir.Table]] = {
    "purchases": lambda t: t["lines"],
    "item_sales": lambda t: behaviour.item_sales(t["lines"], AS_OF),
    "promoted": lambda t: behaviour.promoted(t["placements"], AS_OF),
    "pairs": lambda t: baskets.pairs(t["lines"], AS_OF, max_basket=20, min_together=1),
    "latest items": lambda t: partitions.latest(t["items"], "item_id"),
    "catalogue": lambda t: texts.catalogue(
        partitions.latest(t["items"], "item_id"), behaviour.item_sales(t["lines"], AS_OF), "{title}, {brand}", ("FUEL",)
    ),
    "visits": lambda t: profiles.visits(t["lines"], AS_OF),
    "affinities": lambda t: profiles.affinities(t["lines"], t["items"].select("item_id", label="brand"), AS_OF, 3),
    "price levels": lambda t: profiles.price_levels(
        t["lines"], t["items"].select("item_id", label="brand", price_cents="price_cents"), AS_OF
    ),
}


def generated(seed: int, lines: int) -> dict[str, pd.DataFrame]:
    """Landed feeds of a made-up shop."""
    rng = np.random.default_rng(seed)
    rows = shopping(rng, DAYS, lines)
    events = Dock.rows("events", *rows).drop_columns(["user_id"]).to_pandas()
    events["user_key"] = [row["user_id"] for row in rows]
    goods = [
        {"item_id": item, "brand": str(rng.choice(["own", "other"])), "price_cents": int(rng.integers(50, 900)),
         "category": "FUEL" if item == "fuel" else "HOME > BATH"}
        for item in ("soap", "milk", "bread", "tea", "fuel")
    ]  # fmt: skip
    items = Dock.rows("items", *goods, ds=FIRST).drop_columns(["updated_at"]).to_pandas()
    weeks = [{"item_id": good["item_id"], "starts_on": date(2020, 3, 25), "store_count": 2} for good in goods]
    placements = Dock.rows("placements", *weeks, ds=date(2020, 3, 25)).to_pandas()
    used = ["user_key", "item_id", "basket_id", "ds", "ts", "kind", "quantity", "amount_cents"]
    return {"events": events[used], "items": items, "placements": placements}


def on_spark(connection: Any, frame: pd.DataFrame, name: str) -> ir.Table:
    connection._session.createDataFrame(frame).createOrReplaceTempView(name)
    return connection.table(name)


def with_lines(made: Tables) -> Tables:
    made["lines"] = behaviour.purchases(made["events"], ZONE, FIRST, FIRST + timedelta(DAYS))
    return made


def canonical(rows: ir.Table) -> list[tuple[str, ...]]:
    """Rows as text, sorted: floats by nine digits, moments and days as they are written."""
    frame = rows.select(*sorted(rows.columns)).execute()

    def told(value: Any) -> str:
        if isinstance(value, float):
            return "none" if np.isnan(value) else str(int(value)) if value.is_integer() else f"{value:.9g}"
        if isinstance(value, pd.Timestamp):
            return value.tz_localize(None).isoformat(timespec="seconds") if value.tzinfo else value.isoformat()[:19]
        return "none" if value is None or value is pd.NaT or value is pd.NA else str(value)

    return sorted(tuple(told(value) for value in row) for row in frame.itertuples(index=False))


def test_spark_gives_what_duckdb_gives(cluster: Any, matrix: Matrix) -> None:
    sizes = [200] if counts(1, 3) == 1 else [50, 1_000, 20_000]
    wrong, tried = [], 0
    for seed, lines in enumerate(sizes):
        frames = generated(seed, lines)
        small = with_lines({name: ibis.memtable(frame) for name, frame in frames.items()})
        large = with_lines({name: on_spark(cluster, frame, name) for name, frame in frames.items()})
        for name, expression in EXPRESSIONS.items():
            tried += 1
            one, other = canonical(expression(small)), canonical(expression(large))
            if one != other or not one:
                odd = next((pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]), None)
                wrong.append(f"{name}, {lines} lines: {len(one)} and {len(other)} rows, {odd}")
    matrix.row("engine swap", tried, tried - len(wrong), f"{len(EXPRESSIONS)} expressions, up to {max(sizes):,} lines")
    assert not wrong, "\n".join(wrong)
