"""Rows of blocks in parts that ascend, wherever the blocks' users lie; the rows themselves a whole night makes."""

from itertools import chain, pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.tables import CART_RECOMMENDATIONS, RECOMMENDATIONS
from pipeline.stages.balance_rows import ascending

KEYS = st.sets(st.integers(0, 60), max_size=40)


def made(users: list[int]) -> tuple[str, dict[str, pa.Table]]:
    """A block's rows: three of each user's lists, and of every other user's basket one."""
    keys = [f"{user:04}" for user in users]
    lists, carts = sorted(keys * 3, key=lambda key: key[::-1]), keys[::2]
    return keys[0], {
        RECOMMENDATIONS.name: pa.table({"user_key": pa.array(lists, pa.string())}),
        CART_RECOMMENDATIONS.name: pa.table({"context_id": pa.array(carts, pa.string())}),
    }


@given(KEYS, KEYS, st.integers(1, 9), st.integers(1, 9))
def test_every_row_comes_once_in_parts_that_ascend(some, others, size, other_size):
    others -= some
    blocks = [sorted(some)[at : at + size] for at in range(0, len(some), size)]
    blocks += [sorted(others)[at : at + other_size] for at in range(0, len(others), other_size)]
    given_rows = [made(block) for block in sorted(blocks)]
    parts = list(ascending(given_rows))
    for name, column in ((RECOMMENDATIONS.name, "user_key"), (CART_RECOMMENDATIONS.name, "context_id")):
        keys = [part[name].column(column).to_pylist() for part in parts if name in part]
        given_keys = [rows[name].column(column).to_pylist() for _first, rows in given_rows]
        assert sorted(chain(*keys)) == sorted(chain(*given_keys))
        full = [part for part in keys if part]
        assert all(max(one) < min(next_one) for one, next_one in pairwise(full))
