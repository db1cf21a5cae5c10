"""Purchases: the real slice's, and tiny ones for properties; and what must not change a feature."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import strategies as st

from pipeline.contracts import columns as c
from pipeline.features import behaviour
from pipeline.feeds import partitions

Row = dict[str, Any]
AS_OF = date(2020, 6, 30)
ZONE, FIRST = ZoneInfo("America/New_York"), date(2017, 1, 1)
SCHEMA = pa.schema([(column.name, column.type) for column in (
    c.user_key, c.item_id, c.basket_id, c.ds, c.ts, c.quantity, c.amount_cents)])  # fmt: skip


@dataclass(frozen=True)
class Toy:
    """Tiny purchases as plain rows; the tests' oracles read these, the features their table."""

    as_of: date = AS_OF
    items: str = "abcdef"

    @staticmethod
    def lines(rows: list[Row]) -> ir.Table:
        return ibis.memtable(pa.Table.from_pylist(rows, SCHEMA))

    @staticmethod
    def basket(name: str, user: str, day: date, items: str, hour: int = 12) -> list[Row]:
        """One line an item, each paid as many cents as its letter's number."""
        at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        return [dict(zip(SCHEMA.names, (user, item, name, day, at, 1, ord(item) - 96), strict=True)) for item in items]

    def rows(self, oldest: int, newest: int = 0, name: str = "b") -> st.SearchStrategy[list[Row]]:
        """Baskets of three users, between `oldest` and `newest` days before the cut; lines may come twice."""
        items = st.text(self.items, min_size=1, max_size=4)
        one = st.tuples(st.sampled_from("uvw"), st.integers(newest, oldest), items, st.integers(0, 2))
        return st.lists(one, max_size=10).map(
            lambda baskets: [
                row
                for n, (user, age, items, hour) in enumerate(baskets)
                for row in self.basket(f"{name}{n}", user, AS_OF - timedelta(age), items, hour)
            ]
        )


@pytest.fixture(scope="session")
def toy() -> Toy:
    return Toy()


@pytest.fixture(scope="session")
def purchases(landed: Any, connection: Any) -> ir.Table:
    """Purchases of the real slice."""
    events = partitions.landed(connection, landed.root, "events", landed.day)
    return ibis.memtable(behaviour.purchases(events, ZONE, FIRST, landed.day).to_pyarrow())


@pytest.fixture(scope="session")
def purchase_rows(purchases: ir.Table) -> list[Row]:
    """The same as plain rows."""
    return purchases.to_pyarrow().to_pylist()


@pytest.fixture(scope="session")
def unmoved(toy: Toy) -> Callable[..., None]:
    """Asserts that rows after the cut and the order of rows never matter."""

    def check(compute: Callable[[ir.Table], Any], past: list[Row], data: st.DataObject) -> None:
        future = data.draw(toy.rows(-1, -40, name="f").filter(bool), "future")
        moved = data.draw(st.permutations([*past, *future]), "order")
        assert compute(toy.lines(moved)) == compute(toy.lines(past))

    return check
