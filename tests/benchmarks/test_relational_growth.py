"""How steps grow: what is timed is the step, whose rows are told from others'."""

import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import relational, relational_growth
from benchmarks.relational import OURS, files_of
from benchmarks.shop_at_scale import Size

SIZE = Size(50_000, 500, 2_000, 14)


def _put(rows: pa.Table, folder: Path) -> tuple[int, int]:
    folder.mkdir()
    pq.write_table(rows, folder / "rows.parquet")
    return relational_growth.digest(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("growth") / "shop"
    relational.lay_out(made, SIZE)
    return made


@pytest.mark.parametrize("step", OURS)
def test_what_is_written_is_the_step(folder: Path, tmp_path: Path, step: str) -> None:
    files = files_of(folder, step)
    (tmp_path / "written").mkdir()
    relational_growth.on_duckdb(step, files)(tmp_path / "written")
    found = relational_growth.digest(tmp_path / "written")
    assert found == _put(relational.ours(step, files), tmp_path / "fetched")
    assert found[0] > 100


def test_of_a_step_that_fails_that_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: dict[str, float] = {}
    monkeypatch.setattr(relational_growth, "laid_out", lambda events: folder)
    monkeypatch.setattr(relational_growth, "note_figures", lambda name, told, *_, **__: noted.update(told))
    monkeypatch.setattr(relational_growth, "alone", failing)
    relational_growth.measure(10**12, ["dedup"])
    assert noted == {"relational_growth/events": 10**12, "relational_growth/dedup/DuckDB/failed": 1}


def failing(*_: object) -> dict[str, float]:
    raise subprocess.CalledProcessError(1, "a step")


def test_rows_are_told_from_others(tmp_path: Path) -> None:
    rows = pa.table({"user": ["a", "b", None], "n": pa.array([1, 2, 3], pa.int32())})
    same = rows.take([2, 1, 0]).cast(pa.schema({"user": pa.large_string(), "n": pa.int64()}))
    assert _put(rows, tmp_path / "one") == _put(same, tmp_path / "two")
    assert _put(rows, tmp_path / "three") != _put(rows.set_column(1, "n", pa.array([2, 1, 3])), tmp_path / "four")
