"""Every purchase once, in order, users and items by number: what all histories of a night are cut from.

A night asks what was known of all users as of a dozen days. Each answer is made of the same lines in the same order, so
they are put in order once. Not here: what is made of them (`history`).
"""

from dataclasses import dataclass
from datetime import date

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.features import sequences
from pipeline.features.split import known_by

_NONE = np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, bool), np.zeros(0, "datetime64[D]")


@dataclass(frozen=True)
class Timeline:
    """Basket lines, user after user, each oldest first.

    Attributes:
        users: user keys, ascending [U].
        user: int32 [N] place among the users.
        item: int32 [N] place in the catalogue.
        basket: int32 [N] another number at each new basket.
        day: datetime64[D] [N].
    """

    users: pa.Array
    user: np.ndarray
    item: np.ndarray
    basket: np.ndarray
    day: np.ndarray

    @classmethod
    def of(cls, lines: ir.Table, items: pa.Array, as_of: date) -> "Timeline":
        """Of purchases up to a day.

        Args:
            lines: purchases.
            items: ids of the catalogue, ascending.
            as_of: last day that counts.
        """
        known = known_by(lines, as_of).select("user_key").distinct()  # ordered there, Ibis 12 gives Spark doubled rows
        users, parts, last = known.to_pyarrow().column("user_key").combine_chunks().sort(), [_NONE], None
        with sequences.in_order(lines, as_of).to_pyarrow_batches() as batches:  # all at once the keys fill gigabytes
            for rows in batches:
                basket = rows.column("basket_id")
                changed = np.r_[True, np.asarray(pc.not_equal(basket[1:], basket[:-1]))][: len(rows)]
                changed[:1] = basket[:1].to_pylist() != last
                last = basket[-1:].to_pylist()
                user, item = (
                    np.asarray(pc.index_in(rows.column(name), among))
                    for name, among in (("user_key", users), ("item_id", items))
                )
                parts.append((user, item, changed, np.asarray(rows.column("ds"), "datetime64[D]")))
        user, item, changed, day = (np.concatenate(column) for column in zip(*parts, strict=True))
        return cls(users, user, item, np.cumsum(changed, dtype=np.int32), day)

    def sequences(self, items: pa.Array, as_of: date, limit: int) -> pa.Table:
        """Contract `sequences`: each user's last lines, as many as `limit`, as of a day that none of them is after.

        Args:
            items: as of `of`.
            as_of: the day from which ages are counted.
            limit: lines of a user, at most.
        """
        start = np.searchsorted(self.user, np.arange(len(self.users) + 1))
        sizes = np.minimum(np.diff(start), limit)
        bounds = np.r_[0, np.cumsum(sizes)]
        rows = np.arange(bounds[-1]) + np.repeat(start[1:] - sizes - bounds[:-1], sizes)
        age = (np.datetime64(as_of) - self.day[rows]).astype(np.int64)
        ends = pa.array(bounds, pa.int32())
        lists = (pa.ListArray.from_arrays(ends, one) for one in (items.take(pa.array(self.item[rows])), pa.array(age)))
        return pa.table([self.users, *lists], ["user_key", "sequence", "sequence_days"])

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Lines and users as tables."""
        lines = {name: getattr(self, name) for name in ("user", "item", "basket", "day")}
        return pa.table(lines), pa.table({"user_key": self.users})

    @classmethod
    def from_tables(cls, lines: pa.Table, users: pa.Table) -> "Timeline":
        """Back from `tables`."""
        columns = {name: lines.column(name).to_numpy() for name in lines.column_names}
        return cls(users.column("user_key").combine_chunks(), **columns)
