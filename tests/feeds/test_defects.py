"""Injected defects: each is stopped, refused under exactly its reason, or deduplicated; clean rows beside it land."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from pipeline.contracts.feeds import FEEDS, Reason
from pipeline.errors import DataError
from pipeline.feeds import partitions

NEXT = date(2020, 3, 11)
# What stands in `dock` before: rows of the feed itself that a defect has nothing to do with.
BEFORE = {"items": 3, "users": 2, "campaigns": 1, "contacts": 1, "events": 0, "placements": 0}
Change = Callable[[pa.Table], pa.Table]


def without(name: str) -> Change:
    return lambda rows: rows.drop_columns(name)


def renamed(old: str, new: str) -> Change:
    return lambda rows: rows.rename_columns({old: new})


def beside(name: str, values: list[Any]) -> Change:
    return lambda rows: rows.append_column(name, pa.array(values))


def instead(name: str, values: list[Any], kind: pa.DataType | None = None) -> Change:
    return lambda rows: rows.set_column(rows.column_names.index(name), name, pa.array(values, kind))


@dataclass(frozen=True)
class Row:
    """A third row with a defect, between two clean ones."""

    name: str
    feed: str
    change: dict[str, Any]
    reason: Reason


@dataclass(frozen=True)
class Column:
    """A defect of three rows' columns: what is refused by number, and the notes or the words that stop it."""

    name: str
    feed: str
    change: Change
    refused: dict[int, Reason] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    stops: str = ""


ROWS = [
    Row("negative price", "items", {"price_cents": -5}, Reason.NEGATIVE_PRICE),
    Row("negative price of a line", "events", {"price_cents": -5}, Reason.NEGATIVE_PRICE),
    Row("nothing paid", "events", {"amount_cents": 0}, Reason.NON_POSITIVE_AMOUNT),
    Row("paid back", "events", {"amount_cents": -300}, Reason.NON_POSITIVE_AMOUNT),
    Row("no piece", "events", {"quantity": 0}, Reason.NON_POSITIVE_QUANTITY),
    Row("a lorry load", "events", {"quantity": 25_000}, Reason.IMPLAUSIBLE_QUANTITY),
    Row("nine stars", "events", {"kind": "rating", "rating": 9.0}, Reason.RATING_OUT_OF_RANGE),
    Row("null key", "events", {"event_id": None}, Reason.MISSING_VALUE),
    Row("null key of an item", "items", {"item_id": None}, Reason.MISSING_VALUE),
    Row("no user", "events", {"user_id": None}, Reason.MISSING_VALUE),
    Row("no time", "events", {"ts": None}, Reason.MISSING_VALUE),
    Row("no kind", "events", {"kind": None}, Reason.MISSING_VALUE),
    Row("a line without its item", "events", {"item_id": None}, Reason.MISSING_VALUE),
    Row("no title", "items", {"title": ""}, Reason.MISSING_VALUE),
    Row("unknown kind", "events", {"kind": "teleport"}, Reason.UNKNOWN_KIND),
    Row("unknown item", "events", {"item_id": "unicorn"}, Reason.UNKNOWN_ITEM),
    Row("placed unknown item", "placements", {"item_id": "unicorn"}, Reason.UNKNOWN_ITEM),
    Row("placed nowhere", "placements", {"store_count": 0}, Reason.NO_STORES),
    Row("unknown campaign", "contacts", {"campaign_id": "autumn"}, Reason.UNKNOWN_CAMPAIGN),
    Row("response without send", "contacts", {"user_id": "u2", "contact_kind": "response"}, Reason.NOT_SENT),
    Row("propensity above one", "contacts", {"contact_propensity": 1.5}, Reason.PROPENSITY_OUT_OF_RANGE),
    Row("lot without its chance", "contacts", {"is_randomised": True}, Reason.MISSING_VALUE),
    Row("from tomorrow", "events", {"ts": datetime(2020, 3, 11, 16, tzinfo=UTC)}, Reason.AFTER_BUSINESS_DAY),
    Row("from the year 2100", "events", {"ts": datetime(2100, 1, 1, tzinfo=UTC)}, Reason.AFTER_BUSINESS_DAY),
    Row("from 1970", "events", {"ts": datetime(1970, 1, 1, tzinfo=UTC)}, Reason.BEFORE_FIRST_DAY),
    Row("ends before it starts", "campaigns", {"ends_on": date(2020, 3, 9)}, Reason.ENDS_BEFORE_START),
]
COLUMNS = [
    Column("missing column", "events", without("ts"), stops="column ts is missing"),
    Column("renamed column", "items", renamed("title", "name"), stops="column title is missing"),
    Column("missing, frozen", "campaigns", without("creative"), stops="column creative is missing"),
    Column("extra, frozen", "campaigns", beside("colour", list("rgb")), stops="column colour is not in the contract"),
    Column("type, frozen", "campaigns", instead("starts_on", ["soon"] * 3), stops="column starts_on is string"),
    Column(
        "extra column",
        "events",
        beside("colour", list("rgb")),
        notes=("events.colour: not in the contract, left aside",),
    ),
    Column("optional column gone", "items", without("brand"), notes=("items.brand: missing, read as null",)),
    Column(
        "renamed amount",
        "events",
        renamed("amount_cents", "amount"),
        dict.fromkeys(range(3), Reason.MISSING_VALUE),
        ("events.amount_cents: missing, read as null", "events.amount: not in the contract, left aside"),
    ),
    Column(
        "number as words",
        "events",
        instead("quantity", ["1", "a few", "3"]),
        {1: Reason.BAD_TYPE},
        ("events.quantity: came as string, read as int64",),
    ),
    Column(
        "dollars for cents",
        "events",
        instead("amount_cents", [300.0, 2.99, 100.0]),
        {1: Reason.BAD_TYPE},
        ("events.amount_cents: came as float64, read as int64",),
    ),
    Column(
        "time as words",
        "contacts",
        instead("ts", ["2020-03-10 16:00:00", "2020-03-10 17:00:00+00", "noon"]),
        {2: Reason.BAD_TYPE},
        ("contacts.ts: came as string, read as timestamp('UTC', 6)",),
    ),
]


