"""Removes what no reader needs: staging of dead runs and snapshots past their keep."""

import shutil
from collections.abc import Collection
from pathlib import Path

from pipeline.warehouse import durable, staging
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.snapshot import FOLDER, history, pointer


def sweep(root: Path, keep: int, *, live: Collection[str] = (), pinned: Collection[str] = ()) -> list[Path]:
    """Remove leaked staging and old snapshots.

    Args:
        root: the warehouse's folder.
        keep: snapshots to keep, newest day first; CURRENT stays in any case.
        live: names of staging folders (`<day>-<run>`) whose runs still work.
        pinned: ids of snapshots that stay in any case.

    Returns:
        The removed folders.
    """
    removed = []
    with durable.locked(root):
        area = root / staging.FOLDER
        area.mkdir(exist_ok=True)
        stays = {pointer(root), *pinned, *(manifest.snapshot for manifest in history(root)[:keep])}
        for folder in sorted(area.iterdir()):
            if folder.name not in live:
                shutil.rmtree(folder)
                removed.append(folder)
        for folder in sorted((root / FOLDER).glob("*")):
            if folder.name not in stays:
                # Out of sight in one step, so that no reader meets a snapshot with half its files.
                hidden = area / folder.name
                durable.move(folder, hidden, Step.REMOVAL)
                shutil.rmtree(hidden)
                removed.append(folder)
    return removed
