"""Landing: nothing lost, nothing twice, the same however the arrivals are cut, and nobody's name on disk."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contracts.feeds import FEEDS, Feed, Reason
from pipeline.errors import DataError
from pipeline.feeds import ingest, partitions
from pipeline.privacy.keys import user_keys
from pipeline.shops.source import Arrivals
from pipeline.warehouse import durable

PERSONAL = ("events", "users", "contacts")
GROCER = ("items", "users", "campaigns", "events", "contacts", "placements")


@pytest.fixture
def land(grocer: Any, landed: Any, connection: Any) -> Callable[..., None]:
    """Lands the real slice (or another source) into a folder."""

    def run(root: Path, upto: date, *feeds: str, source: Any = grocer) -> None:
        for feed in FEEDS.values():
            if not feeds or feed.name in feeds:
                ingest.land(connection, source, root, feed, upto, first_day=grocer.shop.first_day,
                            zone=grocer.shop.zone, secret=landed.secret, origin=grocer.shop.name)  # fmt: skip

    return run


def digests(root: Path, day: date, feeds: Iterator[str] | tuple[str, ...] = tuple(FEEDS)) -> dict[str, str]:
    return {feed: partitions.digest(root, feed, day) for feed in feeds}


@pytest.mark.parametrize("feed", GROCER)
def test_what_arrived_was_published_refused_or_doubled(feed: str, landed: Any, grocer: Any) -> None:
    rows = grocer.arrivals(feed, None, landed.day).rows
    found = rows.group_by("ds").agg(n=rows.count()).to_pyarrow().to_pylist()
    counts = {}
    for folder in partitions.days(landed.root, feed, landed.day):
        facts = json.loads((folder / partitions.COUNTS).read_text())
        assert facts["arrived"] == facts["published"] + facts["quarantined"] + facts["deduplicated"]
        assert facts["published"] == len(partitions.read_rows(folder))
        refused = folder / partitions.QUARANTINE
        reasons = pq.read_table(refused, partitioning=None).column("reason").to_pylist() if refused.exists() else []
        assert facts["reasons"] == dict(sorted(Counter(reasons).items())) and facts["quarantined"] == len(reasons)
        counts[date.fromisoformat(folder.name[3:])] = facts["arrived"]
    assert counts == {row["ds"]: row["n"] for row in found} and counts


def test_the_grocer_s_lines_without_pay_or_item_are_the_only_refused(landed: Any) -> None:
    reasons = {
        (feed, key): n
        for feed in FEEDS
        for key, n in partitions.counts(landed.root, feed, landed.day).items()
        if n and key.startswith("reason/")
    }
    assert {key for _, key in reasons} == {f"reason/{Reason.NON_POSITIVE_AMOUNT}", f"reason/{Reason.UNKNOWN_ITEM}"}
    assert {feed for feed, _ in reasons} == {"events"}


def test_landing_by_and_by_equals_landing_at_once(land: Callable[..., None], landed: Any, tmp_path: Path) -> None:
    for upto in (date(2017, 3, 7), date(2017, 3, 8), landed.day):
        land(tmp_path, upto)
    assert digests(tmp_path, landed.day) == digests(landed.root, landed.day)
    for feed in FEEDS:
        assert partitions.counts(tmp_path, feed, landed.day) == partitions.counts(landed.root, feed, landed.day)


def test_landing_again_writes_nothing(land: Callable[..., None], landed: Any) -> None:
    def files() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in landed.root.rglob("*") if path.name != durable.LOCK}

    before = files()
    for day in (landed.day, landed.day - timedelta(9)):
        land(landed.root, day)
    assert files() == before


@dataclass(frozen=True)
class Doubled:
    """Every arrival twice, in an order of its own."""

    source: Any
    seed: int

    def days(self) -> tuple[date, date]:
        return self.source.days()

    def arrivals(self, feed: str, after: date | None, upto: date, seen: Any) -> Any:
        import ibis
        import numpy as np

        rows = self.source.arrivals(feed, after, upto).rows.to_pyarrow()
        rows = pa.concat_tables([rows, rows])
        return Arrivals(ibis.memtable(rows.take(np.random.default_rng(self.seed).permutation(len(rows)))))


def test_arrivals_doubled_and_shuffled_land_the_same(
    land: Callable[..., None], landed: Any, grocer: Any, tmp_path: Path
) -> None:
    day = date(2017, 3, 9)
    feeds = ("items", "users", "campaigns", "events", "contacts")
    land(tmp_path, day, *feeds, source=Doubled(grocer, seed=1))
    assert digests(tmp_path, day, feeds) == digests(landed.root, day, feeds)
    for feed in feeds:
        once, twice = (partitions.counts(root, feed, day) for root in (landed.root, tmp_path))
        assert twice["deduplicated"] == once["published"] == twice["published"]
        assert twice["quarantined"] == 2 * once["quarantined"]


def tables(root: Path, *feeds: str) -> Iterator[pa.Table]:
    for feed in feeds or FEEDS:
        for path in (root / feed).rglob("*.parquet"):
            yield pq.read_table(path, partitioning=None)


def test_no_row_of_the_grocer_names_its_own_household(landed: Any, grocer: Any) -> None:
    names = grocer.arrivals("users", None, landed.day).rows.to_pyarrow().column("user_id")
    name_of = dict(zip(user_keys(landed.secret, names).to_pylist(), names.to_pylist(), strict=True))
    seen = 0
    for table in tables(landed.root, *PERSONAL):
        assert "user_id" not in table.column_names
        for row in table.to_pylist():
            name = name_of[row.pop("user_key")]
            # Campaigns have small numbers too: household 27 was sent campaign 27.
            texts = [value for key, value in row.items() if isinstance(value, str) and key != "campaign_id"]
            assert name not in re.split(r"\W+", " ".join(texts)), row
            seen += 1
    assert seen > 5_000


def test_no_name_reaches_the_disk_clean_or_refused(dock: Any) -> None:
    name = "ann.example@shop.test"
    broken = {"user_id": name, "kind": "?", "contact_kind": "?"}
    for feed in PERSONAL:
        known = set(FEEDS[feed].raw.names)
        dock.bring(feed, {"user_id": name}, {key: value for key, value in broken.items() if key in known})
    dock.land()
    assert {feed: dock.counts(feed)[2] for feed in PERSONAL} == {"events": 1, "users": 0, "contacts": 1}
    for path in dock.root.rglob("*"):
        assert name not in str(path) and (path.is_dir() or name.encode() not in path.read_bytes())
    values = [str(value) for table in tables(dock.root) for row in table.to_pylist() for value in row.values()]
    assert len(values) > 50 and not any(name in value for value in values)


def test_the_same_name_has_one_key_in_every_feed_and_another_under_another_secret(dock: Any) -> None:
    dock.bring("events", {})
    dock.land()
    (keys,) = {frozenset(row["user_key"] for row in dock.published(feed)) for feed in ("events", "contacts")}
    assert keys < {row["user_key"] for row in dock.published("users")}
    other = dock.again()
    other.secret = b"t" * 32
    other.land()
    assert not keys & {row["user_key"] for row in other.published("users")}


def test_of_an_event_that_arrives_again_later_the_first_stays(dock: Any) -> None:
    days = [date(2020, 3, n) for n in (10, 11, 12)]
    for n, day in enumerate(days):
        dock.bring("events", {"event_id": "again", "amount_cents": 100 + n}, {"event_id": f"own{n}"}, ds=day)
    daily = dock.again()
    for day in days:
        daily.land(upto=day)
    dock.land(upto=days[-1])
    for landing in (dock, daily):
        assert landing.counts("events") == (6, 4, 0, 2)
        kept = [(row["ds"], row["amount_cents"]) for row in landing.published("events") if row["event_id"] == "again"]
        assert kept == [(days[0], 100)]
    assert digests(dock.root, days[-1]) == digests(daily.root, days[-1])


def test_an_event_that_was_refused_may_arrive_mended(dock: Any) -> None:
    dock.bring("events", {"amount_cents": -1})
    dock.bring("events", {"amount_cents": 100}, ds=date(2020, 3, 11))
    dock.land(upto=date(2020, 3, 11))
    assert dock.refused("events") == {"e0": Reason.NON_POSITIVE_AMOUNT}
    assert [(row["event_id"], row["amount_cents"]) for row in dock.published("events")] == [("e0", 100)]
    assert dock.counts("events") == (2, 1, 1, 0)


def test_rows_say_where_they_came_from_and_when(dock: Any) -> None:
    dock.bring("events", {})
    dock.land()
    (row,) = dock.published("events")
    assert (row["source"], row["ds"]) == ("corner", date(2020, 3, 10))


def test_a_feed_the_shop_lacks_lands_nothing_and_one_without_rows_is_read_through(empty_dock: Any) -> None:
    empty_dock.tables["events"] = empty_dock.rows("events")
    assert empty_dock.land() == []
    assert {path.name for path in empty_dock.root.iterdir()} == {"events", durable.LOCK}
    assert partitions.ledger(empty_dock.root, "events").through == date(2020, 3, 10)
    assert empty_dock.counts("events") == (0, 0, 0, 0)


@pytest.mark.parametrize("fails", ["arrivals", "write", "keep_ledger"])
def test_a_landing_that_was_interrupted_goes_on_where_it_was(
    dock: Any, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stops in the second batch, the next attempt ends at what an undisturbed one writes."""
    monkeypatch.setattr(ingest, "BATCH_DAYS", 4)
    for n in range(1, 11):
        at = datetime(2020, 3, n, 17, tzinfo=UTC)
        dock.bring("events", {"event_id": "again", "ts": at}, {"event_id": f"own{n}", "ts": at}, ds=date(2020, 3, n))
    whole = dock.again()
    whole.land("items", "events")
    dock.land("items")
    place = dock if fails == "arrivals" else partitions
    real, calls = getattr(place, fails), []

    def broken(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("no space left")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(place, fails, broken)
        with pytest.raises(OSError, match="no space left"):
            dock.land("events")
        assert partitions.ledger(dock.root, "events").through == date(2020, 3, 5)
    dock.land("events")
    assert digests(dock.root, date(2020, 3, 10)) == digests(whole.root, date(2020, 3, 10))
    assert dock.counts("events") == whole.counts("events") == (20, 11, 0, 9)


def test_rows_that_do_not_add_up_stop_the_landing(dock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lossy(root: Path, feed: Feed, rows: pa.Table) -> None:
        # A row both refused and called a duplicate, as a faulty judgement would have it.
        doubled = rows.set_column(rows.column_names.index("is_duplicate"), "is_duplicate", pa.array([True] * len(rows)))
        write(root, feed, doubled)

    write = partitions.write
    monkeypatch.setattr(partitions, "write", lossy)
    dock.bring("events", {"amount_cents": 0})
    with pytest.raises(DataError, match="feed events, 2020-03-10: rows do not add up"):
        dock.land("events")
    assert partitions.ledger(dock.root, "events").through is None


EVENT = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from("abcde"),
        "item_id": st.sampled_from(["soap", "late", "never"]),
        "amount_cents": st.sampled_from([-1, 100, 200]),
        "user_id": st.sampled_from(["u1", "u2", None]),
    }
)
DAYS = [date(2020, 3, n) for n in range(8, 12)]


