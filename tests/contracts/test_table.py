"""The check at the writer: what it refuses, what it orders, and when a fingerprint changes."""

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.table import Column, Drift, Privacy, Table
from pipeline.errors import DataError

SHOP, ITEM = Column("shop", pa.string(), "Shop."), Column("item", pa.int64(), "Item.")
PRICE = Column("price", pa.float64(), "Price.", Privacy.PERSONAL, "cents")
NOTE = Column("note", pa.string(), "Note.")
PRICES = Table(
    "prices", "one item", "Prices.", (SHOP, ITEM, PRICE, NOTE), ("shop", "item"), ("shop", "item"), "owner", ("price",)
)


def rows(**changed: list) -> pa.Table:
    """Two valid rows out of order, with columns replaced (None drops one)."""
    columns = {"note": ["x", None], "price": [2.0, 1.0], "shop": ["b", "a"], "item": [1, 1], **changed}
    return pa.table({name: values for name, values in columns.items() if values is not None})


def test_enforce_casts_orders_columns_and_sorts_rows():
    clean = PRICES.enforce(rows(item=pa.array([1, 1], pa.int32())))
    assert clean.schema == PRICES.schema
    assert clean.to_pylist() == [
        {"shop": "a", "item": 1, "price": 1.0, "note": None},
        {"shop": "b", "item": 1, "price": 2.0, "note": "x"},
    ]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"price": None}, "column price is missing"),
        ({"colour": ["red", "blue"]}, "column colour is not in the contract"),
        ({"item": ["one", "two"]}, "contract's types"),
        ({"item": [1.5, 2.0]}, "contract's types"),
        ({"item": [[1], [2]]}, "contract's types"),
        ({"item": [1, None]}, "1 rows have no item"),
        ({"price": [None, None]}, "2 rows have no price"),
        ({"shop": ["a", "a"]}, "key (shop, item) is not unique"),
    ],
)
def test_enforce_rejects(changed, says):
    with pytest.raises(DataError) as caught:
        PRICES.enforce(rows(**changed))
    assert says in str(caught.value)
    assert "prices" in str(caught.value)


def test_enforce_accepts_an_empty_table():
    assert PRICES.enforce(rows().slice(0, 0)).schema == PRICES.schema


PRICE_ROWS = st.lists(
    st.tuples(st.text(max_size=3), st.integers(-5, 5), st.floats(allow_nan=False), st.none() | st.text(max_size=3)),
    max_size=12,
    unique_by=lambda row: row[:2],
)


def as_rows(values: list[tuple]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(PRICES.names, value, strict=True)) for value in values], PRICES.schema)


@given(PRICE_ROWS)
def test_enforce_is_idempotent(values):
    once = PRICES.enforce(as_rows(values))
    assert PRICES.enforce(once).equals(once, check_metadata=True)


@given(PRICE_ROWS, st.randoms(use_true_random=False))
def test_enforce_does_not_see_the_order_rows_come_in(values, random):
    shuffled = random.sample(values, len(values))
    assert PRICES.enforce(as_rows(shuffled)).equals(PRICES.enforce(as_rows(values)))


@given(PRICE_ROWS)
def test_enforce_sorts_totally(values):
    keys = [(row["shop"].encode(), row["item"]) for row in PRICES.enforce(as_rows(values)).to_pylist()]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": (SHOP, ITEM, PRICE)},
        {"columns": (SHOP, ITEM, NOTE, PRICE)},
        {"columns": (SHOP, ITEM, replace(PRICE, type=pa.float32()), NOTE)},
        {"columns": (SHOP, ITEM, PRICE, replace(NOTE, name="remark"))},
        {"required": ()},
        {"key": ("item", "shop")},
        {"order": ("item", "shop")},
    ],
)
def test_fingerprint_changes_when_a_reader_could_notice(change):
    assert replace(PRICES, **change).fingerprint != PRICES.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "else"},
        {"sentence": "Else."},
        {"columns": (SHOP, ITEM, replace(PRICE, sentence="Else.", unit=""), NOTE)},
    ],
)
def test_fingerprint_stays_when_only_words_change(change):
    assert replace(PRICES, **change).fingerprint == PRICES.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"key": ("shop", "size")},
        {"order": ("shop",)},
        {"required": ("size",)},
        {"columns": (SHOP, ITEM, PRICE, PRICE, NOTE)},
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(change):
    with pytest.raises(ValueError, match="contract prices"):
        replace(PRICES, **change)


def test_page_shows_every_column_with_unit_and_null():
    page = replace(PRICES, drift=Drift.EVOLVE).page()
    assert "| price | double | no | personal | Price. (cents) |" in page
    assert "| note | string | yes | public | Note. |" in page
    assert "Schema drift: evolve." in page
