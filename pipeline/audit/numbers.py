"""Users and items by number while a night is recounted: their keys would take ten times the room, and the time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

USER, CONTEXT, ITEM = "user_key", "context_id", "item_id"  # the context of a basket is a user


@dataclass(frozen=True)
class Numbers:
    """What numbers stand for.

    Attributes:
        users, items: keys, ascending; a key's number is its place.
    """

    users: pa.Array
    items: pa.Array

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> "Numbers":
        """Of all users and items that tables name."""
        tables = list(tables)
        return cls(_distinct(tables, (USER, CONTEXT)), _distinct(tables, (ITEM,)))

    def tables(self, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """The same tables by numbers."""
        return {name: self.table(rows) for name, rows in tables.items()}

    def table(self, rows: pa.Table) -> pa.Table:
        """The same rows by numbers."""
        for name, keys in ((USER, self.users), (CONTEXT, self.users), (ITEM, self.items)):
            if name in rows.column_names:
                rows = rows.set_column(rows.column_names.index(name), name, _places(rows.column(name), keys))
        return rows

    def of_users(self, keys: pa.Array) -> list[int]:
        """Numbers of users; those that stand in no table are left out."""
        return _numbers(keys, self.users)

    def of_items(self, keys: pa.Array) -> list[int]:
        """Numbers of items; those that stand in no table are left out."""
        return _numbers(keys, self.items)


def _places(values: pa.ChunkedArray, known: pa.Array) -> pa.ChunkedArray:
    """Where each value stands among the known ones; of words that are kept once each is looked up once."""
    if not pa.types.is_dictionary(values.type):
        return pc.index_in(values, known)
    chunks = [pc.index_in(one.dictionary, known).take(one.indices) for one in values.chunks]
    return pa.chunked_array(chunks, pa.int32())


def _numbers(keys: pa.Array, known: pa.Array) -> list[int]:
    found: list[int] = pc.index_in(keys, known).drop_null().to_pylist()
    return found


def _distinct(tables: Iterable[pa.Table], names: Iterable[str]) -> pa.Array:
    """All that columns of these names hold, ascending."""
    known = [pc.unique(table.column(name)) for table in tables for name in names if name in table.column_names]
    return pc.unique(pa.concat_arrays([pa.array([], pa.string()), *known]).drop_null()).sort()
