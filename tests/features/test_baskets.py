"""Pairs in one basket, against counting by hand."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import baskets

Row = dict[str, Any]
Pairs = dict[tuple[str, str], tuple[int, ...]]


def pairs(rows: list[Row], as_of: date, max_basket: int, min_together: int, window: int) -> Pairs:
    """together, item_baskets, other_baskets, all_baskets by pair."""
    held: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if as_of - timedelta(window) < row["ds"] <= as_of:
            held[row["basket_id"]].add(row["item_id"])
    kept = [items for items in held.values() if 2 <= len(items) <= max_basket]
    single = Counter(item for items in kept for item in items)
    both = Counter(pair for items in kept for pair in permutations(items, 2))
    return {
        (one, other): (n, single[one], single[other], len(kept))
        for (one, other), n in both.items()
        if n >= min_together
    }


def found(lines: ibis.Table, as_of: date, max_basket: int, min_together: int, window: int, parts: int = 1) -> Pairs:
    rules = {"max_basket": max_basket, "min_together": min_together, "window_days": window, "parts": parts}
    rows = baskets.pairs(lines, as_of, **rules)
    names = ["item_id", "other_id", "together", "item_baskets", "other_baskets", "all_baskets"]
    listed = [tuple(row.values()) for row in rows.select(*names).to_pyarrow().to_pylist()]
    assert len({row[:2] for row in listed}) == len(listed)
    return {row[:2]: row[2:] for row in listed}


@settings(max_examples=12)
@given(data=st.data(), max_basket=st.integers(2, 4), min_together=st.integers(1, 2), window=st.integers(1, 8))
def test_pairs_by_brute_force(
    data: st.DataObject, max_basket: int, min_together: int, window: int, toy: Any, unmoved: Callable[..., None]
) -> None:
    past = data.draw(toy.rows(9))
    rest = (toy.as_of, max_basket, min_together, window)
    assert found(toy.lines(past), *rest) == pairs(past, *rest)
    unmoved(lambda lines: found(lines, *rest), past, data)


@pytest.mark.parametrize(("max_basket", "min_together", "window"), [(40, 3, 180), (12, 2, 28)])
def test_pairs_of_the_real_slice(
    purchases: ibis.Table, purchase_rows: list[Row], max_basket: int, min_together: int, window: int
) -> None:
    rest = (date(2017, 3, 12), max_basket, min_together, window)
    expected = pairs(purchase_rows, *rest)
    assert found(purchases, *rest) == expected and len(expected) > 20
    assert found(purchases, *rest, 4) == expected
    assert all(expected[other, one][0] == numbers[0] for (one, other), numbers in expected.items())


def test_the_more_lines_the_more_parts_their_pairs_are_counted_in(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baskets, "PART", 2)
    rows = toy.basket("b", "u", toy.as_of, "abcdefgh")
    assert [baskets.parts_of(toy.lines(rows[:count])) for count in (0, 1, 2, 4, 8)] == [1, 1, 2, 4, 8]
