"""What every adapter offers to ingest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from pipeline.settings import Shop


@dataclass(frozen=True)
class RefusedFile:
    """A file that is set aside whole.

    Attributes:
        address: where it lies below the shop's folder.
        ds: the arrival day it stands for.
        reason: a word for counting.
        words: what is wrong, for people.
    """

    address: str
    sha256: str
    ds: date
    reason: str
    words: str


@dataclass(frozen=True)
class Arrivals:
    """What arrived of a feed in a range of days.

    Attributes:
        rows: the contract's columns as they came and the arrival day `ds`; optionally `origin` (`file:line` of the
            row) and `misread` (the reason why a line could not be read, else null).
        files: address of every file read or refused, and a mark that begins with its SHA-256; for the next landing.
        refused: files set aside whole.
        text: the rows come from text files, where a string may carry any type.
    """

    rows: ir.Table
    files: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[RefusedFile, ...] = ()
    text: bool = False


class Source(Protocol):
    """A shop's arrivals."""

    def days(self) -> tuple[date, date]:
        """First and last local day on which anything arrived."""

    def arrivals(self, feed: str, after: date | None, upto: date, seen: Mapping[str, str]) -> Arrivals | None:
        """What arrived of a feed after one day and up to another; None when the shop has no such feed.

        Args:
            feed: its name.
            after: the last day that has landed already; None before the first.
            upto: the last day to read.
            seen: files and marks of earlier landings, not to be read again. A file that is not among them and lies in
                an earlier day's folder comes late: its rows arrive on the first day of the range.
        """


def open_source(shop: Shop, connection: Backend) -> Source:
    """The adapter that the shop's settings name, on a connection."""
    # An adapter is loaded when it is used: each stands on libraries and data of its own.
    if shop.adapter == "grocer":
        from pipeline.shops.grocer import Grocer

        return Grocer(shop, connection)
    if shop.landing is None:
        from pipeline.shops.movies import Movies

        return Movies(shop, connection)
    if shop.landing.layout == "feeds":
        from pipeline.shops.landing import Landing

        return Landing(shop, connection)
    from pipeline.shops.dump import Dump

    return Dump(shop, connection)
