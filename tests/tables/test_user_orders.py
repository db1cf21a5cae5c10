"""Each user's last orders, by brute force."""

from datetime import UTC, date, datetime, timedelta

import ibis
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contracts import columns as c
from pipeline.contracts.tables import USER_ORDERS
from pipeline.tables import user_orders

NOON = datetime(2017, 3, 1, 12, tzinfo=UTC)
SCHEMA = pa.schema(
    [(one.name, one.type) for one in (c.user_key, c.item_id, c.basket_id, c.ds, c.ts, c.quantity, c.amount_cents)]
)
LINES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from("xyz"), st.integers(1, 3), st.integers(0, 500)),
    min_size=1,
    max_size=15,
)


def made(lines, most):
    rows = [
        {"user_key": user, "item_id": item, "basket_id": f"{user}{basket}", "ds": date(2017, 3, 1) + timedelta(basket),
         "ts": NOON + timedelta(basket), "quantity": pieces, "amount_cents": paid}
        for user, basket, item, pieces, paid in lines
    ]  # fmt: skip
    lines = ibis.memtable(pa.Table.from_pylist(rows, SCHEMA))
    return USER_ORDERS.enforce(user_orders.rows(lines, most)).to_pylist()


@settings(max_examples=15)
@given(LINES, st.integers(1, 3))
def test_orders_are_those_of_a_plain_count(lines, most):
    found = made(lines, most)
    for user in "ab":
        mine = sorted({basket for one, basket, *_ in lines if one == user}, reverse=True)[:most]
        told = [row for row in found if row["user_key"] == user]
        assert [row["order_id"] for row in told] == [f"{user}{basket}" for basket in mine]
        assert [row["order_rank"] for row in told] == list(range(1, len(mine) + 1))
        for row, basket in zip(told, mine, strict=True):
            held = [(item, pieces, paid) for one, at, item, pieces, paid in lines if (one, at) == (user, basket)]
            goods = sorted({item for item, _, _ in held})
            assert row["order_lines"] == [
                {"item_id": item, "quantity": sum(n for i, n, _ in held if i == item),
                 "amount_cents": sum(p for i, _, p in held if i == item)}
                for item in goods
            ]  # fmt: skip
            assert row["order_cents"] == sum(paid for _, _, paid in held)
            assert row["ordered_on"] == date(2017, 3, 1) + timedelta(basket)


def test_without_prices_nothing_is_said_to_be_paid():
    (row,) = made([("a", 0, "x", 1, None)], 5)
    assert row["order_cents"] is None
    assert row["order_lines"] == [{"item_id": "x", "quantity": 1, "amount_cents": None}]


def test_no_purchases_are_no_orders():
    lines = ibis.memtable(SCHEMA.empty_table())
    assert len(USER_ORDERS.enforce(user_orders.rows(lines, 3))) == 0
