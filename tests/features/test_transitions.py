"""What follows what from one basket to the next, against counting by hand."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.history import Items
from pipeline.features.transitions import PRIOR, SOURCE_POWER, TARGET_POWER, WINDOW_DAYS, transitions

Row = dict[str, Any]


def space(items: str | list[str]) -> Items:
    ids, flags = pa.array(sorted(items)), np.ones(len(items), bool)
    return Items(ids, flags, flags, np.arange(len(items)))


def counted(rows: list[Row], items: list[str], as_of: date, max_basket: int) -> np.ndarray:
    """Dense normalised counts [I, I], one pair of baskets after another."""
    held: dict[str, dict[tuple[Any, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    began: dict[str, Any] = {}
    for row in rows:
        if as_of - timedelta(WINDOW_DAYS) < row["ds"] <= as_of:
            began[row["basket_id"]] = min(row["ts"], began.get(row["basket_id"], row["ts"]))
    for row in rows:
        if row["basket_id"] in began:
            held[row["user_key"]][began[row["basket_id"]], row["basket_id"]].add(row["item_id"])
    place = {item: n for n, item in enumerate(sorted(items))}
    counts, sales = np.zeros((len(items), len(items))), np.full(len(items), PRIOR)
    for baskets in held.values():
        trimmed = [[place[item] for item in sorted(baskets[key])[:max_basket]] for key in sorted(baskets)]
        for basket in trimmed:
            sales[basket] += 1
        for one, then in pairwise(trimmed):
            counts[np.ix_(one, then)] += 1
    return counts / np.outer(sales**SOURCE_POWER, sales**TARGET_POWER)


@settings(max_examples=15)
@given(data=st.data(), max_basket=st.integers(1, 4))
def test_transitions_by_brute_force(
    data: st.DataObject, max_basket: int, toy: Any, unmoved: Callable[..., None]
) -> None:
    past = data.draw(toy.rows(5)) + data.draw(toy.rows(WINDOW_DAYS + 2, WINDOW_DAYS - 2, name="old"))
    found = transitions(toy.lines(past), space(toy.items), toy.as_of, max_basket)
    np.testing.assert_allclose(found.toarray(), counted(past, list(toy.items), toy.as_of, max_basket), rtol=1e-6)
    unmoved(
        lambda lines: transitions(lines, space(toy.items), toy.as_of, max_basket).toarray().tolist(), past, data
    )  # fmt: skip


@pytest.mark.parametrize("max_basket", [3, 40])
def test_transitions_of_the_real_slice(purchases: Any, purchase_rows: list[Row], max_basket: int) -> None:
    rows = [row for row in purchase_rows if row["ds"] <= date(2017, 2, 10)]
    items = sorted({row["item_id"] for row in rows})
    found = transitions(purchases, space(items), date(2017, 2, 10), max_basket)
    expected = counted(rows, items, date(2017, 2, 10), max_basket)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)
    assert found.nnz == np.count_nonzero(expected) > 500 and found.dtype == np.float32


def test_the_last_basket_of_one_user_does_not_lead_to_another_user_s(toy: Any) -> None:
    rows = toy.basket("b1", "u", toy.as_of, "a") + toy.basket("b2", "v", toy.as_of, "b")
    assert transitions(toy.lines(rows), space("ab"), toy.as_of, 9).nnz == 0


def test_without_purchases_nothing_follows(toy: Any) -> None:
    found = transitions(toy.lines([]), space("ab"), toy.as_of, 9)
    assert found.shape == (2, 2) and found.nnz == 0
