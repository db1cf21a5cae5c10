"""Publishing the current snapshot again with other rows, as erasure and a rotation of keys do. Not here: which rows."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from pipeline.contracts.table import Table
from pipeline.warehouse import durable, staging
from pipeline.warehouse.bucket import Bucket
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.snapshot import Snapshot


def republish(
    root: Path,
    current: Snapshot,
    run: str,
    tables: Iterable[tuple[Table, pa.Table]],
    parent: str | None,
    bucket: Bucket | None,
) -> str:
    """Publish a snapshot's tables with these rows, under its day, models and policy, through the one writer.

    Args:
        root: the warehouse's folder.
        current: what readers see now.
        run: the name of the run that stages it.
        tables: every table of the snapshot, with its rows.
        parent: the snapshot that a rollback then goes to.
        bucket: where readers elsewhere read, if anywhere.

    Returns:
        The id of what readers see then.

    Raises:
        Superseded: readers see another one by now.
    """
    manifest = current.manifest
    staged = staging.Staging.open(root, manifest.day, run, fresh=True)
    for contract, rows in tables:
        staged.write(contract, rows)
    published = commit(
        root,
        staged,
        shop=manifest.shop,
        day=manifest.day,
        parent=parent,
        models=manifest.models,
        policy_hash=manifest.policy_hash,
        code_version=manifest.code_version,
        requires=Requirements(current.id, verdict_passed=True, tables=frozenset(manifest.tables)),
        bucket=bucket,
    )
    durable.drop(staged.folder)
    return published.snapshot
