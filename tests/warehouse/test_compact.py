"""Compact columns hold what the table holds."""

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.dataset import dataset

from pipeline.errors import NoData
from pipeline.warehouse.compact import compact, opened
from pipeline.warehouse.staging import Staging
from tests.warehouse.conftest import PRICES

ROWS = st.lists(st.tuples(st.none() | st.sampled_from(["", "a", "b", "żółć"]), st.none() | st.integers(0, 3)))
SCHEMA = pa.schema([("word", pa.string()), ("number", pa.int64()), ("list", pa.list_(pa.string()))])


@given(ROWS, st.integers(1, 5))
def test_they_say_what_the_rows_say(rows: list[tuple[str | None, int | None]], size: int) -> None:
    table = pa.table([[a for a, _ in rows], [b for _, b in rows], [[a] for a, _ in rows]], schema=SCHEMA)
    chunked = pa.Table.from_batches(table.to_batches(max_chunksize=size), SCHEMA)
    found = compact(dataset(chunked), ["list", "word"])
    assert found.column_names == ["list", "word"]
    assert found.cast(pa.schema([SCHEMA.field(name) for name in found.column_names])).equals(table.select([2, 0]))
    dictionaries = (chunk.dictionary for chunk in found.column("word").chunks if pa.types.is_dictionary(chunk.type))
    assert len({str(one.to_pylist()) for one in dictionaries}) <= 1


def test_a_file_is_read_column_by_column(tmp_path) -> None:
    words = pa.table({"word": ["a", "b"] * 50_000, "other": [f"{n:032x}" for n in range(100_000)]})
    pq.write_table(words, tmp_path / "words.parquet", row_group_size=7_000)
    found = compact(dataset(tmp_path / "words.parquet"), ["word"])
    assert found.column(0).cast(pa.string()).equals(words.column("word")) and found.nbytes < 600_000


def test_words_that_do_not_come_again_stay_as_they_are() -> None:
    rows = pa.table({"key": [f"{n:08}" for n in range(100)], "kind": ["view", "click"] * 50})
    found = compact(dataset(rows), ["kind", "key"])
    assert pa.types.is_string(found.schema.field("key").type)
    assert pa.types.is_dictionary(found.schema.field("kind").type)


def test_a_staged_table_is_opened_unread_and_one_that_is_not_there_says_so(tmp_path) -> None:
    staging = Staging.open(tmp_path, date(2017, 6, 1), "night")
    with pytest.raises(NoData, match="no table prices"):
        opened(staging, "prices")
    staging.write(PRICES, pa.table({"item": ["b", "a", "c"], "price": [1.0, 2.0, 3.0]}))
    found = opened(staging, "prices").to_table(["item"], filter=pc.field("price") > 1)
    assert found.column("item").to_pylist() == ["a", "c"]
