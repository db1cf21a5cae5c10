"""A shop in memory whose every row is good, and a place to land it: tests change the one thing they are about."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.contracts import columns as c
from pipeline.contracts.feeds import FEEDS
from pipeline.feeds import ingest, partitions
from pipeline.shops.source import Arrivals

FIRST, DAY, LAST = date(2020, 3, 1), date(2020, 3, 10), date(2020, 3, 31)
NOON = datetime(2020, 3, 10, 16, tzinfo=UTC)

GOOD: dict[str, dict[str, Any]] = {
    "events": {
        "event_id": "e", "user_id": "u1", "ts": NOON, "kind": "purchase", "item_id": "soap", "surface": "store",
        "device": "store", "basket_id": "b1", "quantity": 2, "amount_cents": 300, "price_cents": 150,
    },
    "items": {
        "item_id": "i", "title": "Soap", "title_is_composed": False, "category": "HOME > BATH > SOAP",
        "brand": "Own", "price_cents": 150, "currency": "USD", "sold_by_measure": False, "updated_at": NOON,
    },
    "users": {"user_id": "u", "created_at": NOON, "age_band": "25-34"},
    "campaigns": {
        "campaign_id": "c", "campaign_name": "Spring", "campaign_kind": "Type A", "starts_on": DAY, "ends_on": LAST,
        "creative": "Coupons for soap", "target_item_ids": ["soap"],
    },
    "contacts": {
        "contact_id": "s", "campaign_id": "spring", "user_id": "u1", "contact_kind": "send", "ts": NOON,
        "is_randomised": False,
    },
    "placements": {
        "placement_id": "p", "item_id": "soap", "starts_on": DAY, "display_location": "1", "mailer_location": "0",
        "store_count": 3,
    },
    "reviews": {
        "review_id": "r", "user_id": "u1", "item_id": "soap", "ts": NOON, "stars": 4.0, "review_title": "Good",
        "review_text": "Washes well", "review_kind": "review",
    },
    "dialogues": {
        "dialogue_id": "d1", "turn": 0, "user_id": "u1", "ts": NOON, "speaker": "user", "utterance": "Where is it?",
    },
    "documents": {
        "document_id": "t", "document_title": "Returns", "document_text": "Within 30 days", "document_kind": "policy",
    },
}  # fmt: skip


def _numbered(key: Any, n: int) -> Any:
    return n if isinstance(key, int) else f"{key}{n}"


@dataclass
class Dock:
    """Arrivals in memory (a Source), and the folder they land in.

    Attributes:
        tables: raw rows by feed, with their arrival day `ds`.
    """

    connection: Any
    root: Path
    tables: dict[str, pa.Table] = field(default_factory=dict)
    secret: bytes = b"s" * 32

    def days(self) -> tuple[date, date]:
        return FIRST, LAST

    def arrivals(self, feed: str, after: date | None, upto: date, seen: Any = None) -> Arrivals | None:
        if feed not in self.tables:
            return None
        rows = ibis.memtable(self.tables[feed])
        rows = rows.filter(rows.ds <= ibis.literal(upto))
        return Arrivals(rows if after is None else rows.filter(rows.ds > ibis.literal(after)))

    @staticmethod
    def rows(feed: str, *changes: dict[str, Any], ds: date = DAY) -> pa.Table:
        """Good raw rows numbered 0, 1, ..., each with its changes; the key is the good row's with the number."""
        contract = FEEDS[feed].raw
        schema = pa.schema([*(item.with_nullable(True) for item in contract.schema), pa.field("ds", c.ds.type)])
        key = contract.key[-1]
        rows = [
            GOOD[feed] | {key: _numbered(GOOD[feed][key], n), "ds": ds} | change for n, change in enumerate(changes)
        ]
        return pa.Table.from_pylist(rows, schema=schema)

    def bring(self, feed: str, *changes: dict[str, Any], ds: date = DAY) -> None:
        """Good rows, each with its changes, arrive."""
        rows = self.rows(feed, *changes, ds=ds)
        self.tables[feed] = pa.concat_tables([self.tables[feed], rows]) if feed in self.tables else rows

    def land(self, *feeds: str, upto: date = DAY) -> list[str]:
        """Land feeds (all when none is named) up to a day; gives the notes."""
        return [
            note
            for feed in FEEDS.values()
            if not feeds or feed.name in feeds
            for note in ingest.land(
                self.connection,
                self,
                self.root,
                feed,
                upto,
                first_day=FIRST,
                zone=ZoneInfo("America/New_York"),
                secret=self.secret,
                origin="corner",
            )
        ]

    def again(self) -> "Dock":
        """The same arrivals before an empty folder."""
        return Dock(self.connection, self.root.with_name(self.root.name + "_again"), dict(self.tables), self.secret)

    def published(self, feed: str) -> list[dict[str, Any]]:
        """Clean rows in landed order."""
        return self._read(feed, partitions.ROWS)

    def refused(self, feed: str, upto: date = LAST) -> dict[str, str]:
        """Reasons of the quarantined rows by key."""
        key = FEEDS[feed].landed.key[-1]
        return {row[key]: row["reason"] for row in self._read(feed, partitions.QUARANTINE, upto)}

    def counts(self, feed: str) -> tuple[int, ...]:
        """Rows arrived, published, quarantined, deduplicated."""
        total = partitions.counts(self.root, feed, LAST)
        return tuple(total[name] for name in ("arrived", "published", "quarantined", "deduplicated"))

    def _read(self, feed: str, name: str, upto: date = LAST) -> list[dict[str, Any]]:
        paths = [folder / name for folder in partitions.days(self.root, feed, upto)]
        return [row for path in paths if path.exists() for row in pq.read_table(path, partitioning=None).to_pylist()]


@pytest.fixture
def empty_dock(connection: Any, tmp_path: Path) -> Dock:
    """Nothing has arrived yet."""
    return Dock(connection, tmp_path / "feeds")


@pytest.fixture
def dock(empty_dock: Dock) -> Dock:
    """Three goods (one sold by measure), two users and a campaign that was sent to one of them have arrived."""
    empty_dock.bring("items", {"item_id": "soap"}, {"item_id": "milk"}, ds=FIRST)
    empty_dock.bring("items", {"item_id": "fuel", "sold_by_measure": True, "price_cents": None}, ds=FIRST)
    empty_dock.bring("users", {"user_id": "u1"}, {"user_id": "u2"}, ds=FIRST)
    empty_dock.bring("campaigns", {"campaign_id": "spring"}, ds=FIRST)
    empty_dock.bring("contacts", {"contact_id": "send-u1"}, ds=DAY)
    return empty_dock


@pytest.fixture
def judge(dock: Dock) -> Callable[..., list[str | None]]:
    """Lands rows with given changes; gives the reason of each, None where published."""

    def land(feed: str, *changes: dict[str, Any]) -> list[str | None]:
        key = FEEDS[feed].raw.key[-1]
        names = [change.get(key, _numbered(GOOD[feed][key], n)) for n, change in enumerate(changes)]
        dock.bring(feed, *changes)
        dock.land("items", "campaigns", feed)
        published = {row[key] for row in dock.published(feed)}
        refused = dock.refused(feed)
        return [None if name in published else refused[name] for name in names]

    return land


@pytest.fixture(scope="session")
def empty() -> type[Dock]:
    """For a property that needs many docks."""
    return Dock
