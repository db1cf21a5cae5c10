"""What every adapter offers to ingest."""

from datetime import date
from typing import Protocol

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from pipeline.settings import Shop


class Source(Protocol):
    """A shop's arrivals."""

    def days(self) -> tuple[date, date]:
        """First and last local day on which anything arrived."""

    def arrivals(self, feed: str, after: date | None, upto: date) -> ir.Table | None:
        """Raw rows of a feed that arrived after one day and up to another, with their arrival day `ds`.

        None when the shop has no such feed.
        """


def open_source(shop: Shop, connection: Backend) -> Source:
    """The adapter that the shop's settings name, on a connection."""
    from pipeline.shops.grocer import Grocer

    return {"grocer": Grocer}[shop.adapter](shop, connection)
