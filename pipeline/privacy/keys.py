"""Keyed hashes that stand for people. A plain hash of an id can be reversed by trying ids; this one needs the secret.

The secret lies outside the data: whoever holds the tables alone cannot name a user. Lose it and keys change.

A rotation adds a secret, and every key is turned by it: encrypted as one block of AES-256, which is a permutation of
all keys. So old tables name nobody of new ones, the old secret alone neither, and whoever holds both secrets can turn
keys back, by which the hold-out stays as it was drawn. Not here: turning what is kept (`rotation`).
"""

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pipeline.errors import ConfigError, Refused

VARIABLE = "SHOPKEEL_USER_KEY"
FILE = "user_key"
NEXT = f"{FILE}.next"
SECRET_BYTES = 32
KEY_DIGITS = 32


SEAL = "key:"


class Secret(bytes):
    """The secret by which names became keys first; `later` are those that keys have been turned by, oldest first."""

    later: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[bytes]) -> "Secret":
        """Of all of them in order."""
        made = cls(parts[0])
        made.later = tuple(parts[1:])
        return made


def user_key(secret: bytes, user_id: str) -> str:
    """The key of one user: the first 128 bits of HMAC-SHA-256, turned by later secrets, as 32 hex digits.

    A sealed key stands for itself.
    """
    key = user_id.removeprefix(SEAL)[:KEY_DIGITS]
    if not hmac.compare_digest(user_id.encode(), _seal(secret, key).encode()):
        key = hmac.digest(secret, user_id.encode(), "sha256").hex()[:KEY_DIGITS]
    for one in getattr(secret, "later", ()):
        key = _turn(one, [key])[0]
    return key


def sealed(secret: "Secret", key: str) -> str:
    """A name for who has a key, to stand as user id in a feed: before and after any rotation it becomes that key.

    Who lacks the secret can neither make one nor, as of any key, tell who it is.
    """
    return _seal(secret, first_keys(secret.later, pa.array([key]))[0].as_py())


def _seal(secret: bytes, first: str) -> str:
    mark = hmac.digest(secret, b"shopkeel sealed key:" + first.encode(), "sha256").hex()[:KEY_DIGITS]
    return f"{SEAL}{first}:{mark}"


def turned(secret: bytes, keys: "pa.Array[Any] | pa.ChunkedArray[Any]") -> "pa.Array[Any]":
    """Keys turned by one more secret; null stays null.

    Args:
        secret: the one that is added.
        keys: user keys [n].
    """
    return _each(keys, lambda distinct: _turn(secret, distinct))


def first_keys(later: Sequence[bytes], keys: "pa.Array[Any] | pa.ChunkedArray[Any]") -> "pa.Array[Any]":
    """What keys were before any rotation: the same for the same user for good.

    Args:
        later: secrets that keys have been turned by, oldest first.
        keys: user keys [n].
    """

    def back(distinct: list[str]) -> list[str]:
        for one in reversed(later):
            distinct = _turn(one, distinct, back=True)
        return distinct

    return _each(keys, back)


def _each(keys: "pa.Array[Any] | pa.ChunkedArray[Any]", change: Callable[[list[str]], list[str]]) -> "pa.Array[Any]":
    encoded = (keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys).cast(pa.string())
    encoded = encoded.dictionary_encode()
    return pa.array(change(encoded.dictionary.to_pylist()), pa.string()).take(encoded.indices)


def _turn(secret: bytes, keys: list[str], *, back: bool = False) -> list[str]:
    """Keys as single blocks under AES-256, or back."""
    # Each key is one block and stands for itself, so equal ones have to be equal after it: what ECB is for.
    cipher = Cipher(algorithms.AES256(hmac.digest(secret, b"shopkeel turn of keys", "sha256")), modes.ECB())  # noqa: S305
    block = cipher.decryptor() if back else cipher.encryptor()
    done = block.update(bytes.fromhex("".join(keys))).hex()
    return [done[start : start + KEY_DIGITS] for start in range(0, len(done), KEY_DIGITS)]


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
    """A short public name of a secret (12 hex digits), the same after any rotation."""
    return hashlib.sha256(b"shopkeel key id:" + secret).hexdigest()[:12]


def load_secret(folder: Path) -> Secret:
    """The secret: from `SHOPKEEL_USER_KEY` (hex), else a file made on first use; those of rotations stand after it.

    Args:
        folder: where the file is kept, readable by its owner alone; not inside a shop's data.

    Raises:
        ConfigError: the variable or file is not at least 32 bytes of hex, or others can read the file.
        Refused: a rotation was cut off.
    """
    if (folder / NEXT).exists():
        raise Refused(f"{folder}: a rotation of keys was cut off; run `shopkeel rotate-key` again before anything else")
    if given := os.environ.get(VARIABLE):
        return _parse(given, VARIABLE)
    path = folder / FILE
    if not path.exists():
        _generate(path, secrets.token_hex(SECRET_BYTES))
    return _read(path)


def prepare(folder: Path) -> Secret:
    """The secret as it will be after a rotation; the same again after one that was cut off.

    Raises:
        ConfigError: the secret stands in the environment, where nothing can be added to it.
    """
    if os.environ.get(VARIABLE):
        raise ConfigError(f"{VARIABLE} holds the secret; put it into {folder / FILE} (mode 600) and rotate it there")
    if not (folder / NEXT).exists():
        parts = load_secret(folder)
        told = "\n".join(one.hex() for one in (parts, *parts.later))
        _generate(folder / NEXT, f"{told}\n{secrets.token_hex(SECRET_BYTES)}")
    return _read(folder / NEXT)


def settle(folder: Path) -> None:
    """From here on the prepared secret is the one."""
    (folder / NEXT).replace(folder / FILE)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _read(path: Path) -> Secret:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{path}: others can read the secret; run `chmod 600` on it, or set {VARIABLE} instead")
    return _parse(path.read_text(encoding="ascii", errors="replace"), str(path))


def _parse(text: str, where: str) -> Secret:
    try:
        parts = [bytes.fromhex(line) for line in text.split()]
    except ValueError:
        parts = []
    if not parts or min(map(len, parts)) < SECRET_BYTES:
        # The text itself must not reach a log.
        raise ConfigError(f"{where}: not at least {SECRET_BYTES} bytes of hex; `openssl rand -hex 32` makes one")
    return Secret.of(parts)


def _generate(path: Path, text: str) -> None:
    """Create the file whole or not at all; of two processes at once, the first one's secret stands."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(partial)
    except FileExistsError:
        pass
    finally:
        partial.unlink(missing_ok=True)
