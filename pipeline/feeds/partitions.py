"""Landed arrivals on disk: a folder a feed and day with rows, quarantine and counts, renamed into place whole.

A day's folder is complete when it exists; the ledger names the last day and the files that were read.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from pipeline import engine
from pipeline.contracts.feeds import FEEDS, Feed, Reason
from pipeline.errors import DataError
from pipeline.shops.source import Arrivals
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

ROWS, QUARANTINE, COUNTS, LEDGER = "rows.parquet", "quarantine.parquet", "counts.json", "ledger.json"
MARK = b"keys"  # of a file whose user keys were turned


@dataclass(frozen=True)
class Ledger:
    """What has been read of a feed.

    Attributes:
        through: the last day whose arrivals were read, empty days included; None before the first.
        files: address and mark (SHA-256 and more, the adapter's own) of every file read or set aside.
        refused: files set aside whole: address, sha256, ds, reason, words.
    """

    through: date | None = None
    files: dict[str, str] = field(default_factory=dict)
    refused: tuple[dict[str, str], ...] = ()

    def after(self, day: date, arrived: Arrivals) -> "Ledger":
        """The ledger once a range of days that ends here has landed."""
        refused = tuple(asdict(file) | {"ds": str(file.ds)} for file in arrived.refused)
        return Ledger(day, self.files | dict(arrived.files), self.refused + refused)


def ledger(root: Path, feed: str) -> Ledger:
    """What has been read of a feed."""
    path = root / feed / LEDGER
    if not path.exists():
        return Ledger()
    facts = json.loads(path.read_text(encoding="utf-8"))
    return Ledger(date.fromisoformat(facts["through"]), facts["files"], tuple(facts["refused"]))


def keep_ledger(root: Path, feed: str, entries: Ledger) -> None:
    """Note what has been read; only then is what was landed never read again, so it must be on disk by now."""
    os.sync()
    (root / feed).mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(entries) | {"through": str(entries.through)}, indent=1, sort_keys=True)
    durable.put(root / feed / LEDGER, text, Step.THROUGH)


def days(root: Path, feed: str, upto: date, after: date | None = None) -> list[Path]:
    """Folders of the days with arrivals, in order."""
    folders = sorted((root / feed).glob("ds=*"))
    return [
        folder for folder in folders if (after is None or folder.name[3:] > str(after)) and folder.name[3:] <= str(upto)
    ]


def landed(connection: Backend, root: Path, feed: str, upto: date) -> ir.Table | None:
    """All clean rows of a feed that had arrived by a day; None when there are none."""
    folders = days(root, feed, upto)
    if not folders:
        return None
    return engine.read(connection, [folder / ROWS for folder in folders], FEEDS[feed].landed)


def read_rows(folder: Path) -> pa.Table:
    """The clean rows of one day's folder."""
    return pq.read_table(folder / ROWS, partitioning=None)


def latest(rows: ir.Table, key: str) -> ir.Table:
    """The newest arrival of each key."""
    place = ibis.row_number().over(ibis.window(group_by=key, order_by=ibis.desc("ds")))
    return rows.mutate(place=place).filter(lambda t: t.place == 0).drop("place")


def counts(root: Path, feed: str, upto: date, after: date | None = None) -> Counter[str]:
    """Sums of arrived, published, quarantined, deduplicated and `reason/…` over the days' counts."""
    total: Counter[str] = Counter(arrived=0, published=0, quarantined=0, deduplicated=0)
    for folder in days(root, feed, upto, after):
        day = json.loads((folder / COUNTS).read_text())
        total.update({name: day[name] for name in ("arrived", "published", "quarantined", "deduplicated")})
        total.update({f"reason/{reason}": rows for reason, rows in day["reasons"].items()})
    return total


def digest(root: Path, feed: str, upto: date) -> str:
    """SHA-256 over what landed: equal for equal arrivals."""
    sums = hashlib.sha256()
    for folder in days(root, feed, upto):
        sums.update(f"{folder.name} {json.loads((folder / COUNTS).read_text())['sha256']}\n".encode())
    return sums.hexdigest()


def write(root: Path, feed: Feed, rows: pa.Table) -> None:
    """Write judged rows (landed columns plus `origin`, `reason`, `is_duplicate`), one folder a day.

    Rows of erased users are counted, not kept.

    Raises:
        DataError: the counts do not add up.
    """
    for day, arrived in _by_day(rows):
        duplicate = arrived.column("is_duplicate")
        bad = pc.is_valid(arrived.column("reason"))
        clean = feed.landed.enforce(arrived.filter(pc.invert(pc.or_(duplicate, bad))).select(feed.landed.names))
        refused = arrived.filter(bad).drop_columns("is_duplicate")
        reasons = Counter(refused.column("reason").to_pylist())
        kept = _in_order(refused.filter(pc.not_equal(refused.column("reason"), str(Reason.ERASED))))
        facts = {
            "arrived": len(arrived),
            "published": len(clean),
            "quarantined": len(refused),
            "deduplicated": pc.sum(duplicate).as_py(),
            "reasons": dict(sorted(reasons.items())),
        }
        if facts["arrived"] != facts["published"] + facts["quarantined"] + facts["deduplicated"]:
            raise DataError(f"feed {feed.name}, {day}: rows do not add up: {facts}; report this with the drop")
        _place(root / feed.name / f"ds={day}", clean, kept, facts)


def without(root: Path, feed: Feed, keys: Collection[str]) -> int:
    """Rewrite every day that holds rows of some users without them; gives how many rows went.

    File by file, as the ledger says these days stand: a kill on the way loses nothing, and done again it ends the same.
    Rows that were dropped as duplicates are not kept, so theirs stay in the count of duplicates.
    """
    if "user_key" not in feed.landed.names:
        return 0
    gone, theirs = 0, pa.array(sorted(keys), pa.string())
    for folder in days(root, feed.name, date.max):
        kept = {}
        for path in (folder / ROWS, folder / QUARANTINE):
            rows = pq.read_table(path, partitioning=None) if path.exists() else None
            if rows is None:
                continue
            kept[path.name] = rows.filter(pc.invert(pc.is_in(rows.column("user_key"), theirs))).combine_chunks()
            gone += len(rows) - len(kept[path.name])
            if len(rows) > len(kept[path.name]) == 0 and path.name == QUARANTINE:
                durable.drop(path)
            elif len(rows) > len(kept[path.name]):
                with durable.filled(path, Step.PARTITION) as new:
                    pq.write_table(kept[path.name], new, compression="zstd")
        _recount(folder, len(kept[ROWS]), kept.get(QUARANTINE))
    return gone


def first_day(root: Path, feed: Feed, keys: Collection[str]) -> date | None:
    """The first day on which rows of some users arrived that are still here; None where none are."""
    if "user_key" not in feed.landed.names:
        return None
    theirs = pa.array(sorted(keys), pa.string())
    for folder in days(root, feed.name, date.max):
        for path in (folder / ROWS, folder / QUARANTINE):
            if path.exists():
                held = pq.read_table(path, columns=["user_key"], partitioning=None).column("user_key")
                if pc.any(pc.is_in(held, theirs)).as_py():
                    return date.fromisoformat(folder.name[3:])
    return None


def rekeyed(root: Path, feed: Feed, turn: Callable[[pa.ChunkedArray], pa.Array], mark: str) -> int:
    """Rewrite every file of a feed with other user keys; gives how many days there are.

    File by file: what bears the mark was rewritten before, so a kill on the way loses nothing and turns nothing twice.

    Args:
        root: of the feeds.
        feed: with or without user keys.
        turn: other keys for keys [n].
        mark: of this change, and of no other.
    """
    if "user_key" not in feed.landed.names:
        return 0
    folders = list(days(root, feed.name, date.max))
    for folder in folders:
        kept = {}
        for path in (folder / ROWS, folder / QUARANTINE):
            if not path.exists():
                continue
            rows = kept[path.name] = pq.read_table(path, partitioning=None)
            if (rows.schema.metadata or {}).get(MARK) == mark.encode():
                continue
            place = rows.column_names.index("user_key")
            rows = rows.set_column(place, rows.schema.field(place), turn(rows.column("user_key")))
            rows = feed.landed.enforce(rows) if path.name == ROWS else _in_order(rows)
            with durable.filled(path, Step.PARTITION) as new:
                pq.write_table(rows.replace_schema_metadata({MARK: mark}), new, compression="zstd")
        _recount(folder, len(kept[ROWS]), kept.get(QUARANTINE))
    return len(folders)


def _recount(folder: Path, published: int, refused: pa.Table | None) -> None:
    """Have a day's counts say what its files hold, if they do not."""
    facts = json.loads((folder / COUNTS).read_text())
    reasons = Counter(refused.column("reason").to_pylist() if refused else [])
    reasons += Counter({str(Reason.ERASED): facts["reasons"].get(Reason.ERASED, 0)})  # counted, never kept
    now = facts | {
        "arrived": published + reasons.total() + facts["deduplicated"],
        "published": published,
        "quarantined": reasons.total(),
        "reasons": dict(sorted(reasons.items())),
        "sha256": hashlib.sha256((folder / ROWS).read_bytes()).hexdigest(),
    }
    if now != facts:
        durable.put(folder / COUNTS, json.dumps(now, indent=1, sort_keys=True), Step.PARTITION)


def _in_order(rows: pa.Table) -> pa.Table:
    """Rows without a key to sort by, in an order that does not depend on that of arrival."""
    return rows.sort_by([(field.name, "ascending") for field in rows.schema if not pa.types.is_list(field.type)])


def _by_day(rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    rows = rows.sort_by("ds")
    starts: dict[date, list[int]] = {}
    runs = pc.run_end_encode(rows.column("ds").combine_chunks())
    begin = 0
    for day, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        starts[day] = [begin, end]
        begin = end
    for day, (first, last) in starts.items():
        yield day, rows.slice(first, last - first)


def _place(folder: Path, clean: pa.Table, refused: pa.Table, facts: dict[str, Any]) -> None:
    temporary = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    pq.write_table(clean, temporary / ROWS, compression="zstd")
    if len(refused):
        pq.write_table(refused, temporary / QUARANTINE, compression="zstd")
    facts["sha256"] = hashlib.sha256((temporary / ROWS).read_bytes()).hexdigest()
    (temporary / COUNTS).write_text(json.dumps(facts, indent=1, sort_keys=True))
    durable.replace_folder(temporary, folder, Step.PARTITION)
