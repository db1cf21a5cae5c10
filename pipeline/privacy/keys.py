"""Keyed hashes that stand for people. A plain hash of an id can be reversed by trying ids; this one needs the secret.

The secret lies outside the data: whoever holds the tables alone cannot name a user. Lose it and keys change.
"""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import ConfigError

VARIABLE = "SHOPKEEL_USER_KEY"
FILE = "user_key"
SECRET_BYTES = 32
KEY_DIGITS = 32


def user_key(secret: bytes, user_id: str) -> str:
    """The key of one user: the first 128 bits of HMAC-SHA-256, as 32 hex digits."""
    return hmac.digest(secret, user_id.encode(), "sha256").hex()[:KEY_DIGITS]


def user_keys(secret: bytes, user_ids: "pa.Array[Any] | pa.ChunkedArray[Any]") -> "pa.Array[Any]":
    """Keys of many users; each distinct id is hashed once.

    Args:
        secret: the shop's secret.
        user_ids: strings [n]; null stays null.

    Returns:
        Strings [n].
    """
    if isinstance(user_ids, pa.ChunkedArray):
        user_ids = user_ids.combine_chunks()
    encoded = user_ids.cast(pa.string()).dictionary_encode()
    names: list[Any] = encoded.dictionary.to_pylist()
    hashed = pa.array([user_key(secret, name) for name in names], pa.string())
    return hashed.take(encoded.indices)


def key_id(secret: bytes) -> str:
    """A short public name of a secret (12 hex digits), to tell which one made a table's keys."""
    return hashlib.sha256(b"shopkeel key id:" + secret).hexdigest()[:12]


def load_secret(folder: Path) -> bytes:
    """The secret: from `SHOPKEEL_USER_KEY` (hex), else from a file that is made on first use.

    Args:
        folder: where the file is kept, readable by its owner alone; not inside a shop's data.

    Raises:
        ConfigError: the variable or file is not at least 32 bytes of hex, or others can read the file.
    """
    if given := os.environ.get(VARIABLE):
        return _parse(given, VARIABLE)
    path = folder / FILE
    if not path.exists():
        _generate(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{path}: others can read the secret; run `chmod 600` on it, or set {VARIABLE} instead")
    return _parse(path.read_text(encoding="ascii", errors="replace"), str(path))


def _parse(text: str, where: str) -> bytes:
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        secret = b""
    if len(secret) < SECRET_BYTES:
        # The text itself must not reach a log.
        raise ConfigError(f"{where}: not at least {SECRET_BYTES} bytes of hex; `openssl rand -hex 32` makes one")
    return secret


def _generate(path: Path) -> None:
    """Create the file whole or not at all; of two processes at once, the first one's secret stands."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(partial)
    except FileExistsError:
        pass
    finally:
        partial.unlink(missing_ok=True)
