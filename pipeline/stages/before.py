"""What readers have had since last night, as arrays beside tonight's catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.contracts.table import Table
from pipeline.contracts.tables import CART_RECOMMENDATIONS, EXPERIENCE, RECOMMENDATIONS
from pipeline.tables.experience import carried
from pipeline.warehouse.snapshot import Snapshot

LISTED, TOLD = ("rank", "item_id", "kept_since"), ("rank", "score", "reason")
CART = "cart"  # the surface whose lists stand in a table of their own


@dataclass(frozen=True)
class Shown:
    """One surface's lists of last night, and how they came about.

    Attributes:
        items: int [B, K] places in `Before.ids`, -1 behind the end of a list.
        since: datetime64[D] [B, K] when each item entered its list.
        spent: int [B, 6] voluntary replacements of the six nights before tonight, oldest first.
        unchanged: int [B] nights in a row that left the list as it was.
        common: bool [B] the list was made of what is popular.
    """

    items: np.ndarray
    since: np.ndarray
    spent: np.ndarray
    unchanged: np.ndarray
    common: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Who had a list: bool [B]."""
        return np.asarray((self.items >= 0).any(axis=1))

    def forgotten(self, users: np.ndarray) -> "Shown":
        """As if some users (bool [B]) had had no list."""
        stays = ~users
        return replace(
            self,
            items=np.where(stays[:, None], self.items, -1),
            spent=self.spent * stays[:, None],
            unchanged=self.unchanged * stays,
        )


@dataclass(frozen=True)
class Told:
    """What one surface's lists of last night say of their places, B users and K places.

    Attributes:
        scores: float64 [B, K], nan behind the end of a list.
        reasons: object [B, K], empty there.
    """

    scores: np.ndarray
    reasons: np.ndarray


@dataclass(frozen=True)
class Before:
    """The snapshot that a night follows, if there is one.

    Attributes:
        parent: that snapshot.
        catalogue: item ids of tonight, ascending.
    """

    parent: Snapshot | None
    catalogue: pa.Array

    @property
    def day(self) -> date | None:
        """Its business day."""
        return self.parent.manifest.day if self.parent else None

    @cached_property
    def ids(self) -> pa.Array:
        """Tonight's catalogue, then what stood in a list and has left the catalogue."""
        gone: set[str] = set()
        for table in (RECOMMENDATIONS, CART_RECOMMENDATIONS):
            if path := self._path(table):
                with pq.ParquetFile(path) as file:
                    for rows in file.iter_batches(columns=["item_id"]):
                        named = pc.unique(rows.column("item_id"))
                        gone.update(named.filter(pc.invert(pc.is_in(named, self.catalogue))).to_pylist())
        return pa.concat_arrays([self.catalogue, pa.array(sorted(gone), pa.string())])

    def shown(self, users: pa.Array, sizes: Mapping[str, int]) -> dict[str, Shown]:
        """Every surface's lists of some users (ascending keys), cut to the surface's size."""
        rows = self._both(self._listed, self._carts, users)
        if rows.num_columns:
            rows = _numbered(_numbered(rows, "user_key", users), "item_id", self.ids)
        last = self._measured.of(users) if self._measured else None
        return {surface: self._shown(surface, size, users, rows, last) for surface, size in sizes.items()}

    def told(self, users: pa.Array, sizes: Mapping[str, int]) -> dict[str, Told]:
        """What the same lists say of their places, after a night that left any."""
        rows = _numbered(self._both(self._scored, self._scored_carts, users), "user_key", users)
        return {surface: self._said(surface, size, users, rows) for surface, size in sizes.items()}

    def _both(self, listed: "_ByUser | None", carts_: "_ByUser | None", users: pa.Array) -> pa.Table:
        """user_key, surface and what else is read of lists; of a cart the basket's rows."""
        lists = self._since(listed.of(users)) if listed else pa.table({})
        if not (listed and carts_):
            return lists
        carts = (
            self._since(carts_.of(users))
            .filter(pc.field("context") == "basket")
            .rename_columns({"context_id": "user_key"})
        )
        here = pa.array([CART] * len(carts), pa.string()), pa.array([False] * len(carts), pa.bool_())
        carts = carts.append_column("surface", here[0]).append_column("is_fallback", here[1])
        return pa.concat_tables([lists, carts.select(lists.column_names).cast(lists.schema)])

    def _shown(self, surface: str, size: int, users: pa.Array, rows: pa.Table, last: pa.Table | None) -> Shown:
        items = np.full((len(users), size), -1, np.int64)
        since = np.zeros(items.shape, "datetime64[D]")
        common = np.zeros(len(users), bool)
        if rows.num_columns:
            rows, at = _on(rows, surface, size)
            items[at] = rows.column("item_id").to_numpy()
            since[at] = rows.column("kept_since").to_numpy().astype("datetime64[D]")
            common[at[0]] = rows.column("is_fallback").to_numpy()
        return Shown(items, since, *carried(last, surface, users), common)

    @staticmethod
    def _said(surface: str, size: int, users: pa.Array, rows: pa.Table) -> Told:
        scores, reasons = np.full((len(users), size), np.nan), np.full((len(users), size), "", dtype=object)
        rows, at = _on(rows, surface, size)
        scores[at], reasons[at] = (rows.column(name).to_numpy() for name in ("score", "reason"))
        return Told(scores, reasons)

    def _since(self, lists: pa.Table) -> pa.Table:
        """With the night of entry; a snapshot of old knows none and says its own day."""
        known = "kept_since" in lists.column_names
        return lists if known else lists.append_column("kept_since", pa.array([self.day] * len(lists), pa.date32()))

    @cached_property
    def _listed(self) -> "_ByUser | None":
        return self._open(RECOMMENDATIONS, "user_key", "surface", *LISTED, "is_fallback")

    @cached_property
    def _carts(self) -> "_ByUser | None":
        return self._open(CART_RECOMMENDATIONS, "context_id", "context", *LISTED)

    @cached_property
    def _scored(self) -> "_ByUser | None":
        return self._open(RECOMMENDATIONS, "user_key", "surface", *TOLD, "is_fallback")

    @cached_property
    def _scored_carts(self) -> "_ByUser | None":
        return self._open(CART_RECOMMENDATIONS, "context_id", "context", *TOLD)

    @cached_property
    def _measured(self) -> "_ByUser | None":
        return self._open(EXPERIENCE, "user_key", "surface", "voluntary_by_night", "unchanged_nights")

    def _open(self, table: Table, *columns: str) -> "_ByUser | None":
        path = self._path(table)
        return _ByUser(path, columns) if path else None

    def _path(self, table: Table) -> Path | None:
        there = self.parent is not None and table.name in self.parent.manifest.tables
        return self.parent.path(table.name) if self.parent and there else None


