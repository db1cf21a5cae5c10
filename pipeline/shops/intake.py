"""Taking files in: checked against their folder's manifest, copied, parsed in the child, or set aside with a reason.

Not here: which folders there are and what their rows mean (`shops.landing`, `shops.dump`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.errors import ConfigError
from pipeline.settings import LandingSettings, Shop
from pipeline.shops.folder import File, Folder
from pipeline.shops.parsing import FORMS, Parser, form_of
from pipeline.shops.source import RefusedFile

MANIFEST = "_manifest.json"
MANIFEST_BYTES = 16 << 20
NOTHING: Mapping[str, str] = MappingProxyType({})
TORN, UNCHECKED = "torn", "unchecked"
Why = tuple[str, str]  # a reason for counting, and words for people


@dataclass(frozen=True)
class Drop:
    """Files that were handed over together.

    Attributes:
        address: of their folder.
        ds: the day on which their rows arrive: the folder's, or tonight's when they come late.
        promised: what the manifest says of each file; None without a readable manifest.
        seal: SHA-256 of the manifest; empty without one.
    """

    address: str
    ds: date
    files: tuple[File, ...] = ()
    promised: dict[str, dict[str, Any]] | None = None
    seal: str = ""

    def inside(self, name: str) -> str:
        """The address of a file of this name."""
        return f"{self.address}/{name}".lstrip("/")


@dataclass
class Haul:
    """What is taken from the files of one feed, as it grows; what earlier landings saw is not taken again.

    A mark is a file's SHA-256 and stamp, and where it was set aside, the reason and the manifest's SHA-256.

    Attributes:
        seen: by address, the marks of what earlier landings read or set aside.
        files: the same of what this one did.
        parts: clean Parquet files.
        text: some rows come from text files.
    """

    seen: Mapping[str, str]
    files: dict[str, str] = field(default_factory=dict)
    refused: list[RefusedFile] = field(default_factory=list)
    parts: list[Path] = field(default_factory=list)
    text: bool = False

    def refuse(self, address: str, drop: Drop, why: Why, digest: str = "", stamp: str = "") -> None:
        """Set a file aside; while it and its manifest stay as they are, it is told once."""
        mark = f"{digest or '-'} {stamp or '-'} {why[0]} {drop.seal}".rstrip()
        if self.seen.get(address) != mark:
            self.files[address] = mark
            self.refused.append(RefusedFile(address, digest, drop.ds, *why))


class Intake:
    """A folder and the child that parses what lies in it."""

    def __init__(self, shop: Shop) -> None:
        """Open the shop's folder; nothing is read yet."""
        if shop.landing is None:
            raise ConfigError(f"shop {shop.name}: no section `landing`; say where its files lie")
        self.limits, self.folder, self.parser = shop.landing, Folder(shop.landing.path), Parser(shop.landing)

    def drop(self, address: str, ds: date, files: Sequence[File]) -> Drop:
        """The files of one folder, with what its manifest says of them."""
        data = tuple(file for file in files if not file.name.startswith("_"))
        for file in files:
            if file.name == MANIFEST and file.is_plain:
                promised = _promised(self.folder.head(file, MANIFEST_BYTES))
                return Drop(address, ds, data, promised, self.folder.digest(file))
        return Drop(address, ds, data)

    def take(self, drop: Drop, haul: Haul, header: Sequence[str] = ()) -> None:
        """Read what is new in a drop.

        Args:
            drop: the files.
            haul: grows by what is read and what is set aside.
            header: columns of CSV files that have no header.
        """
        if drop.promised is None and (drop.seal or self.limits.checksums == "required"):
            what = "is no list of files" if drop.seal else "is missing"
            haul.refuse(drop.inside(MANIFEST), drop, (UNCHECKED, f"{what}; the files beside it are not read"))
            return
        for file in drop.files:
            if why := _unfit(file, self.limits):
                haul.refuse(file.address, drop, why, stamp=file.stamp)
            elif not self._is_settled(file, drop, haul):
                self._read(file, drop, haul, header)
        for name in sorted((drop.promised or {}).keys() - {file.name for file in drop.files}):
            haul.refuse(drop.inside(name), drop, (TORN, f"named in {MANIFEST}, but not there"))

    def _is_settled(self, file: File, drop: Drop, haul: Haul) -> bool:
        """An earlier landing read the file, or set it aside for a reason that still stands."""
        digest, _, rest = haul.seen.get(file.address, "").partition(" ")
        stamp, _, verdict = rest.partition(" ")
        if digest in ("", "-"):
            return False
        # What was touched is hashed; the rest is not, or nights would grow longer with every old file.
        if stamp != file.stamp:
            if digest != self.folder.digest(file):
                return False
            haul.files[file.address] = f"{digest} {file.stamp} {verdict}".rstrip()
        return not verdict or verdict.partition(" ")[2] == drop.seal

    def _read(self, file: File, drop: Drop, haul: Haul, header: Sequence[str]) -> None:
        spooled = self.parser.spool()
        digest = self.folder.copy(file, spooled)
        promise = None if drop.promised is None else drop.promised.get(file.name)
        if why := self._broken(promise, digest, file.size):
            spooled.unlink()
            haul.refuse(file.address, drop, why, digest, file.stamp)
            return
        parsed = self.parser.parse(spooled, file.name, file.address, drop.ds if drop.address else None, header)
        if parsed.reason:
            haul.refuse(file.address, drop, (parsed.reason, parsed.words), digest, file.stamp)
        elif promise and promise.get("rows", parsed.rows) != parsed.rows:
            words = f"{parsed.rows} rows, but {MANIFEST} names {promise['rows']}"
            haul.refuse(file.address, drop, (TORN, words), digest, file.stamp)
        else:
            haul.files[file.address] = f"{digest} {file.stamp}"
            haul.parts += parsed.parts
            haul.text |= form_of(file.name) != ("parquet", False)

    def _broken(self, promise: dict[str, Any] | None, digest: str, size: int) -> Why | None:
        """How a file breaks its promise."""
        if promise is None:
            return (UNCHECKED, f"not named in {MANIFEST}") if self.limits.checksums == "required" else None
        if self.limits.checksums == "required" and "sha256" not in promise:
            return UNCHECKED, f"{MANIFEST} names no sha256"
        if promise.get("sha256", digest) != digest or promise.get("bytes", size) != size:
            return TORN, f"not the bytes that {MANIFEST} names"
        return None


def _unfit(file: File, limits: LandingSettings) -> Why | None:
    """Why a file is set aside before anyone opens it."""
    if not file.is_plain:
        return "unreadable", "a link or device, not a file"
    if form_of(file.name) is None:
        return "unknown_format", f"not one of {', '.join(FORMS)} (text also as .gz)"
    if file.size > limits.max_file_mib << 20:
        return "too_large", f"{file.size >> 20} MiB, more than max_file_mib ({limits.max_file_mib})"
    return None


def _promised(text: bytes) -> dict[str, dict[str, Any]] | None:
    """A manifest's entries by file name; None when it is no manifest."""
    try:
        return {str(name): dict(entry) for name, entry in json.loads(text)["files"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
