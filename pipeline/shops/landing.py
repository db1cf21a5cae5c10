"""A shop's own files: daily drops in the feed contracts, `<feed>/ds=YYYY-MM-DD/<name>.csv` and the like.

`docs/landing.md` is the agreement with the shop. Not here: reading a file (`shops.intake`, `shops.child`), and public
data sets in their own layouts (`shops.dump`).
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Table
from pipeline.errors import NoData
from pipeline.settings import Shop
from pipeline.shops.folder import File
from pipeline.shops.intake import NOTHING, Drop, Haul, Intake
from pipeline.shops.parsing import together
from pipeline.shops.source import Arrivals

BESIDE = {"ds": "date", "origin": "string", "misread": "string"}


class Landing:
    """Arrivals of a shop that hands over files."""

    def __init__(self, shop: Shop, connection: Backend) -> None:
        """Open the folder; nothing is read yet."""
        self.shop, self.connection, self.intake = shop, connection, Intake(shop)

    def days(self) -> tuple[date, date]:
        """First and last day that has a file in any feed."""
        found = [day for feed in FEEDS for day, _ in self._by_day(feed) if day is not None]
        if not found:
            raise NoData(
                f"{self.intake.limits.path}: no file in any <feed>/ds=YYYY-MM-DD/; docs/landing.md shows a first drop"
            )
        return max(min(found), self.shop.first_day), max(found)

    def arrivals(self, feed: str, after: date | None, upto: date, seen: Mapping[str, str] = NOTHING) -> Arrivals | None:
        """Rows of the files that are not among those seen, of folders up to a day."""
        if feed not in FEEDS or not (folders := self._by_day(feed)):
            return None
        haul = Haul(seen)
        earliest = self.shop.first_day if after is None else after + timedelta(1)
        for day, files in folders:
            if day is None:
                for file in files:
                    haul.refuse(file.address, Drop(feed, earliest), ("misplaced", f"not in {feed}/ds=YYYY-MM-DD/"))
            elif day <= upto:
                self.intake.take(self.intake.drop(f"{feed}/ds={day}", max(day, earliest), files), haul)
        rows = _with_columns(together(self.connection, haul.parts), FEEDS[feed].raw)
        return Arrivals(rows, haul.files, tuple(haul.refused), haul.text)

    def _by_day(self, feed: str) -> list[tuple[date | None, list[File]]]:
        """Files of a feed by the day of their folder, in order; None for those that lie in none."""
        days: dict[date | None, list[File]] = {}
        for file in self.intake.folder.files(feed):
            days.setdefault(_day_of(file.address), []).append(file)
        return sorted(days.items(), key=lambda entry: entry[0] or date.min)


def _day_of(address: str) -> date | None:
    """The arrival day an address stands for."""
    found = re.fullmatch(r"[^/]+/ds=(\d{4}-\d{2}-\d{2})/[^/]+", address)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _with_columns(rows: ir.Table | None, contract: Table) -> ir.Table:
    """Rows as they came; where no line could be read, in the contract's columns."""
    nothing = ibis.memtable(contract.schema.empty_table())
    if rows is None:
        return nothing.mutate(**{name: ibis.null(kind) for name, kind in BESIDE.items()})
    if set(rows.columns) - set(BESIDE):
        return rows
    return rows.mutate(**{name: ibis.null(kind.copy(nullable=True)) for name, kind in nothing.schema().items()})
