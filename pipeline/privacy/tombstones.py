"""Users who asked to be erased: their keys stay on a list so that no later arrival brings them back."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

FILE = "tombstones.json"


def load(path: Path) -> pa.Array:
    """Keys of the erased users, sorted; none before the first erasure."""
    keys = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return pa.array(keys, pa.string())


def as_text(keys: Iterable[str]) -> str:
    """The list as its file holds it: the same text for the same users."""
    return json.dumps(sorted(set(keys)), indent=1) + "\n"
