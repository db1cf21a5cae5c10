"""Users' purchases in order: newest lines kept, baskets whole in time, no order of the source within a basket."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import ibis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import sequences

Row = dict[str, Any]


def recent(rows: list[Row], as_of: date, limit: int) -> list[tuple[str, str, str, int]]:
    """The last lines of each user by time, basket and a hash, oldest first."""
    moments: dict[tuple[str, str, str, date], list[Any]] = defaultdict(list)
    for row in rows:
        if row["ds"] <= as_of:
            moments[row["user_key"], row["item_id"], row["basket_id"], row["ds"]].append(row["ts"])
    users: dict[str, list[Any]] = defaultdict(list)
    for (user, item, basket, day), at in moments.items():
        mix = hashlib.md5((basket + item).encode()).hexdigest()
        users[user].append((min(at), basket, mix, item, (as_of - day).days))
    return [
        (user, item, basket, age)
        for user in sorted(users)
        for _, basket, _, item, age in sorted(users[user])[-limit:]
    ]  # fmt: skip


def found(lines: ibis.Table, as_of: date, limit: int) -> list[tuple[str, str, str, int]]:
    rows = sequences.recent(lines, as_of, limit).to_pyarrow()
    assert rows.column_names == ["user_key", "item_id", "basket_id", "age"]
    return [tuple(row.values()) for row in rows.to_pylist()]


@pytest.mark.parametrize(
    ("as_of", "limit"), [(date(2017, 1, 20), 5), (date(2017, 3, 12), 128), (date(2017, 3, 19), 9999)]
)
def test_the_real_slice_by_brute_force(
    purchases: ibis.Table, purchase_rows: list[Row], as_of: date, limit: int
) -> None:
    expected = recent(purchase_rows, as_of, limit)
    assert found(purchases, as_of, limit) == expected and len(expected) > 100


@settings(max_examples=12)
@given(data=st.data(), limit=st.integers(1, 8))
def test_neither_the_future_nor_the_order_of_rows_matters(
    data: st.DataObject, limit: int, toy: Any, unmoved: Callable[..., None]
) -> None:
    past = data.draw(toy.rows(5))
    assert found(toy.lines(past), toy.as_of, limit) == recent(past, toy.as_of, limit)
    unmoved(lambda lines: found(lines, toy.as_of, limit), past, data)


def test_within_a_basket_items_do_not_stand_in_the_order_of_their_ids(purchases: ibis.Table) -> None:
    rows = sequences.recent(purchases, date(2017, 3, 19), 9999).to_pyarrow().to_pylist()
    pairs = [
        one["item_id"] < other["item_id"] for one, other in pairwise(rows) if one["basket_id"] == other["basket_id"]
    ]
    assert len(pairs) > 3000 and 0.47 < np.mean(pairs) < 0.53
