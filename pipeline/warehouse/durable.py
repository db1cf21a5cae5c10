"""File operations that a kill or a power cut leaves done or not done, never half done. Local file systems only."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path

from pipeline.warehouse.failpoints import Step, reached

LOCK = ".lock"
GUARD: ContextVar[Callable[[], AbstractContextManager[None]]] = ContextVar("GUARD", default=nullcontext)
"""What must hold while anything changes; `fence` sets it."""


def guarded() -> AbstractContextManager[None]:
    """Change something that others see, if this copy of the task still may."""
    return GUARD.get()()


def sync(folder: Path) -> None:
    """Make names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make a file's bytes survive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def move(source: Path, target: Path, step: Step) -> None:
    """Rename a file or folder; a file in the way is replaced."""
    reached(f"before-{step}")
    with guarded():
        source.replace(target)
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)
    reached(f"after-{step}")


def replace_folder(source: Path, target: Path, step: Step) -> None:
    """Rename a folder onto another, which is gone first: for what a rerun makes again until a ledger says it stands.

    Not synced one by one: the ledger's writer syncs all of them at once.
    """
    drop(target)
    reached(f"before-{step}")
    with guarded():
        source.rename(target)
    reached(f"after-{step}")


def drop(path: Path) -> None:
    """Remove a file or folder that others may still make again; none there is fine."""
    with guarded():
        _remove(path)


@contextmanager
def partial(target: Path) -> Iterator[Path]:
    """A hidden path of our own beside the target, to write a file or folder to; nothing is left there in the end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        yield path
    finally:
        _remove(path)


@contextmanager
def filled(target: Path, step: Step) -> Iterator[Path]:
    """A path to write a file to; at the end it is synced and takes the target's name, or is gone after an error."""
    with partial(target) as path:
        yield path
        sync_file(path)
        move(path, target, step)


def put(path: Path, text: str, step: Step) -> None:
    """Write or replace a small file."""
    with filled(path, step) as new:
        new.write_text(text, encoding="utf-8")


@contextmanager
def locked(root: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a folder alone (or shared: `fcntl.LOCK_SH`); waits for the holder, whose death releases it."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOCK).open("w") as lock:
        fcntl.flock(lock, how)
        yield


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder from being taken away, as others may at the same time; our death lets it go.

    Raises:
        FileNotFoundError: it is gone.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)  # waits while it is being taken away
        if not os.path.samestat(os.fstat(handle), folder.stat()):
            raise FileNotFoundError(f"{folder}: was taken away and made again meanwhile")
        yield
    finally:
        os.close(handle)


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether nobody holds a path; then nobody can until the end of the block."""
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(handle)


def is_held(folder: Path) -> bool:
    """Whether somebody holds a folder."""
    with _alone(folder) as free:
        return not free


def take_away(path: Path, aside: Path, step: Step) -> bool:
    """Remove a file or folder that nobody holds, out of sight in one step; False when somebody does.

    Args:
        path: what goes.
        aside: a folder on the same disk, where it stands while its files are deleted.
        step: the named step.
    """
    with _alone(path) as free:
        if free:
            with partial(aside / path.name.lstrip(".")) as hidden:
                move(path, hidden, step)
    return free


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
