"""Damage as uploads meet it, and as somebody who means harm would do it; a seed gives the same files again."""

import gzip
import itertools
import random
import zlib
from collections.abc import Callable, Iterator

Damage = Callable[[bytes, random.Random], bytes]

MAGICS = (
    b"PAR1",
    b"ARROW1\0\0",
    b"\x1f\x8b\x08\x00",
    b"PK\x03\x04",
    b"FEA1",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"%PDF-1.7",
)
WORDS = (b'"', b"\0", b"\r", b"\n", b",", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"{", b"[", b"}", b"NaN", b"1e999999")


def _somewhere(data: bytes, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: _somewhere(data, chance)]


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 30))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def strewn(data: bytes, chance: random.Random) -> bytes:
    """Words that mean something to a parser, put in anywhere."""
    for _ in range(chance.choice((1, 3, 30))):
        at = _somewhere(data, chance)
        data = data[:at] + chance.choice(WORDS) + data[at:]
    return data


def other_magic(data: bytes, chance: random.Random) -> bytes:
    magic = chance.choice(MAGICS)
    return magic + data[len(magic) :]


def cut_out(data: bytes, chance: random.Random) -> bytes:
    first, last = sorted((_somewhere(data, chance), _somewhere(data, chance)))
    return data[:first] + data[last:]


def doubled(data: bytes, chance: random.Random) -> bytes:
    first, last = sorted((_somewhere(data, chance), _somewhere(data, chance)))
    return data[:last] + data[first:last] + data[last:]


def zeroed(data: bytes, chance: random.Random) -> bytes:
    """A hole, as a disk that lost a page leaves it."""
    first = _somewhere(data, chance)
    hole = min(len(data) - first, chance.choice((1, 64, 4096)))
    return data[:first] + bytes(hole) + data[first + hole :]


def noise(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice((1, 100, 10_000)))


def long_field(data: bytes, chance: random.Random) -> bytes:
    at = _somewhere(data, chance)
    return data[:at] + chance.choice((b"z", b'"', b",", b"\n", b"[")) * chance.choice((100_000, 10_000_000)) + data[at:]


def nested(data: bytes, chance: random.Random) -> bytes:
    depth = chance.choice((100, 10_000, 1_000_000))
    return (
        data + b'{"event_id": ' + chance.choice((b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth)) + b"}\n"
    )


def bomb(data: bytes, chance: random.Random) -> bytes:
    """Many times its size once unpacked."""
    return gzip.compress(bytes(chance.choice((1, 300)) << 20), 9)


def packed(data: bytes, chance: random.Random) -> bytes:
    """gzip that is right, cut short, or followed by something else."""
    whole = gzip.compress(data, mtime=0)
    return chance.choice(
        (whole, whole[: _somewhere(whole, chance)], whole + b"more", zlib.compress(data), whole + whole)
    )


def emptied(data: bytes, chance: random.Random) -> bytes:
    return b""


DAMAGES: tuple[Damage, ...] = (
    truncated, flipped, strewn, other_magic, cut_out, doubled, zeroed, noise, long_field, nested, bomb, packed, emptied,
)  # fmt: skip


def mutations(data: bytes, seed: int) -> Iterator[bytes]:
    """Damaged forms of a file, without end: each kind of damage in turn, now and then two at once."""
    for damage in itertools.cycle(DAMAGES):
        chance = random.Random(seed)
        seed += 1
        changed = damage(data, chance)
        yield chance.choice(DAMAGES[:7])(changed, chance) if chance.random() < 0.2 else changed
