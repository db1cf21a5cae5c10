"""The timeline is every line of a basket once, in the order of `sequences.recent`, and comes back from its tables."""

from datetime import date
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.contracts.features import SEQUENCES
from pipeline.features import sequences
from pipeline.features.timeline import Timeline

AS_OF, ALL = date(2017, 3, 12), 10**6


def test_lines_are_all_of_a_user_s_recent_ones(purchases: ibis.Table) -> None:
    items = pc.unique(purchases.to_pyarrow().column("item_id")).sort()
    found = Timeline.of(purchases, items, AS_OF)
    rows = sequences.recent(purchases, AS_OF, ALL).to_pyarrow()
    assert found.users.take(found.user).to_pylist() == rows.column("user_key").to_pylist() and len(rows) > 1000
    assert items.take(found.item).to_pylist() == rows.column("item_id").to_pylist()
    age = (np.datetime64(AS_OF) - found.day).astype(int)
    assert age.tolist() == rows.column("age").to_pylist()
    baskets = rows.column("basket_id").to_pylist()
    assert len({*zip(found.basket.tolist(), baskets, strict=True)}) == len(set(baskets)) == len(set(found.basket))


@pytest.mark.parametrize("limit", [1, 16, ALL])
def test_sequences_are_each_user_s_last_lines(purchases: ibis.Table, limit: int) -> None:
    items = pc.unique(purchases.to_pyarrow().column("item_id")).sort()
    found = SEQUENCES.enforce(Timeline.of(purchases, items, AS_OF).sequences(items, AS_OF, limit))
    rows = sequences.recent(purchases, AS_OF, limit).to_pyarrow().to_pylist()
    told = [
        (row["user_key"], *line)
        for row in found.to_pylist()
        for line in zip(row["sequence"], row["sequence_days"], strict=True)
    ]
    assert told == [(row["user_key"], row["item_id"], row["age"]) for row in rows] and len(told) >= len(found) > 50


def test_it_comes_back_from_its_tables(purchases: ibis.Table) -> None:
    items = pc.unique(purchases.to_pyarrow().column("item_id")).sort()
    left = Timeline.of(purchases, items, AS_OF)
    back = Timeline.from_tables(*left.tables())
    assert back.users.equals(left.users)
    for name in ("user", "item", "basket", "day"):
        one, other = getattr(back, name), getattr(left, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_of_nothing_there_is_nothing(toy: Any) -> None:
    none = Timeline.of(toy.lines([]), pc.unique(["a"]), toy.as_of)
    assert len(SEQUENCES.enforce(none.sequences(pa.array(["a"]), toy.as_of, 3))) == 0
    assert len(none.users) == len(none.user) == len(none.item) == len(none.basket) == len(none.day) == 0
