"""Landing arrivals: read only what is new, judge each row, keep the clean, quarantine the rest with a reason."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _
from ibis.backends.duckdb import Backend

from pipeline.contracts.feeds import Feed, Reason
from pipeline.contracts.table import Privacy
from pipeline.feeds import (
    campaigns,
    contacts,
    dialogues,
    documents,
    drift,
    events,
    items,
    partitions,
    placements,
    reviews,
    users,
)
from pipeline.feeds.rules import FeedRules, Known
from pipeline.privacy.keys import user_keys
from pipeline.shops.source import Source
from pipeline.warehouse import durable

RULES: MappingProxyType[str, FeedRules] = MappingProxyType(
    {
        "events": events.RULES,
        "items": items.RULES,
        "users": users.RULES,
        "campaigns": campaigns.RULES,
        "contacts": contacts.RULES,
        "placements": placements.RULES,
        "reviews": reviews.RULES,
        "dialogues": dialogues.RULES,
        "documents": documents.RULES,
    }
)
NOBODY = pa.array([], pa.string())
BATCH_DAYS = 92  # days landed at once: bounds memory on a first night


def land(
    connection: Backend,
    source: Source,
    root: Path,
    feed: Feed,
    upto: date,
    *,
    first_day: date,
    zone: ZoneInfo,
    secret: bytes,
    origin: str,
    priced: bool = True,
    erased: pa.Array = NOBODY,
) -> list[str]:
    """Land a feed's arrivals up to a day; those landed before are not read again, and nobody else lands meanwhile.

    Args:
        connection: engine to compute on.
        source: the shop's adapter.
        root: folder of landed feeds.
        feed: contract of the feed.
        upto: last arrival day to read.
        first_day: the shop's first arrival day.
        zone: the shop's time zone.
        secret: key of the user keys.
        origin: goes to the rows' `source` column.
        priced: purchases carry what was paid.
        erased: keys of users whose rows are counted and dropped.

    Returns:
        Notes on tolerated drift.

    Raises:
        DataError: the arrival breaks the contract in a way its drift verdict does not tolerate.
    """
    notes: list[str] = []
    with durable.locked(root):
        ledger = partitions.ledger(root, feed.name)
        for begin, end in _batches(ledger.through, first_day, upto):
            arrived = source.arrivals(feed.name, begin, end, ledger.files)
            if arrived is None:
                return notes
            known = replace(_known(connection, root, end, first_day, zone), priced=priced)
            rows, seen = drift.conform(arrived.rows, feed, text=arrived.text)
            notes += [note for note in seen if note not in notes]
            keyed = _pseudonymise(ibis.memtable(rows.to_pyarrow()), feed, secret)
            before = partitions.landed(connection, root, feed.name, begin) if begin else None
            judged = _judge(keyed, feed, known, before, erased)
            partitions.write(root, feed, judged.mutate(source=ibis.literal(origin)).to_pyarrow())
            ledger = ledger.after(end, arrived)
            partitions.keep_ledger(root, feed.name, ledger)
    return notes


def _batches(after: date | None, first_day: date, upto: date) -> Iterator[tuple[date | None, date]]:
    """Consecutive (after, upto] ranges of bounded length."""
    begin = after
    while begin is None or begin < upto:
        end = min(upto, (begin or first_day) + timedelta(BATCH_DAYS))
        yield begin, end
        begin = end


def _known(connection: Backend, root: Path, upto: date, first_day: date, zone: ZoneInfo) -> Known:
    """What rows may refer to: all that has landed by a day (catalogue and campaigns land first)."""
    known = Known(first_day, upto, zone)
    if (landed := partitions.landed(connection, root, "items", upto)) is not None:
        known = replace(
            known,
            items=landed.group_by("item_id").agg(
                known_since=_.ds.min(), measured_since=_.ds.min(where=_.sold_by_measure)
            ),
        )
    if (landed := partitions.landed(connection, root, "campaigns", upto)) is not None:
        known = replace(known, campaigns=landed.group_by("campaign_id").agg(known_since=_.ds.min()))
    if (landed := partitions.landed(connection, root, "contacts", upto)) is not None:
        known = replace(
            known, sends=landed.filter(_.contact_kind == "send").select("campaign_id", "user_key", sent_on=_.ds)
        )
    return known


def _pseudonymise(rows: ir.Table, feed: Feed, secret: bytes) -> ir.Table:
    """Replace the shop's user names by keys."""
    if not any(column.privacy is Privacy.IDENTIFIER for column in feed.raw.columns):
        return rows
    names = (
        rows.select("user_id").distinct().filter(_.user_id.notnull()).to_pyarrow().column("user_id").combine_chunks()
    )
    keys = ibis.memtable(pa.table({"user_id": names, "user_key": user_keys(secret, names)}))
    return rows.left_join(keys, "user_id").drop("user_id", "user_id_right")


def among_equal(rows: ir.Table, group: Sequence[str | ir.Value], names: Sequence[str]) -> ir.IntegerColumn:
    """Place of each row among those of an equal key; 0 stays.

    The earliest arrival is first; within a day the smallest row, so that order of arrival is no matter.

    Args:
        rows: with their arrival day `ds`.
        group: what makes a key.
        names: columns by which rows of one day differ.
    """
    values = [rows[name].join("\n") if rows[name].type().is_array() else rows[name] for name in names if name != "ds"]
    return ibis.row_number().over(ibis.window(group_by=list(group), order_by=["ds", *values]))


def _judge(rows: ir.Table, feed: Feed, known: Known, before: ir.Table | None, erased: pa.Array) -> ir.Table:
    """Landed columns (source left out) plus `origin`, `reason` (null when clean) and `is_duplicate`."""
    rules, key = RULES[feed.name], list(feed.landed.key)
    rows = rules.prepare(rows, known)
    cases = [(rows.misread.notnull(), rows.misread), (rows[drift.BAD_TYPE], str(Reason.BAD_TYPE))]
    if "user_key" in rows.columns and len(erased):
        cases.insert(0, (rows.user_key.isin(erased.to_pylist()), str(Reason.ERASED)))
    cases += [(broken.fill_null(False), str(reason)) for reason, broken in rules.rules(rows, known)]
    rows = rows.mutate(reason=ibis.cases(*cases, else_=ibis.null("string")))
    names = [name for name in feed.landed.names if name != "source"]
    place = among_equal(rows, [*key, *(["ds"] if rules.replaces else []), rows.reason.isnull()], names)
    duplicate = rows.reason.isnull() & (place > 0)
    if before is not None and not rules.replaces:
        old = before.select(*key, landed_before=True)
        rows = rows.mutate(place=place).left_join(old, key).drop(*(f"{name}_right" for name in key))
        duplicate = rows.reason.isnull() & ((rows.place > 0) | rows.landed_before.fill_null(False))
    return rows.mutate(is_duplicate=duplicate).select(*names, "origin", "reason", "is_duplicate")