@settings(max_examples=8)
@given(arrived=st.lists(st.tuples(st.sampled_from(DAYS), EVENT), min_size=1, max_size=14), data=st.data())
def test_however_cut_doubled_or_ordered_the_same_lands(
    arrived: list[tuple[date, dict[str, Any]]], data: st.DataObject, connection: Any,
    tmp_path_factory: pytest.TempPathFactory, empty: Any
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("feeds")
    late = data.draw(st.sampled_from(DAYS), "late item's day")
    cuts = [day for day in DAYS[:-1] if data.draw(st.booleans(), f"cut after {day}")]
    other = data.draw(st.permutations(arrived), "order") + data.draw(st.lists(st.sampled_from(arrived)), "doubled")
    landings = []
    for name, rows, steps in (("at once", arrived, []), ("cut", other, cuts)):
        landing = empty(connection, folder / name)
        landing.bring("items", {"item_id": "soap"}, ds=DAYS[0])
        landing.bring("items", {"item_id": "late"}, ds=late)
        for day, event in rows:
            landing.bring("events", event | {"ts": datetime(2020, 3, day.day, 17, tzinfo=UTC)}, ds=day)
        for upto in (*steps, DAYS[-1]):
            landing.land("items", "events", upto=upto)
        total, published, refused, doubled = landing.counts("events")
        assert total == len(rows) == published + refused + doubled
        landings.append(landing)
    once, cut = landings
    assert once.published("events") == cut.published("events")
    assert digests(once.root, DAYS[-1]) == digests(cut.root, DAYS[-1])
