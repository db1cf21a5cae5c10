"""The model store and who is champion: versions are immutable folders of safetensors and JSON, named by their content.

The champions of a night are those in the manifest of the snapshot before it, so a rerun starts where the first run did.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import DataError
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

WEIGHTS, CONFIG = "model.safetensors", "config.json"
Outcome = Literal["promoted", "kept", "baseline", "refused"]


@dataclass(frozen=True)
class Judgement:
    """What judge decided about one model.

    Attributes:
        verdict: promoted (challenger serves), kept (champion serves), baseline (neither is better), refused.
        serves: version that scores; None for the baseline.
    """

    model: str
    verdict: Outcome
    challenger: str
    champion: str | None
    serves: str | None
    why: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able facts."""
        return asdict(self)


def keep(store: Path, name: str, write: Callable[[Path], None]) -> str:
    """Add a version to the store.

    Args:
        store: root of the model store.
        name: model name.
        write: fills a given empty folder with `model.safetensors` and JSON files.

    Returns:
        The version: 12 hex digits of the SHA-256 over the folder's files.
    """
    with durable.partial(store / name / "version") as temporary:
        temporary.mkdir()
        write(temporary)
        version = content_hash(temporary)[:12]
        for path in temporary.iterdir():
            durable.sync_file(path)
        durable.sync(temporary)
        with durable.locked(store):
            if (store / name / version).exists():
                with durable.guarded():
                    os.utime(store / name / version)  # in use again: the janitor counts its age from here
            else:
                durable.move(temporary, store / name / version, Step.MODEL)
    return version


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of a model folder's files.

    Raises:
        DataError: a file that is neither safetensors nor JSON nor text.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix not in {".safetensors", ".json", ".txt"} or path.is_symlink() or not path.is_file():
            raise DataError(f"{path}: only files of safetensors, JSON and text may stand in a model folder; remove it")
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def folder(store: Path, name: str, version: str) -> Path:
    """The folder of a version, checked against its name.

    Raises:
        DataError: it is gone or was changed, or that is no version's name.
    """
    path = store / name / version
    if not re.fullmatch(r"[0-9a-f]{12}", version):
        raise DataError(f"model {name} {version!r}: no name of a version; mend what names it")
    if not path.is_dir():
        raise DataError(f"model {name} {version}: not in {store}; restore it or run the night before again")
    if not content_hash(path).startswith(version):
        raise DataError(f"model {name} {version}: its files were changed; restore them or remove the version")
    return path


def at_hand(store: Path, name: str, models: Mapping[str, str]) -> Path | None:
    """The folder of the version that served, checked; None where none did, or its files are gone."""
    version = models.get(name)
    return folder(store, name, version) if version is not None and (store / name / version).is_dir() else None


def config(path: Path) -> dict[str, Any]:
    """The JSON configuration beside a model's weights."""
    return read_json(path / CONFIG)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object."""
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON the same way every time."""
    path.write_text(json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")
