"""Snapshots that stay until somebody says otherwise, each under a name. Not here: a reader's pin, `snapshot.pinned`."""

import json
from pathlib import Path

from pipeline.errors import NoData
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.snapshot import open_snapshot

FILE = "pins.json"


def pins(root: Path) -> dict[str, str]:
    """Names and the snapshots they keep."""
    path = root / FILE
    loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return loaded


def pin(root: Path, name: str, snapshot_id: str | None = None) -> str:
    """Keep a snapshot under a name, which may have kept another before.

    Args:
        root: the warehouse's folder.
        name: any words.
        snapshot_id: its id; the current one when left out.

    Returns:
        The snapshot's id.

    Raises:
        NoData: there is no such snapshot.
    """
    with durable.locked(root):
        kept = open_snapshot(root, snapshot_id).id
        _keep(root, pins(root) | {name: kept})
    return kept


def unpin(root: Path, name: str) -> str:
    """Let a name's snapshot go when its time comes; gives its id.

    Raises:
        NoData: nothing is kept under this name.
    """
    with durable.locked(root):
        kept = pins(root)
        if name not in kept:
            raise NoData(
                f"{root}: nothing is pinned as '{name}'; choose one of {', '.join(sorted(kept)) or 'none yet'}"
            )
        gone = kept.pop(name)
        _keep(root, kept)
    return gone


def _keep(root: Path, kept: dict[str, str]) -> None:
    durable.put(root / FILE, json.dumps(kept, indent=1, sort_keys=True) + "\n", Step.PIN)
