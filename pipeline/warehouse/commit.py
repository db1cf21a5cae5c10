"""From staged tables to what readers see: requirements checked under a lock, then one pointer swap, then the log.

A shop's object store, where there is one, moves first: what it refuses does not happen here either.

Three outcomes: committed (a manifest is returned), not committed (`Refused`, `DataError`, `Superseded`), unknown
(`CommitStateUnknown`, or the process died): running the same commit again resolves it.
"""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline.errors import CommitStateUnknown, DataError, NoData, Refused, Superseded
from pipeline.warehouse import durable
from pipeline.warehouse import manifest as manifests
from pipeline.warehouse import staging as stagings
from pipeline.warehouse.bucket import Bucket
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.manifest import Manifest, day_of
from pipeline.warehouse.snapshot import CURRENT, FOLDER, LOG, log, open_snapshot, pointer
from pipeline.warehouse.staging import TABLES, Staging


@dataclass(frozen=True)
class Requirements:
    """What must hold for a commit.

    Attributes:
        current: the id CURRENT named when the run started; the fence against a run that overtook this one.
        verdict_passed: the audit's gates said yes.
        tables: tables that must be staged.
    """

    current: str | None
    verdict_passed: bool
    tables: frozenset[str]


def commit(
    root: Path,
    staging: Staging,
    *,
    shop: str,
    day: date,
    parent: str | None,
    models: dict[str, str],
    policy_hash: str,
    code_version: str,
    requires: Requirements,
    bucket: Bucket | None = None,
) -> Manifest:
    """Publish staged tables as one snapshot; doing it again changes nothing.

    CURRENT moves to the snapshot unless it names a later day: a backfill is published beside it, so it needs no fence.

    Args:
        root: the warehouse's folder.
        staging: the run's staged tables.
        shop: the shop's name.
        day: business day.
        parent: the snapshot this one follows.
        models: model names and versions behind the tables.
        policy_hash: of the settings.
        code_version: of this package.
        requires: what must hold.
        bucket: the shop's object store.

    Returns:
        The snapshot's manifest: the first one written, when the same content was published before.

    Raises:
        Refused: the verdict is not a pass.
        DataError: a required table is not staged, or its file is not as written.
        Superseded: another run moved CURRENT since this one started, or a newer attempt of this one has begun.
        CommitStateUnknown: the disk failed while the pointer moved, or the object store did.
    """
    if not requires.verdict_passed:
        raise Refused(f"shop {shop}, {day}: the audit did not pass, the last snapshot stays; read its verdicts")
    with durable.locked(root), durable.guarded():
        now = _settled(root)
        tables = staging.tables()
        if missing := sorted(requires.tables - set(tables)):
            names = ", ".join(missing)
            raise DataError(f"staging {staging.folder.name}: no table {names}; run the stages that write them")
        manifest = Manifest.of(
            shop=shop,
            day=day,
            parent=parent,
            tables=tables,
            models=models,
            policy_hash=policy_hash,
            code_version=code_version,
            run=staging.run,
        )
        leads = now is None or day >= day_of(now)
        if leads and now not in (requires.current, manifest.snapshot):
            raise Superseded(
                f"shop {shop}, {day}: CURRENT moved from {requires.current} to {now} during the run; "
                "read that snapshot, or run the date again on top of it"
            )
        manifest = _place(root, staging, manifest)
        if bucket:
            kind = "commit" if leads else "backfill"
            bucket.publish(open_snapshot(root, manifest.snapshot), kind, after=requires.current)
        if leads and now != manifest.snapshot:
            _point(root, "commit", now, manifest.snapshot)
        elif not leads and manifest.snapshot not in {move["snapshot"] for move in log(root)}:
            _note(root, "backfill", now, now, manifest.snapshot)
    return manifest


