"""What a night notes about itself: the Recorder protocol and its JSON-lines form on disk.

Models and stages write here and know nothing of MLflow; `tracking` ships the folder afterwards, so a replay
after an outage is the same path as a normal night. Not here: anything that reads or judges the notes.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

NOTES = "record.jsonl"
FILES = "files"
RUNS = "runs"


class Recorder(Protocol):
    """Receives a run's parameters, metrics, tags and files."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Note parameters (nested mappings are flattened with dots when shipped)."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Note metrics, named `family/metric@k`; `step` makes a curve."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Note searchable facts (shop, day, versions)."""

    def file(self, path: Path, folder: str = "") -> None:
        """Keep a copy of a file or directory beside the notes."""


class JsonRecorder:
    """A Recorder that appends JSON lines to `folder/record.jsonl` and copies files under `folder/files`."""

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        """Open the folder; `fresh` forgets what an earlier attempt of the same stage noted."""
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def params(self, values: Mapping[str, Any]) -> None:
        """Note parameters."""
        self._note("params", values)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Note metrics, at a step where they form a curve."""
        self._note("metrics", {name: float(value) for name, value in values.items()}, step)

    def tags(self, values: Mapping[str, str]) -> None:
        """Note tags."""
        self._note("tags", values)

    def file(self, path: Path, folder: str = "") -> None:
        """Copy a file or directory to `files/<folder>/`."""
        target = self.folder / FILES / folder / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, target)

    def _note(self, kind: str, values: Mapping[str, Any], step: int | None = None) -> None:
        note: dict[str, Any] = {"kind": kind, "values": dict(values)}
        if step is not None:
            note["step"] = step
        with (self.folder / NOTES).open("a", encoding="utf-8") as notes:
            notes.write(json.dumps(note, sort_keys=True, default=str) + "\n")


def read_notes(folder: Path) -> list[dict[str, Any]]:
    """The notes of one run's folder, in the order they were written; empty when it has none."""
    path = folder / NOTES
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def last_values(folder: Path, kind: str) -> dict[str, Any]:
    """The last value noted under each name of one kind (`params`, `metrics`, `tags`), curves left out."""
    values: dict[str, Any] = {}
    for note in read_notes(folder):
        if note["kind"] == kind and "step" not in note:
            values.update(note["values"])
    return values