@pytest.mark.parametrize("defect", ROWS, ids=lambda defect: defect.name)
def test_a_row_with_a_defect_is_quarantined_alone(dock: Any, defect: Row) -> None:
    raw = FEEDS[defect.feed].raw
    (key,) = raw.key
    dock.bring(defect.feed, {key: "clean1"}, {key: "bad"} | defect.change, {key: "clean2"})
    assert dock.land("items", "campaigns", defect.feed) == []
    bad = {**{key: "bad"}, **defect.change}[key]
    assert dock.refused(defect.feed) == {bad: str(defect.reason)}
    names = {row[FEEDS[defect.feed].landed.key[0]] for row in dock.published(defect.feed)}
    assert {"clean1", "clean2"} <= names and "bad" not in names
    before = BEFORE[defect.feed]
    assert dock.counts(defect.feed) == (before + 3, before + 2, 1, 0)


@pytest.mark.parametrize("defect", COLUMNS, ids=lambda defect: defect.name)
def test_a_drop_whose_columns_differ_is_stopped_or_read_as_far_as_it_fits(dock: Any, defect: Column) -> None:
    feed, (key,) = defect.feed, FEEDS[defect.feed].raw.key
    dock.land("items", "campaigns", feed, upto=date(2020, 3, 9))
    before, through = dock.counts(feed), partitions.ledger(dock.root, feed)
    dock.tables = {feed: defect.change(dock.rows(feed, *({key: f"k{n}"} for n in range(3)), ds=NEXT))}
    if defect.stops:
        with pytest.raises(DataError, match=defect.stops) as stopped:
            dock.land(feed, upto=NEXT)
        message = str(stopped.value)
        assert message.startswith(f"feed {feed}: ") and f"drift verdict: {FEEDS[feed].raw.drift}" in message
        assert dock.counts(feed) == before and partitions.ledger(dock.root, feed) == through
        dock.tables = {feed: dock.rows(feed, {key: "mended"}, ds=NEXT)}
        dock.land(feed, upto=NEXT)  # nothing of the stopped drop stands in the way of the mended one
        assert dock.counts(feed)[:2] == (before[0] + 1, before[1] + 1)
        return
    assert tuple(dock.land(feed, upto=NEXT)) == defect.notes
    assert dock.refused(feed) == {f"k{n}": str(reason) for n, reason in defect.refused.items()}
    names = {row[key] for row in dock.published(feed) if row["ds"] == NEXT}
    assert names == {f"k{n}" for n in range(3)} - dock.refused(feed).keys()


@pytest.mark.parametrize(
    ("feed", "second", "doubled"),
    [
        ("events", date(2020, 3, 10), 1),
        ("events", NEXT, 1),
        ("contacts", NEXT, 1),
        ("placements", NEXT, 1),
        ("items", date(2020, 3, 10), 1),
        ("items", NEXT, 0),  # a later state of an item is news
        ("users", NEXT, 0),
        ("campaigns", date(2020, 3, 10), 1),
    ],
)
def test_a_key_that_comes_twice_lands_once(dock: Any, feed: str, second: date, doubled: int) -> None:
    (key,) = FEEDS[feed].raw.key
    dock.bring(feed, {key: "twice"}, {key: "once"})
    dock.bring(feed, {key: "twice"}, ds=second)
    dock.land("items", "campaigns", feed, upto=NEXT)
    before = BEFORE[feed]
    assert dock.counts(feed) == (before + 3, before + 3 - doubled, 0, doubled)
    assert dock.refused(feed) == {}
