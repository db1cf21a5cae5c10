"""What readers have had since last night, as arrays beside tonight's catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.contracts.table import Table
from pipeline.contracts.tables import CART_RECOMMENDATIONS, EXPERIENCE, RECOMMENDATIONS
from pipeline.tables.experience import carried
from pipeline.warehouse.snapshot import Snapshot

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
                named = pc.unique(pq.read_table(path, columns=["item_id"], partitioning=None).column("item_id"))
                gone |= set(named.filter(pc.invert(pc.is_in(named, self.catalogue))).to_pylist())
        return pa.concat_arrays([self.catalogue, pa.array(sorted(gone), pa.string())])

    def shown(self, users: pa.Array, sizes: Mapping[str, int]) -> dict[str, Shown]:
        """Every surface's lists of some users (ascending keys), cut to the surface's size."""
        rows = self._lists(users)
        for name, known in (("user_key", users), ("item_id", self.ids)) if rows.num_columns else ():
            place = pc.index_in(rows.column(name), known)
            rows = rows.set_column(rows.column_names.index(name), name, place)
        last = self._rows(EXPERIENCE, ("user_key", "surface", "voluntary_by_night", "unchanged_nights"), users)
        return {
            surface: self._shown(surface, size, users, rows, last if last.num_columns else None)
            for surface, size in sizes.items()
        }

    def _lists(self, users: pa.Array) -> pa.Table:
        """user_key, surface, rank, item_id, kept_since; of a cart the basket's rows."""
        columns = ("rank", "item_id", "kept_since")
        lists = self._rows(RECOMMENDATIONS, ("user_key", "surface", *columns, "is_fallback"), users)
        carts = self._rows(CART_RECOMMENDATIONS, ("context_id", "context", *columns), users)
        if not (lists.num_columns and carts.num_columns):
            return lists
        carts = carts.filter(pc.field("context") == "basket").rename_columns({"context_id": "user_key"})
        here = pa.array([CART] * len(carts), pa.string()), pa.array([False] * len(carts), pa.bool_())
        carts = carts.append_column("surface", here[0]).append_column("is_fallback", here[1])
        return pa.concat_tables([lists, carts.select(lists.column_names).cast(lists.schema)])

    def _shown(self, surface: str, size: int, users: pa.Array, rows: pa.Table, last: pa.Table | None) -> Shown:
        items = np.full((len(users), size), -1, np.int64)
        since = np.zeros(items.shape, "datetime64[D]")
        common = np.zeros(len(users), bool)
        if rows.num_columns:
            rows = rows.filter((pc.field("surface") == surface) & (pc.field("rank") <= size))
            user, place = rows.column("user_key").to_numpy(), rows.column("rank").to_numpy() - 1
            items[user, place] = rows.column("item_id").to_numpy()
            since[user, place] = rows.column("kept_since").to_numpy().astype("datetime64[D]")
            common[user] = rows.column("is_fallback").to_numpy()
        return Shown(items, since, *carried(last, surface, users), common)

    def _rows(self, table: Table, columns: tuple[str, ...], users: pa.Array) -> pa.Table:
        """Rows of some users; tables are sorted by them, so few row groups are touched. No columns: there are none."""
        path = self._path(table)
        if not path or not len(users):
            return pa.table({})
        there = pq.read_schema(path).names
        low, high = users[0].as_py(), users[-1].as_py()
        inside = (pc.field(columns[0]) >= low) & (pc.field(columns[0]) <= high)
        rows = pq.read_table(path, columns=[c for c in columns if c in there], filters=inside, partitioning=None)
        rows = rows.filter(pc.is_in(rows.column(columns[0]), users))
        if "kept_since" in columns and "kept_since" not in there:  # a snapshot of old, which says its own day
            rows = rows.append_column("kept_since", pa.array([self.day] * len(rows), pa.date32()))
        return rows

    def _path(self, table: Table) -> Path | None:
        there = self.parent is not None and table.name in self.parent.manifest.tables
        return self.parent.path(table.name) if self.parent and there else None
