"""File operations that a kill or a power cut leaves done or not done, never half done. Local file systems only."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.warehouse.failpoints import Step, reached

LOCK = ".lock"


def sync(folder: Path) -> None:
    """Make names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(source: Path, target: Path, step: Step) -> None:
    """Rename a file or folder; a file in the way is replaced."""
    reached(f"before-{step}")
    source.replace(target)
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)
    reached(f"after-{step}")


def replace_folder(source: Path, target: Path, step: Step) -> None:
    """Rename a folder onto another, which is gone first: for what a rerun makes again until a ledger says it stands.

    Not synced one by one: the ledger's writer syncs all of them at once.
    """
    shutil.rmtree(target, ignore_errors=True)
    reached(f"before-{step}")
    source.rename(target)
    reached(f"after-{step}")


def put(path: Path, text: str, step: Step) -> None:
    """Write or replace a small file. Only under the lock: the partial file has a fixed name, so none is left behind."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    move(partial, path, step)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold a warehouse alone; waits for the holder, whose death releases it."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