def _numbered(rows: pa.Table, name: str, known: pa.Array) -> pa.Table:
    """With a column's places among known values instead of the values."""
    return rows.set_column(rows.column_names.index(name), name, pc.index_in(rows.column(name), known))


def _on(rows: pa.Table, surface: str, size: int) -> tuple[pa.Table, tuple[np.ndarray, np.ndarray]]:
    """Rows of one surface, and which user and place each is of."""
    rows = rows.filter((pc.field("surface") == surface) & (pc.field("rank") <= size))
    return rows, (rows.column("user_key").to_numpy(), rows.column("rank").to_numpy() - 1)


class _ByUser:
    """Some columns of a table that is sorted by users: few of its row groups have rows of a block of them.

    Those last read are kept, as users come in ascending blocks. Staging notes from which to which key each goes.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Read where users are.

        Args:
            path: of the table.
            columns: those read if they are there, users' keys first.
        """
        with pq.ParquetFile(path) as file:
            groups, at = file.metadata, file.schema_arrow.get_field_index(columns[0])
            self._columns = [name for name in columns if name in file.schema_arrow.names]
            self._none = file.schema_arrow.empty_table().select(self._columns)
            keys = [groups.row_group(number).column(at).statistics for number in range(groups.num_row_groups)]
        self._spans = [(one.min, one.max) for one in keys if one and one.has_min_max]
        self._path, self._key, self._read = path, columns[0], lru_cache(2)(self._group)

    def of(self, users: pa.Array) -> pa.Table:
        """Rows of some users (ascending keys)."""
        if not len(users):
            return self._none
        low, high = users[0].as_py(), users[-1].as_py()
        near = (number for number, (least, most) in enumerate(self._spans) if least <= high and low <= most)
        found = (rows.filter(pc.is_in(rows.column(self._key), users)) for rows in map(self._read, near))
        return pa.concat_tables([self._none, *found])

    def _group(self, number: int) -> pa.Table:
        with pq.ParquetFile(self._path) as file:
            return file.read_row_group(number, self._columns)
