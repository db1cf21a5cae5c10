"""Looking a block of users up among all of them, both ascending, without passing over all of them.

Stages work through users block by block; what each block has to look at must not grow with the shop.
"""

from bisect import bisect_left, bisect_right

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def span(users: pa.Array, keys: pa.ChunkedArray) -> tuple[int, int]:
    """From where to where the keys lie between the first and the last of some users; keys may come several times."""
    if not len(users):
        return 0, 0
    places = range(len(keys))
    first = bisect_left(places, users[0].as_py(), key=lambda at: keys[at].as_py())
    return first, bisect_right(places, users[-1].as_py(), first, key=lambda at: keys[at].as_py())


def places(users: pa.Array, keys: pa.ChunkedArray) -> np.ndarray:
    """Where each user stands among the keys, each of which comes once: int64 [B], -1 where nowhere."""
    first, end = span(users, keys)
    found = np.asarray(pc.fill_null(pc.index_in(users, keys[first:end]), -1)).astype(np.int64)
    return np.where(found >= 0, found + first, -1)


def rows_of(users: pa.Array, rows: pa.Table, column: str) -> pa.Table:
    """Rows from the first to the last of some users, of a table that is sorted by a column of keys."""
    first, end = span(users, rows.column(column))
    return rows.slice(first, end - first)
