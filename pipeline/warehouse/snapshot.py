"""The only reader: a snapshot found by id, which no later commit, rollback or backfill changes."""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import DataError, NoData
from pipeline.warehouse import durable
from pipeline.warehouse import manifest as manifests
from pipeline.warehouse.manifest import ID, Manifest

FOLDER, CURRENT, LOG = "snapshots", "CURRENT", "log.jsonl"


@dataclass(frozen=True)
class Snapshot:
    """One published snapshot."""

    folder: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        """Its id."""
        return self.manifest.snapshot

    def path(self, table: str) -> Path:
        """A table's Parquet file.

        Raises:
            NoData: the snapshot has no such table.
        """
        if table not in self.manifest.tables:
            known = ", ".join(sorted(self.manifest.tables))
            raise NoData(f"snapshot {self.id}: no table {table}; it has {known}")
        return self.folder / self.manifest.tables[table].file

    def table(self, table: str, columns: list[str] | None = None, user_key: str | None = None) -> pa.Table:
        """A table's rows in the contract's order.

        Args:
            table: its name.
            columns: those to read; all when left out.
            user_key: only this user's rows.

        Raises:
            NoData: the snapshot has no such table.
        """
        if user_key is not None:
            return rows_of(self.path(table), user_key, columns)
        return pq.read_table(self.path(table), columns=columns, partitioning=None)


def rows_of(path: Path, user_key: str, columns: list[str] | None = None) -> pa.Table:
    """One user's rows of a table; of one sorted by users only the row groups are looked at that may have some.

    Arrow's own filter finds them, too, but takes longer to begin than it takes to read them.

    Args:
        path: of the Parquet file.
        user_key: whose.
        columns: those to read; all when left out.
    """
    with pq.ParquetFile(path, memory_map=True) as file:
        facts = file.metadata
        order = facts.row_group(0).sorting_columns[:1] if facts.num_row_groups else ()
        leaf = order[0].column_index if order else 0
        if not order or facts.schema.column(leaf).path != "user_key":
            return pq.read_table(path, columns=columns, filters=pc.field("user_key") == user_key, partitioning=None)
        groups = range(facts.num_row_groups)
        first = bisect_left(groups, user_key, key=lambda at: facts.row_group(at).column(leaf).statistics.max)
        end = bisect_right(groups, user_key, key=lambda at: facts.row_group(at).column(leaf).statistics.min)
        wanted = None if columns is None else [*{*columns, "user_key"}]
        rows = file.read_row_groups(list(groups[first:end]), wanted)
        rows = rows.filter(pc.equal(rows.column("user_key"), user_key))
        return rows if columns is None else rows.select(columns)


def pointer(root: Path) -> str | None:
    """The id that CURRENT names; None before the first commit.

    Raises:
        DataError: CURRENT does not hold an id.
    """
    path = root / CURRENT
    if not path.exists():
        return None
    named = path.read_text(encoding="utf-8", errors="replace").strip()
    if not ID.fullmatch(named):
        raise DataError(f"{path}: '{named[:40]}' is no snapshot id; write one of {_choices(root)} into it")
    return named


def current(root: Path) -> Snapshot | None:
    """The snapshot readers get; None before the first commit."""
    named = pointer(root)
    return None if named is None else open_snapshot(root, named)


def open_snapshot(root: Path, snapshot_id: str | None = None) -> Snapshot:
    """Find a snapshot.

    Args:
        root: the warehouse's folder.
        snapshot_id: its id; the current one when left out.

    Raises:
        NoData: nothing is published, or not this one.
        DataError: its manifest is broken, or a file is missing or has another size.
    """
    named = snapshot_id or pointer(root)
    if named is None:
        raise NoData(f"{root}: nothing is published yet; run a night with `shopkeel run --date D`")
    folder = root / FOLDER / named
    if not ID.fullmatch(named) or not folder.is_dir():
        raise NoData(f"{root}: no snapshot {named}; choose one of {_choices(root)}")
    snapshot = Snapshot(folder, _manifest(folder))
    for name, file in snapshot.manifest.tables.items():
        path = folder / file.file
        if not path.is_file() or path.stat().st_size != file.bytes:
            raise DataError(f"{path}: table {name} is missing or not of {file.bytes:,} bytes; {_remedy(folder)}")
    return snapshot


@contextmanager
def pinned(root: Path, snapshot_id: str | None = None) -> Iterator[Snapshot]:
    """Open a snapshot that the janitor leaves alone until the end of the block; the death of the reader lets it go.

    Args:
        root: the warehouse's folder.
        snapshot_id: its id; the current one when left out.

    Raises:
        NoData: nothing is published, or not this one.
        DataError: its manifest is broken, or a file is missing or has another size.
    """
    with ExitStack() as stack:
        while True:
            opened = open_snapshot(root, snapshot_id)
            try:
                stack.enter_context(durable.held(opened.folder))
            except FileNotFoundError:  # it went meanwhile: the next look finds another, or says so
                continue
            break
        yield opened


def history(root: Path) -> list[Manifest]:
    """Manifests of all snapshots on disk, newest day first; of one day, the last committed first."""
    committed = {move["snapshot"]: move["sequence"] for move in log(root)}
    found = [_manifest(path.parent) for path in (root / FOLDER).glob(f"*/{manifests.FILE}")]
    return sorted(found, key=lambda one: (one.day, committed.get(one.snapshot, 0), one.snapshot), reverse=True)


def newest_before(root: Path, day: date) -> Snapshot | None:
    """The snapshot of the last day before this one; None when there is none."""
    earlier = next((one for one in history(root) if one.day < day), None)
    return None if earlier is None else open_snapshot(root, earlier.snapshot)


def verify(snapshot: Snapshot) -> list[str]:
    """Hash a snapshot's files again.

    Returns:
        What is wrong, one sentence a file; empty when all is as written.
    """
    problems = []
    expected = {file.file: file for file in snapshot.manifest.tables.values()}
    for name, file in expected.items():
        path = snapshot.folder / name
        if not path.is_file():
            problems.append(f"{name}: missing")
            continue
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != file.sha256:
            problems.append(f"{name}: SHA-256 is {found[:12]}…, the manifest says {file.sha256[:12]}…")
    extra = {path.name for path in snapshot.folder.iterdir()} - set(expected) - {manifests.FILE}
    return problems + [f"{name}: not in the manifest" for name in sorted(extra)]


def log(root: Path) -> list[dict[str, Any]]:
    """Every move of CURRENT and every backfill: sequence, kind, from, to, snapshot; oldest first."""
    path = root / LOG
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _manifest(folder: Path) -> Manifest:
    path = folder / manifests.FILE
    if not path.is_file():
        raise DataError(f"{path}: missing; {_remedy(folder)}")
    manifest = Manifest.from_json(path.read_bytes(), str(path))
    if manifest.snapshot != folder.name:
        raise DataError(f"{path}: is snapshot {manifest.snapshot}'s; {_remedy(folder)}")
    return manifest


def _remedy(folder: Path) -> str:
    return f"`shopkeel rollback --to ID`, or delete {folder} and run its date again"


def _choices(root: Path) -> str:
    return ", ".join(sorted((path.name for path in (root / FOLDER).glob("*-*")), reverse=True)) or "none yet"
