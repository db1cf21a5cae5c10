"""A light night: real landing, staging, commit, janitor and erasure around tables that plain counting makes.

A kill by `killed_at` is an exception that no clean-up sees: what would be removed on the way out stays, locks are let
go. It needs no process; `tests.chaos.processes` has real ones.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.tables import CART_RECOMMENDATIONS, RECOMMENDATIONS
from pipeline.feeds import ingest, partitions
from pipeline.privacy import tombstones
from pipeline.privacy.keys import user_key
from pipeline.settings import Night, Shop, load_shop
from pipeline.shops.source import Arrivals
from pipeline.stages import desk
from pipeline.warehouse import durable, fence
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.manifest import Manifest
from pipeline.warehouse.staging import Staging
from tests.feeds.conftest import FIRST, LAST, Dock

SECRET = "5a" * 32
Lists = dict[str, list[str]]
Row = dict[str, Any]


class Killed(BaseException):
    """The process is gone."""


@cache
def settings() -> Shop:
    """The light shop's."""
    return load_shop("grocer").model_copy(update={"first_day": FIRST, "name": "light", "threads": 1})


@dataclass(frozen=True)
class Drop:
    """Event rows that are handed over in one file.

    Attributes:
        day: of the folder that the file lies in.
    """

    day: date
    rows: tuple[Row, ...]


@dataclass
class LightShop:
    """A shop whose nights are light, and the files it hands over (a Source).

    Attributes:
        home: where its data lies.
        drops: files in the order of their coming, which is their name.
        secret: behind user keys.
    """

    connection: Any
    home: Path
    drops: list[Drop] = field(default_factory=list)
    secret: bytes = bytes.fromhex(SECRET)

    def night(self, day: date = FIRST) -> Night:
        return Night(settings(), day, self.home)

    @property
    def root(self) -> Path:
        return self.night().warehouse

    def key(self, user: str) -> str:
        return user_key(self.secret, user)

    def open(self, goods: Sequence[str]) -> None:
        """Have the catalogue arrive."""
        dock = Dock(self.connection, self.night().feeds, {}, self.secret)
        dock.bring("items", *({"item_id": item} for item in goods), ds=FIRST)
        dock.land("items", upto=FIRST)

    def days(self) -> tuple[date, date]:
        return FIRST, LAST

    def arrivals(self, feed: str, after: date | None, upto: date, seen: Mapping[str, str]) -> Arrivals:
        """Rows of the files not yet seen; what lies in a folder that has been read comes late."""
        new = {str(n): drop for n, drop in enumerate(self.drops) if drop.day <= upto and str(n) not in seen}
        begin = FIRST if after is None else after + timedelta(1)
        rows = [row | {"ds": max(drop.day, begin)} for drop in new.values() for row in drop.rows]
        return Arrivals(ibis.memtable(Dock.rows(feed, *rows)), dict.fromkeys(new, "read"))

    def land(self, day: date) -> None:
        """Land the events of files up to a day."""
        night = self.night(day)
        ingest.land(
            self.connection, self, night.feeds, FEEDS["events"], day, first_day=FIRST, zone=night.shop.zone,
            secret=self.secret, origin="light", erased=tombstones.load(night.root / tombstones.FILE),
        )  # fmt: skip

    def run(self, day: date) -> Manifest:
        """Land and publish: each user's goods by how often they were bought, and the first of them for the basket."""
        night = self.night(day)
        with fence.alive(night.warehouse, night.work.name):
            epoch = fence.begin(night.warehouse, night.work.name)
            with fence.enter(night.warehouse, night.work.name, "light", epoch):
                desk.begin(night)
                self.land(day)
                staging = Staging.open(night.warehouse, day, night.run, fresh=True)
                lists = self.landed_lists(day)
                staging.write(RECOMMENDATIONS, recommendations(lists))
                staging.write(CART_RECOMMENDATIONS, baskets(lists))
                before = desk.parent(night)
                return commit(
                    night.warehouse,
                    staging,
                    shop=night.shop.name,
                    day=day,
                    parent=before.id if before else None,
                    models={"counting": "v1"},
                    policy_hash="light",
                    code_version="1",
                    requires=Requirements(desk.noted(night, "start")["current"], True, frozenset(["recommendations"])),
                )

    def landed_lists(self, day: date) -> Lists:
        folders = partitions.days(self.night(day).feeds, "events", day)
        rows = [row for folder in folders for row in partitions.read_rows(folder).to_pylist()]
        return ranked((row["user_key"], row["item_id"]) for row in rows)


def ranked(pairs: Any) -> Lists:
    """Each user's goods, most often bought first."""
    counts: dict[str, Counter[str]] = {}
    for user, item in pairs:
        counts.setdefault(user, Counter())[item] += 1
    return {user: sorted(count, key=lambda item: (-count[item], item)) for user, count in sorted(counts.items())}


def recommendations(lists: Lists) -> pa.Table:
    rows = [
        {"user_key": user, "surface": "home", "rank": place, "item_id": item, "score": 1.0 / place, "reason": "Bought",
         "kept_since": date(2017, 1, 1), "change_cause": "kept", "is_fallback": False}
        for user, items in lists.items() for place, item in enumerate(items, start=1)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, RECOMMENDATIONS.schema)


def baskets(lists: Lists) -> pa.Table:
    rows = [
        {"context": "basket", "context_id": user, "rank": 1, "item_id": items[0], "score": 1.0, "reason": "Bought"}
        for user, items in lists.items()
    ]
    return pa.Table.from_pylist(rows, CART_RECOMMENDATIONS.schema)


def published_lists(table: pa.Table) -> Lists:
    """What a recommendations table says."""
    lists: Lists = {}
    for row in table.to_pylist():
        lists.setdefault(row["user_key"], []).append(row["item_id"])
    return lists


@contextmanager
def killed_at(name: str, nth: int) -> Iterator[None]:
    """Be gone at the nth passing of a failpoint, if it comes to that; nothing cleans up behind."""
    passed, dead = Counter[str](), []
    remove = durable._remove

    def reached(place: str) -> None:
        passed[place] += 1
        if place == name and passed[place] == nth:
            dead.append(place)
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "reached", reached)
        patch.setattr(durable, "_remove", lambda path: None if dead else remove(path))
        with suppress(Killed):
            yield
