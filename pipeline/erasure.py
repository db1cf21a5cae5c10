"""The right to erasure: a user's rows leave feeds, intermediate files and what readers see; a tombstone keeps them out.

Logical until the snapshots that held the user are removed (`Erasure.holding`, or `shopkeel erase --gc`). Each step may
be killed and done again. Models hold no rows, but learned from them: those are marked, and the next night begins anew
without them (`stages.desk.champion`). Not here: that night.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Privacy, Table
from pipeline.contracts.tables import RUN_STATUS, TABLES
from pipeline.errors import Refused
from pipeline.feeds import partitions
from pipeline.learning import lineage
from pipeline.privacy import tombstones
from pipeline.privacy.keys import load_secret, user_key
from pipeline.reports import export
from pipeline.settings import Night
from pipeline.warehouse import durable, fence, janitor, snapshot, staging
from pipeline.warehouse.bucket import Bucket
from pipeline.warehouse.commit import bring
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.manifest import Manifest
from pipeline.warehouse.republish import republish

RUN = "erasure"


@dataclass(frozen=True)
class Erasure:
    """What an erasure did.

    Attributes:
        rows: rows removed from each feed.
        snapshot: what readers see now, without the users; None when nothing was published.
        holding: older snapshots that still hold them, until they are removed.
        removed: older snapshots that held them and are gone already.
        models: versions that learned from their rows, themselves or through what they grew from, and those behind the
            snapshots that held them of which nothing else is known, by model.
    """

    rows: dict[str, int]
    snapshot: str | None
    holding: tuple[str, ...]
    removed: tuple[str, ...]
    models: dict[str, tuple[str, ...]]


def erase(night: Night, user_ids: Sequence[str]) -> Erasure:
    """Erase users of a shop.

    Args:
        night: any night of the shop.
        user_ids: the shop's own names of them.

    Raises:
        Refused: a night is at work, whose files would bring them back.
        Superseded: a night was published meanwhile; do it again.
    """
    secret = load_secret(night.home / "secrets")
    keys = [user_key(secret, name) for name in user_ids]
    with durable.locked(night.feeds):  # until the end no night lands, and no second erasure begins
        _begin(night, keys)
        taught = _taught(night, keys)
        rows = {name: partitions.without(night.feeds, feed, keys) for name, feed in FEEDS.items()}
        _gather(night)
        held = [one for one in snapshot.history(night.warehouse) if _holds(night, one, keys)]
        unknown = _unknown(night, held)
        now = _republish(night, keys, {manifest.snapshot for manifest in held})
    models: dict[str, set[str]] = {}
    for name, _, version in (one.partition("/") for one in (*taught, *unknown)):
        models.setdefault(name, set()).add(version)
    return Erasure(
        rows={name: count for name, count in rows.items() if count},
        snapshot=now,
        holding=tuple(manifest.snapshot for manifest in held if manifest.snapshot != now),
        removed=(),
        models={name: tuple(sorted(versions)) for name, versions in sorted(models.items())},
    )


def erase_for_good(night: Night, user_ids: Sequence[str]) -> Erasure:
    """Erase users, and remove the older snapshots that held them, here and in the object store.

    Raises:
        Refused: also where such a snapshot is pinned or being read; who is erased stays so, and it can be done again.
    """
    done = erase(night, user_ids)
    gone = janitor.remove(night.warehouse, done.holding)
    if bucket := Bucket.of(night.shop):
        bucket.remove(done.holding)
    names = {path.name for path in gone}
    left = tuple(one for one in done.holding if one not in names)
    return replace(done, removed=tuple(sorted(names)), holding=left)


def _begin(night: Night, keys: Sequence[str]) -> None:
    """Put the users on the list of the erased and remove what nights left on their way: those to come read the list.

    Raises:
        Refused: a night is at work, which read the list before.
    """
    root, listed = night.warehouse, night.root / tombstones.FILE
    with durable.locked(root):  # no run begins meanwhile
        if live := fence.live(root):
            where = f"shop {night.shop.name}: run {live[0]}"
            raise Refused(f"{where} is at work and would bring the user back; erase when it ends")
        durable.put(listed, tombstones.as_text([*tombstones.load(listed).to_pylist(), *keys]), Step.TOMBSTONE)
        unfinished = [path for path in night.root.rglob(".*") if path.name != durable.LOCK]
        for path in (night.work.parent, root / staging.FOLDER, night.root / export.FOLDER, *unfinished):
            durable.drop(path)


def _taught(night: Night, keys: Sequence[str]) -> list[str]:
    """`model/version` of those in the store that learned from the users, who are marked: what grows from them says so.

    Before any row goes, as the day on which a user first arrived is told by the rows.
    """
    days = [day for feed in FEEDS.values() if (day := partitions.first_day(night.feeds, feed, keys))]
    taught = lineage.taught_since(night.models, min(days)) if days else []
    lineage.mark(night.models, taught)
    return [name for name in taught if (night.models / name).is_dir()]


def _unknown(night: Night, held: Sequence[Manifest]) -> list[str]:
    """`model/version` behind snapshots that held the users of which nothing is noted; they are marked, too."""
    served = {f"{name}/{version}" for manifest in held for name, version in manifest.models.items()}
    unknown = sorted(served - lineage.known(night.models).keys())
    lineage.mark(night.models, unknown)
    return unknown


def _gather(night: Night) -> None:
    """Have the snapshots here that only the object store still has, so that none is overlooked."""
    if bucket := Bucket.of(night.shop):
        with durable.locked(night.warehouse):
            for one in sorted(bucket.state().folders):
                bring(night.warehouse, bucket, one)


def _people(contract: Table) -> list[str]:
    return [column.name for column in contract.columns if column.privacy is Privacy.PSEUDONYM]


def _without(rows: pa.Table, contract: Table, keys: Sequence[str]) -> pa.Table:
    theirs = pa.array(keys, pa.string())
    for name in _people(contract):
        rows = rows.filter(pc.invert(pc.is_in(rows.column(name), theirs)))
    return rows


def _holds(night: Night, manifest: Manifest, keys: Sequence[str]) -> bool:
    pinned = snapshot.open_snapshot(night.warehouse, manifest.snapshot)
    theirs = pa.array(keys, pa.string())
    return any(
        pc.any(pc.is_in(pinned.table(name, columns=[column]).column(column), theirs)).as_py()
        for name in manifest.tables
        for column in _people(TABLES[name])
    )


def _republish(night: Night, keys: Sequence[str], held: set[str]) -> str | None:
    """Publish the current snapshot again without the users, through the one writer; gives what is current then."""
    root, now = night.warehouse, snapshot.pointer(night.warehouse)
    if now is None or now not in held:
        return now
    pinned = snapshot.open_snapshot(root, now)
    parent = None if pinned.manifest.parent in held else pinned.manifest.parent
    return republish(root, pinned, RUN, _tables_without(pinned, keys), parent, Bucket.of(night.shop))


def _tables_without(pinned: snapshot.Snapshot, keys: Sequence[str]) -> Iterator[tuple[Table, pa.Table]]:
    """Each table without the users' rows, and last of all the one that counts the others' rows."""
    counts: dict[str, int] = {}
    for name in pinned.manifest.tables:
        if name != RUN_STATUS.name:
            rows = _without(pinned.table(name), TABLES[name], keys)
            counts[name] = len(rows)
            yield TABLES[name], rows
    if RUN_STATUS.name in pinned.manifest.tables:
        yield RUN_STATUS, _recounted(pinned.table(RUN_STATUS.name), counts)


def _recounted(status: pa.Table, counts: dict[str, int]) -> pa.Table:
    rows = [
        counts.get(name, before)
        for name, before in zip(status.column("table_name").to_pylist(), status.column("rows").to_pylist(), strict=True)
    ]
    return status.set_column(status.column_names.index("rows"), "rows", pa.array(rows, pa.int64()))
