"""Spans of users hold every row once."""

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.dataset import dataset

from pipeline.stages.spans import Span

USERS = [f"{n:02d}" for n in range(20)]


@given(st.lists(st.sampled_from([*USERS, "", "055", "zz"])), st.integers(1, 25))
def test_spans_hold_every_row_once(keys: list[str], size: int) -> None:
    spans = Span.all_of(pa.array(USERS), size)
    table = dataset(pa.table({"user_key": pa.array(keys, pa.string()), "rank": pa.array(range(len(keys)), pa.int64())}))
    found = [span.rows(table, ["user_key", "rank", "unknown"]) for span in spans]
    assert sorted(rank for rows in found for rank in rows.column("rank").to_pylist()) == list(range(len(keys)))
    held = [set(rows.column("user_key").to_pylist()) for rows in found]
    assert sum(map(len, held)) == len(set(keys)) and all(len(one & set(USERS)) <= size for one in held)


@pytest.mark.parametrize("size", [1, 100])
def test_of_carts_baskets_are_users(size: int) -> None:
    carts = pa.table({"context": ["item", "basket", "basket"], "context_id": ["00", "00", "07"], "rank": [1, 2, 3]})
    spans = Span.all_of(pa.array(USERS), size)
    found = [span.rows(dataset(carts), ["context", "context_id", "rank"]) for span in spans]
    assert pa.concat_tables(found).column("rank").to_pylist() == [2, 3]


def test_lines_are_those_of_their_users() -> None:
    lines = ibis.memtable(pa.table({"user_key": ["05", "00", "", "19", "zz", "05"], "line": range(6)}))
    found = [span.lines(lines).to_pyarrow().column("line").to_pylist() for span in Span.all_of(pa.array(USERS), 5)]
    assert [sorted(one) for one in found] == [[1, 2], [0, 5], [], [3, 4]]
