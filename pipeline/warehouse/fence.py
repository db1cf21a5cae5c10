"""Of the live copies of one run's task only the newest may change anything: an orphan beside its retry, a night twice.

A run's tenure, `runs/<run>/`, counts how often the run began (its epoch) and, since then, how often each task did. Not
here: the fence between runs, which is `commit`'s.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Superseded
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

FOLDER, TENURE = "runs", "tenure.json"


@dataclass(frozen=True)
class Token:
    """One attempt of one task.

    Attributes:
        folder: the run's tenure.
        epoch: how often the run had begun.
        attempt: how often the task had begun in this epoch.
    """

    folder: Path
    task: str
    epoch: int
    attempt: int

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep newer attempts from beginning while something changes.

        Raises:
            Superseded: one has begun.
        """
        with durable.locked(self.folder, fcntl.LOCK_SH):
            now = _tenure(self.folder)
            if (now["epoch"], now["tasks"].get(self.task)) != (self.epoch, self.attempt):
                raise _superseded(self.folder, self.task)
            yield


def begin(root: Path, run: str) -> int:
    """Begin a run anew, which supersedes every earlier task of it.

    Args:
        root: the warehouse's folder.
        run: the run's name, `<day>-<run>` as in staging.

    Returns:
        The epoch, for `enter`.
    """
    with durable.locked(root), durable.locked(root / FOLDER / run):
        epoch = int(_tenure(root / FOLDER / run)["epoch"]) + 1
        _keep(root / FOLDER / run, {"epoch": epoch, "tasks": {}})
    return epoch


@contextmanager
def enter(root: Path, run: str, task: str, epoch: int | None = None) -> Iterator[Token]:
    """Begin an attempt of a task: until the end of the block, `durable` changes nothing for one that was overtaken.

    Args:
        root: the warehouse's folder.
        run: the run's name.
        task: the task's.
        epoch: that the run must still be in; any when left out.

    Raises:
        Superseded: the run has begun anew.
    """
    folder = root / FOLDER / run
    with alive(root, run):
        with durable.locked(root), durable.locked(folder):
            now = _tenure(folder)
            if epoch not in (None, now["epoch"]):
                raise _superseded(folder, task)
            token = Token(folder, task, now["epoch"], now["tasks"].get(task, 0) + 1)
            _keep(folder, now | {"tasks": now["tasks"] | {task: token.attempt}})
        before = durable.GUARD.set(token.held)
        try:
            yield token
        finally:
            durable.GUARD.reset(before)


@contextmanager
def alive(root: Path, run: str) -> Iterator[None]:
    """Keep the janitor off a run's files; the death of the process lets him."""
    folder = root / FOLDER / run
    with ExitStack() as stack:
        with durable.locked(root):
            folder.mkdir(parents=True, exist_ok=True)
            os.utime(folder)  # what a run leaves between its tasks is as old as the last of them
            stack.enter_context(durable.held(folder))
        yield


def is_live(root: Path, run: str) -> bool:
    """Whether a process of the run lives; certain under the warehouse's lock only."""
    folder = root / FOLDER / run
    return folder.is_dir() and durable.is_held(folder)


def live(root: Path) -> list[str]:
    """The runs of which a process lives; certain under the warehouse's lock only."""
    return sorted(path.name for path in (root / FOLDER).glob("[!.]*") if is_live(root, path.name))


def _tenure(folder: Path) -> dict[str, Any]:
    path = folder / TENURE
    loaded: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"epoch": 0, "tasks": {}}
    return loaded


def _keep(folder: Path, tenure: dict[str, Any]) -> None:
    # Unguarded: an attempt may begin inside an older one.
    Context().run(durable.put, folder / TENURE, json.dumps(tenure, sort_keys=True), Step.FENCE)


def _superseded(folder: Path, task: str) -> Superseded:
    words = "a newer attempt of this task has started; nothing to do, it will finish the night"
    return Superseded(f"run {folder.name}, {task}: {words}")
