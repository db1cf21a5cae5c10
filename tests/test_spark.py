"""Spark on a real cluster: a night's features are those of DuckDB, and rows come as they are."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from pipeline import engine, nightly, spark
from pipeline.contracts.features import CATALOGUE
from pipeline.errors import ConfigError
from pipeline.features import baskets, sequences
from pipeline.privacy.keys import VARIABLE as KEY
from pipeline.settings import Night, load_shop
from pipeline.stages import desk, features
from pipeline.tables import profiles
from pipeline.warehouse import snapshot
from tests.chaos import corner


def in_order(rows: pa.Table) -> pa.Table:
    keys = [name for name in ("user_key", "item_id", "other_id", "basket_id") if name in rows.column_names]
    return rows.select(sorted(rows.column_names)).sort_by([(name, "ascending") for name in keys]).combine_chunks()


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
@pytest.mark.spark
def test_a_nights_features_are_duckdbs(cluster: Any, landed: Any, grocer: Any, tmp_path: Path) -> None:
    made: dict[str, dict[str, pa.Table]] = {}
    for name in ("duckdb", "spark"):
        shop = grocer.shop.model_copy(update={"engine": name})
        night = Night(shop, landed.day, tmp_path / name)
        shutil.copytree(landed.root, night.feeds)
        lines = features.build(night)
        assert type(lines.get_backend()).__name__ == ("Spark" if name == "spark" else "Backend")
        made[name] = {
            "lines": desk.read(night, desk.LINES),
            "catalogue": desk.read(night, CATALOGUE.name),
            "sequences": sequences.recent(lines, night.day, 16).to_pyarrow(),
            "pairs": in_order(baskets.pairs(lines, night.day, max_basket=40, min_together=2).to_pyarrow()),
            "visits": in_order(profiles.visits(lines, night.day).to_pyarrow()),
        }
    for table, rows in made["duckdb"].items():
        other = made["spark"][table]
        assert len(rows) > 100 or table == "visits"
        assert other.schema.equals(rows.schema), table
        for name in rows.column_names:
            assert other.column(name).to_pylist() == rows.column(name).to_pylist(), f"{table}.{name}"


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
@pytest.mark.spark
def test_rows_come_back_as_they_are(cluster: Any) -> None:
    rows = pa.table(
        {
            "count": pa.array([2**60 + 1, None, 3], pa.int64()),  # through floats the first would be another
            "at": pa.array([datetime(2020, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
            "name": pa.array(["a", None, "ü"]),
            "flag": pa.array([True, None, False]),
        }
    )
    assert cluster.to_pyarrow(ibis.memtable(rows).order_by("count")).equals(
        rows.sort_by([("count", "ascending")]).combine_chunks()
    )
    assert len(cluster._session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) == 3  # and the driver


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
@pytest.mark.spark
def test_a_whole_night_is_duckdbs(
    cluster: Any, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "5a" * 32)
    hashes = {}
    for name in ("duckdb", "spark"):
        shop = load_shop(str(corner.shop(tmp_path, tiny_bert)))
        shop = shop.model_copy(update={"engine": name, "max_users": corner.HOUSEHOLDS})
        night = Night(shop, corner.NIGHT, tmp_path / name)
        nightly.run_night(night)
        (manifest,) = snapshot.history(night.warehouse)
        hashes[name] = {table: (file.rows, file.sha256) for table, file in manifest.tables.items()}
        assert not list(night.work.glob("spread-*"))
    assert hashes["spark"] == hashes["duckdb"]
    assert hashes["spark"]["recommendations"][0] > 1000


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"engine: spark needs PySpark .*\[spark\]"):
        spark.session(1)


def test_duckdb_is_the_engine_unless_told(grocer: Any, landed: Any, tmp_path: Path) -> None:
    night = Night(grocer.shop, landed.day, tmp_path)
    assert type(desk.connect_large(night)) is type(engine.connect(1))
    other = grocer.shop.model_copy(update={"engine": "spark"})
    assert other.policy_hash == grocer.shop.policy_hash
