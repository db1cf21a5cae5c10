"""Some users at a time, where nothing of one hangs on another: what a stage holds does not grow with the shop."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _
from pyarrow.dataset import Dataset

USERS = 20_000


@dataclass(frozen=True)
class Span:
    """Users from a key up to another that is no longer of them; None is no bound."""

    low: str | None
    high: str | None

    @classmethod
    def all_of(cls, users: pa.Array, size: int) -> "list[Span]":
        """Spans of so many known users (ascending keys) that together hold whatever key there may be."""
        bounds = [None, *users[size::size].to_pylist(), None]
        return [cls(*ends) for ends in pairwise(bounds)]

    def rows(self, table: Dataset, columns: Sequence[str]) -> pa.Table:
        """Their rows of a table, of the columns that it has; of carts those of baskets, which are users'."""
        there = [name for name in columns if name in table.schema.names]
        carts, where = "context_id" in columns, pc.scalar(True)
        key = pc.field("context_id" if carts else "user_key")
        where = where if self.low is None else where & (key >= self.low)
        where = where if self.high is None else where & (key < self.high)
        return table.to_table(columns=there, filter=where & (pc.field("context") == "basket") if carts else where)

    def lines(self, lines: ir.Table) -> ir.Table:
        """Their purchases."""
        lines = lines if self.low is None else lines.filter(_.user_key >= self.low)
        return lines if self.high is None else lines.filter(_.user_key < self.high)
