"""Users who asked to be erased: their keys are kept so that no later arrival brings them back."""

import json
from pathlib import Path

import pyarrow as pa

FILE = "tombstones.json"


def load(path: Path) -> pa.Array:
    """Keys of the erased users, sorted; none before the first erasure."""
    keys = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return pa.array(keys, pa.string())
