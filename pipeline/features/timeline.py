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
        rows = sequences.in_order(lines, as_of).to_pyarrow().combine_chunks()
        starts = sequences.offsets(rows.column("user_key"))
        basket = rows.column("basket_id").combine_chunks()
        changed = np.r_[True, np.asarray(pc.not_equal(basket[1:], basket[:-1]))] if len(rows) else np.zeros(0, bool)
        return cls(
            users=rows.column("user_key").combine_chunks().take(pa.array(starts[:-1])),
            user=np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts)),
            item=np.asarray(pc.index_in(rows.column("item_id"), items)),
            basket=np.cumsum(changed, dtype=np.int32),
            day=rows.column("ds").to_numpy().astype("datetime64[D]"),
        )

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Lines and users as tables."""
        lines = {name: getattr(self, name) for name in ("user", "item", "basket", "day")}
        return pa.table(lines), pa.table({"user_key": self.users})

    @classmethod
    def from_tables(cls, lines: pa.Table, users: pa.Table) -> "Timeline":
        """Back from `tables`."""
        columns = {name: lines.column(name).to_numpy() for name in lines.column_names}
        return cls(users.column("user_key").combine_chunks(), **columns)
