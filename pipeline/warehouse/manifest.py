"""What one snapshot holds, and the id that follows from it: same content, same id, whatever run made it."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.errors import DataError

FILE = "manifest.json"
ID = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{12}")

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
T = TypeVar("T")


@dataclass(frozen=True)
class TableFile:
    """One table's file, as it was when written.

    Attributes:
        file: its name inside the snapshot's folder.
        sha256: of the file's bytes.
        fingerprint: of the contract it was written under.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    name: Name
    file: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.parquet$")]
    rows: Count
    bytes: Count
    sha256: Sha256
    fingerprint: Sha256

    def to_json(self) -> str:
        """The facts as JSON, the same text for the same facts."""
        return _FILE.dump_json(self, indent=1).decode() + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "table facts") -> "TableFile":
        """Read the facts back.

        Raises:
            DataError: the text is not exactly one table's facts.
        """
        return _read(_FILE, text, where)


@dataclass(frozen=True)
class Manifest:
    """Everything one snapshot holds.

    Attributes:
        snapshot: its id, day and content.
        parent: the snapshot it followed; where a rollback goes.
        models: model names and the versions that scored.
        policy_hash: of the settings it was made under.
        run: which run wrote it; not part of the id.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    snapshot: Annotated[str, Field(pattern=f"^{ID.pattern}$")]
    shop: Name
    day: date
    parent: Annotated[str, Field(pattern=f"^{ID.pattern}$")] | None
    tables: dict[Name, TableFile]
    models: dict[str, str]
    policy_hash: str
    code_version: str
    run: str

    @classmethod
    def of(
        cls,
        *,
        shop: str,
        day: date,
        parent: str | None,
        tables: dict[str, TableFile],
        models: dict[str, str],
        policy_hash: str,
        code_version: str,
        run: str,
    ) -> Self:
        """The manifest of these tables, with the id that follows."""
        snapshot = content_id(day, tables, models, policy_hash)
        parent = None if parent == snapshot else parent  # a lost snapshot made again does not follow itself
        return cls(snapshot, shop, day, parent, tables, models, policy_hash, code_version, run)

    def to_json(self) -> str:
        """The manifest as JSON, the same text for the same manifest."""
        return json.dumps(_MANIFEST.dump_python(self, mode="json"), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "manifest") -> "Manifest":
        """Read a manifest back.

        Args:
            text: JSON.
            where: the file, for the message.

        Raises:
            DataError: it is not JSON, a key is missing, unknown or wrong, or the id is not the content's.
        """
        manifest = _read(_MANIFEST, text, where)
        if manifest.snapshot != content_id(manifest.day, manifest.tables, manifest.models, manifest.policy_hash):
            raise DataError(f"{where}: snapshot {manifest.snapshot} does not have the content its id says; {REMEDY}")
        for name, file in manifest.tables.items():
            if (file.name, file.file) != (name, f"{name}.parquet"):
                raise DataError(f"{where}: table {name} names another table's file; {REMEDY}")
        return manifest


REMEDY = "roll back to another snapshot or run its date again"
_FILE = TypeAdapter(TableFile)
_MANIFEST = TypeAdapter(Manifest)


def content_id(day: date, tables: dict[str, TableFile], models: dict[str, str], policy_hash: str) -> str:
    """The snapshot id: the day, and 12 hex digits of SHA-256 over tables (name, bytes, contract), models and policy."""
    content = [sorted((t.name, t.sha256, t.fingerprint) for t in tables.values()), sorted(models.items()), policy_hash]
    return f"{day}-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]}"


def day_of(snapshot: str) -> date:
    """The business day in a snapshot id."""
    return date.fromisoformat(snapshot[:10])


def _read(reader: TypeAdapter[T], text: str | bytes, where: str) -> T:
    try:
        return reader.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{where}: {key + ': ' if key else ''}{first['msg']}; {REMEDY}") from error
