"""The relational steps: every way has the same answer, and ours ends in little memory by spilling."""

from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks import relational
from benchmarks.relational import OURS, WAYS, WITHOUT, digest, files_of
from benchmarks.shop_at_scale import Size
from pipeline import engine

SIZE = Size(150_000, 1_500, 5_000, 14)
LITTLE = {"dedup": 32 / 1024, "co-visitation": 56 / 1024}  # GiB
HERE = [way for way in WAYS if way != "ours on Spark" and (way != "Polars" or find_spec("polars"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("relational")
    relational.lay_out(made, SIZE)
    return made


@pytest.mark.parametrize("step", OURS)
def test_every_way_has_the_same_answer(folder: Path, step: str) -> None:
    answers = {way: digest(WAYS[way](step, files_of(folder, step))) for way in HERE if (step, way) not in WITHOUT}
    assert len(set(answers.values())) == 1, answers
    assert answers["ours"][0] > 100


def test_an_answer_is_told_from_another() -> None:
    rows = pa.table({"user": ["a", "b"], "n": pa.array([1, 2], pa.int32())})
    assert digest(rows) == digest(rows.take([1, 0]).cast(pa.schema({"user": pa.large_string(), "n": pa.int64()})))
    assert digest(rows) != digest(rows.set_column(1, "n", pa.array([2, 1])))


@pytest.mark.parametrize("step", LITTLE)
def test_a_step_spills_and_ends_in_little_memory(folder: Path, tmp_path: Path, step: str) -> None:
    files = files_of(folder, step)

    def computed(disk: str) -> pa.Table:
        connection = engine.connect(1, LITTLE[step])
        connection.raw_sql(f"SET temp_directory = '{tmp_path}'")
        connection.raw_sql(f"SET max_temp_directory_size = '{disk}'")
        with engine.machine_errors():
            return OURS[step](connection.read_parquet(files, hive_partitioning=False)).to_pyarrow()

    with pytest.raises((MemoryError, OSError)):
        computed("0KiB")
    assert digest(computed("1GiB")) == digest(relational.ours(step, files))
