"""What a public layout says, and the words that several of them share."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from pipeline.settings import Shop

MOMENT = "timestamp('UTC', 6)"
YEAR_2100 = 4_102_444_800  # seconds


@dataclass(frozen=True)
class Raw:
    """One table of the publisher's files.

    Attributes:
        files: pattern of whole file names, below the folder.
        keys: columns without which the layout is another.
        others: further columns that are read, null where there are none.
        header: columns of files that have no header.
    """

    files: str
    keys: tuple[str, ...]
    others: tuple[str, ...] = ()
    header: tuple[str, ...] = ()

    def fits(self, address: str) -> bool:
        """The file belongs to this table."""
        return re.fullmatch(self.files, address) is not None


@dataclass(frozen=True)
class Made:
    """How a feed is made of raw tables.

    Attributes:
        tables: what it is made of; without the first there is no feed, and its misread lines are the feed's.
        rows: gives columns of the feed's contract, and either `ts` or the arrival day `ds`.
        last_of_day: a key of which only the last row of each day arrives.
    """

    tables: tuple[str, ...]
    rows: Callable[[Mapping[str, ir.Table], Shop], ir.Table]
    last_of_day: str | None = None


@dataclass(frozen=True)
class Layout:
    """A public layout: its raw tables and what feeds they make."""

    tables: Mapping[str, Raw]
    feeds: Mapping[str, Made]


def moment(ticks: ir.StringValue, per_second: int = 1) -> ir.TimestampValue:
    """Unix time in text; null when it is none between 1970 and 2100."""
    number = ticks.try_cast("int64")
    known = ibis.ifelse(number.between(0, YEAR_2100 * per_second), number, ibis.null("int64"))
    return known.as_timestamp({1: "s", 1000: "ms"}[per_second]).cast(MOMENT)


def cents(price: ir.StringValue) -> ir.IntegerValue:
    """A decimal price in text as hundredths."""
    return (price.try_cast("float64") * 100).round().cast("int64")


def fingerprint(*values: ir.Value) -> ir.StringValue:
    """32 hex digits that stand for these values."""
    texts = [value.cast("string").fill_null("\x1e") for value in values]
    return ibis.literal("\x1f").join(texts).hexdigest("sha256")[:32]


def numbered(rows: ir.Table, *names: str) -> ir.Table:
    """Rows with an `event_id` of the named columns; equal rows are told apart by their number."""
    place = ibis.row_number().over(ibis.window(group_by=list(names)))
    rows = rows.mutate(place=place)
    return rows.mutate(event_id=fingerprint(*(rows[name] for name in names), rows.place)).drop("place")