def rollback(root: Path, to: str | None = None, bucket: Bucket | None = None) -> Manifest:
    """Point readers at an earlier snapshot; nothing is deleted, and a run under way loses its fence.

    Args:
        root: the warehouse's folder.
        to: a snapshot's id; the parent of the current one when left out. Rolling forward again is a rollback, too.
        bucket: the shop's object store.

    Raises:
        NoData: nothing is published, the current one has no parent, or there is no such snapshot.
        DataError: the snapshot to go to is damaged.
        Superseded: the object store's readers see another than this warehouse's.
        CommitStateUnknown: the disk failed while the pointer moved, or the object store did.
    """
    with durable.locked(root):
        now = _settled(root)
        target = to or open_snapshot(root, now).manifest.parent
        if target is None:
            raise NoData(f"{root}: {now} is the first snapshot, nothing to roll back to; run the night again instead")
        if bucket:
            bring(root, bucket, target)
        manifest = open_snapshot(root, target).manifest
        if target != now:
            if bucket:
                bucket.publish(open_snapshot(root, target), "rollback", after=now)
            _point(root, "rollback", now, target)
    return manifest


def mirror(root: Path, bucket: Bucket) -> str | None:
    """Make this warehouse show what the object store's readers see; an empty store gets what is current here.

    Returns:
        The current snapshot's id; None when nothing is published.

    Raises:
        DataError: what stands in the store is damaged.
    """
    with durable.locked(root), durable.guarded():
        now, there = _settled(root), bucket.state().current
        if there is None and now is not None:
            bucket.publish(open_snapshot(root, now), "commit", after=None)
        elif there is not None and there != now:
            bring(root, bucket, there)
            _point(root, "mirrored", now, there)
    return there or now


def bring(root: Path, bucket: Bucket, snapshot: str) -> None:
    """Copy a snapshot from the object store unless it stands here; one that is nowhere is for the caller to miss.

    Raises:
        DataError: what stands in the store is damaged.
    """
    folder = root / FOLDER / snapshot
    if folder.exists() or snapshot not in bucket.state().folders:
        return
    with durable.partial(root / stagings.FOLDER / snapshot) as new:
        bucket.fetch(snapshot, new)
        for path in new.iterdir():
            durable.sync_file(path)
        folder.parent.mkdir(exist_ok=True)
        durable.move(new, folder, Step.SNAPSHOT)


def _place(root: Path, staging: Staging, manifest: Manifest) -> Manifest:
    """Rename the staged tables to the snapshot's folder, unless its content already stands there."""
    folder = root / FOLDER / manifest.snapshot
    if folder.exists():
        return open_snapshot(root, manifest.snapshot).manifest
    for table in manifest.tables.values():
        path = staging.path(table.name)
        if not path.is_file() or path.stat().st_size != table.bytes:
            raise DataError(f"{path}: missing or not of {table.bytes:,} bytes; run the stage that writes {table.name}")
    folder.parent.mkdir(exist_ok=True)
    for left in (staging.folder / TABLES).glob(".*"):  # by an attempt that died at work
        durable.drop(left)
    durable.put(staging.folder / TABLES / manifests.FILE, manifest.to_json(), Step.MANIFEST)
    durable.move(staging.folder / TABLES, folder, Step.SNAPSHOT)
    return manifest


def _point(root: Path, kind: str, origin: str | None, to: str) -> None:
    try:
        durable.put(root / CURRENT, to + "\n", Step.POINTER)
        _note(root, kind, origin, to, to)
    except OSError as error:
        raise CommitStateUnknown(f"{root}: {error} while CURRENT moved to {to}; run the same date again") from error


def _note(root: Path, kind: str, origin: str | None, to: str | None, snapshot: str | None) -> None:
    moves = log(root)
    moves.append({"sequence": len(moves) + 1, "kind": kind, "from": origin, "to": to, "snapshot": snapshot})
    durable.put(root / LOG, "".join(json.dumps(move) + "\n" for move in moves), Step.LOG)


def _settled(root: Path) -> str | None:
    """What CURRENT names, after noting a move whose process died before it could."""
    now, moves = pointer(root), log(root)
    last = moves[-1]["to"] if moves else None
    if now != last:
        _note(root, "recovered", last, now, now)
    return now
