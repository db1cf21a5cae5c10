"""A folder of uploads, local or on an object store: what lies in it, and copies of it by content hash.

Nothing here looks into a file.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import fsspec  # type: ignore[import-untyped]
from fsspec.utils import tokenize  # type: ignore[import-untyped]

CHUNK = 1 << 20


@dataclass(frozen=True)
class File:
    """One file below the folder.

    Attributes:
        address: path below the folder.
        size: in bytes.
        stamp: changes when the store says that the file was touched.
        is_plain: an ordinary file: no link, device or pipe.
    """

    address: str
    size: int
    stamp: str
    is_plain: bool

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.address.rsplit("/", 1)[-1]


class Folder:
    """Files below a directory or fsspec URI."""

    def __init__(self, uri: str) -> None:
        """Open the store; nothing is read yet."""
        self.fs, root = fsspec.url_to_fs(uri)
        self.uri, self.root = uri, root.rstrip("/")
        self.hashes: dict[tuple[str, str], str] = {}

    def files(self, below: str = "") -> list[File]:
        """Files at any depth below a part of the folder, by address; names that begin with . are left out."""
        self.fs.invalidate_cache()
        found = self.fs.find(f"{self.root}/{below}".rstrip("/"), detail=True)
        files = []
        for path, facts in found.items():
            address = path.removeprefix(f"{self.root}/")
            if any(part.startswith(".") for part in address.split("/")):
                continue
            is_plain = facts["type"] == "file" and not self._is_linked(address)
            files.append(File(address, facts["size"] or 0, tokenize(facts), is_plain))
        return sorted(files, key=lambda file: file.address)

    def digest(self, file: File) -> str:
        """SHA-256 of a file's bytes; read again only when its stamp changes."""
        key = file.address, file.stamp
        if key not in self.hashes:
            self.hashes[key] = self._read(file, None)
        return self.hashes[key]

    def copy(self, file: File, target: Path) -> str:
        """Copy a file; the SHA-256 of what was copied."""
        with target.open("wb") as copied:
            digest = self.hashes[file.address, file.stamp] = self._read(file, copied)
        return digest

    def head(self, file: File, limit: int) -> bytes:
        """The first bytes of a file."""
        with self.fs.open(f"{self.root}/{file.address}", "rb") as source:
            return bytes(source.read(limit))

    def _read(self, file: File, target: IO[bytes] | None) -> str:
        sums = hashlib.sha256()
        with self.fs.open(f"{self.root}/{file.address}", "rb") as source:
            while chunk := source.read(CHUNK):
                sums.update(chunk)
                if target is not None:
                    target.write(chunk)
        return sums.hexdigest()

    def _is_linked(self, address: str) -> bool:
        """The address leads through a link, which could point anywhere on this machine."""
        if "file" not in self.fs.protocol:
            return False
        path = Path(self.root, address)
        return any(part.is_symlink() for part in (path, *path.parents[: address.count("/")]))
