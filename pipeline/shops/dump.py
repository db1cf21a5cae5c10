"""A shop made of a public data set's files as published, as if its rows had arrived on the day of their time stamps.

`shops.layouts` says what the files mean. They are read whole for every landing: for years of a busy shop, hand over
daily drops instead (`shops.landing`).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import ibis
import ibis.expr.types as ir
from ibis import _
from ibis.backends.duckdb import Backend

from pipeline.contracts.feeds import FEEDS
from pipeline.engine import local_day
from pipeline.errors import DataError, NoData
from pipeline.settings import Shop
from pipeline.shops.intake import NOTHING, Haul, Intake
from pipeline.shops.layouts import LAYOUTS
from pipeline.shops.parsing import together
from pipeline.shops.source import Arrivals


class Dump:
    """Arrivals of a public data set."""

    def __init__(self, shop: Shop, connection: Backend) -> None:
        """Open the folder; nothing is read yet."""
        self.shop, self.connection, self.intake = shop, connection, Intake(shop)
        self.layout = LAYOUTS[self.intake.limits.layout]
        self.hauls: dict[str, Haul] = {}

    def days(self) -> tuple[date, date]:
        """The shop's first day, and the last local day on which anything happened."""
        made, raw = self.layout.feeds["events"], self._raw("events")
        last = raw and made.rows(raw, self.shop).ts.max().to_pyarrow().as_py()
        if not last:
            limits = self.intake.limits
            raise NoData(f"{limits.path}: no event of layout {limits.layout}; docs/landing.md names its files")
        return self.shop.first_day, max(last.astimezone(self.shop.zone).date(), self.shop.first_day)

    def arrivals(self, feed: str, after: date | None, upto: date, seen: Mapping[str, str] = NOTHING) -> Arrivals | None:
        """Rows of the days after one and up to another; lines that could not be read arrive on the first day."""
        rows = self._rows(feed, upto)
        if rows is None:
            return None
        rows = rows.filter(_.ds <= ibis.literal(upto))
        hauls = [self._haul(name) for name in self.layout.feeds[feed].tables]
        files = {address: mark for haul in hauls for address, mark in haul.files.items()}
        refused = [file for haul in hauls for file in haul.refused if seen.get(file.address) != files[file.address]]
        return Arrivals(rows if after is None else rows.filter(_.ds > ibis.literal(after)), files, tuple(refused))

    def _rows(self, feed: str, upto: date) -> ir.Table | None:
        """A feed in its contract's columns, with `ds`, `origin`, `misread`; None when its first table has no file."""
        if feed not in self.layout.feeds:
            return None
        made, raw = self.layout.feeds[feed], self._raw(feed)
        if not raw:
            return None
        rows = made.rows({name: table.filter(_.misread.isnull()) for name, table in raw.items()}, self.shop)
        first = ibis.literal(self.shop.first_day)
        if "ds" not in rows.columns:
            rows = rows.mutate(ds=local_day(rows.ts, self.shop.zone, self.shop.first_day, upto))
        if made.last_of_day:
            newest = [ibis.desc("ts"), *(name for name in rows.columns if name not in ("ts", "ds"))]
            place = ibis.row_number().over(ibis.window(group_by=[made.last_of_day, "ds"], order_by=newest))
            rows = rows.mutate(place=place).filter(_.place == 0)
        types = {name: kind.copy(nullable=True) for name, kind in ibis.schema(FEEDS[feed].raw.schema).items()}
        read = rows.select(
            **{name: (rows[name] if name in rows.columns else ibis.null()).cast(kind) for name, kind in types.items()},
            # What was there before the first day arrives on it, and so does what tells no day.
            ds=ibis.greatest(rows.ds.fill_null(first), first),
            origin=ibis.null("string"),
            misread=ibis.null("string"),
        )
        lost = raw[made.tables[0]].filter(_.misread.notnull())
        nothing = {name: ibis.null(kind) for name, kind in types.items()}
        return read.union(lost.select(**nothing, ds=first, origin=lost.origin, misread=lost.misread))

    def _raw(self, feed: str) -> dict[str, ir.Table]:
        """The raw tables of a feed that have files; none at all without its first."""
        names = self.layout.feeds[feed].tables
        found = {name: rows for name in names if (rows := self._table(name)) is not None}
        return found if names[0] in found else {}

    def _table(self, name: str) -> ir.Table | None:
        """A raw table, all columns strings: those the layout reads, null where the files have none of the name."""
        raw = self.layout.tables[name]
        rows = together(self.connection, self._haul(name).parts)
        if rows is None:
            return None
        if len(rows.columns) > 2 and (gone := [column for column in raw.keys if column not in rows.columns]):
            layout = self.intake.limits.layout
            raise DataError(
                f"layout {layout}, {name}: no column {', '.join(gone)}; choose the layout that fits the files"
            )
        columns = (*raw.keys, *raw.others, "origin", "misread")
        return rows.select(
            **{name: (rows[name] if name in rows.columns else ibis.null()).cast("string") for name in columns}
        )

    def _haul(self, name: str) -> Haul:
        """The files of a raw table, read once."""
        if name not in self.hauls:
            raw = self.layout.tables[name]
            drop = self.intake.drop("", self.shop.first_day, self.intake.folder.files())
            promised = drop.promised and {file: said for file, said in drop.promised.items() if raw.fits(file)}
            files = tuple(file for file in drop.files if raw.fits(file.address))
            self.hauls[name] = haul = Haul(NOTHING)
            self.intake.take(replace(drop, files=files, promised=promised), haul, raw.header)
        return self.hauls[name]
