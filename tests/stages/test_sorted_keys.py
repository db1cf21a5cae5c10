"""Blocks looked up among all users against looking at all of them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages import sorted_keys

KEYS = st.sets(st.text("abc", max_size=3), max_size=12).map(sorted)


def array(keys: list[str]) -> pa.Array:
    return pa.array(keys, pa.string())


@given(KEYS, KEYS)
def test_places_are_those_among_all(users: list[str], keys: list[str]) -> None:
    found = sorted_keys.places(array(users), array(keys))
    assert found.dtype == np.int64
    assert found.tolist() == [keys.index(one) if one in keys else -1 for one in users]


@given(KEYS, st.lists(st.text("abc", max_size=3), max_size=20).map(sorted), st.integers(0, 20))
def test_rows_are_all_that_are_about_them_and_none_beyond(users: list[str], keys: list[str], cut: int) -> None:
    column = pa.chunked_array([array(keys[:cut]), array(keys[cut:])])
    rows = pa.table({"user_key": column, "place": np.arange(len(keys))})
    found = sorted_keys.rows_of(array(users), rows, "user_key")
    about = found.filter(pc.is_in(found.column("user_key"), array(users)))
    assert about.column("place").to_pylist() == [at for at, key in enumerate(keys) if key in users]
    between = [at for at, key in enumerate(keys) if users and users[0] <= key <= users[-1]]
    assert found.column("place").to_pylist() == between
