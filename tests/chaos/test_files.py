"""Rows of the matrix about hostile files: torn, in strange encodings, and made to harm the reader.

Every file goes the whole way of a drop, from its folder to arrivals; a row counts a file as survived when the parent
lives, and every line of it is either read as it was, or told.
"""

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.settings import LandingSettings, load_shop
from pipeline.shops.landing import Landing
from pipeline.shops.source import Arrivals
from tests.chaos.conftest import Matrix, counts
from tests.shops.mutations import mutations

DAY = date(2020, 3, 1)
NAMES = ("event_id", "user_id", "ts", "kind", "item_id", "query")
ROWS = [
    (f"e{n}", f"u{n % 7}", "2020-03-01T10:00:00Z", "search", f"i{n % 13}", 'a "fine", soap' if n % 5 == 0 else f"q{n}")
    for n in range(400)
]
WHOLE = {tuple(row) for row in ROWS}


def as_csv(rows: list[tuple[str, ...]] = ROWS, end: str = "\n") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows([NAMES, *rows])
    return text.getvalue().encode()


def as_lines() -> bytes:
    return b"".join(json.dumps(dict(zip(NAMES, row, strict=True))).encode() + b"\n" for row in ROWS)


def as_parquet() -> bytes:
    sink = io.BytesIO()
    table = pa.table(dict(zip(NAMES, (list(column) for column in zip(*ROWS, strict=True)), strict=True)))
    pq.write_table(table, sink, write_page_checksum=True)
    return sink.getvalue()


FORMS: dict[str, Callable[[], bytes]] = {
    "a.csv": as_csv,
    "a.csv.gz": lambda: gzip.compress(as_csv(), mtime=0),
    "a.jsonl": as_lines,
    "a.parquet": as_parquet,
}


class Dock:
    """A shop whose only file is the one just brought."""

    def __init__(self, folder: Path, connection: Any) -> None:
        limits = LandingSettings(path=str(folder), max_file_mib=64, memory_gib=1, seconds_per_file=60)
        shop = load_shop("grocer").model_copy(update={"adapter": "landing", "landing": limits, "first_day": DAY})
        self.folder = folder / "events" / f"ds={DAY}"
        self.folder.mkdir(parents=True)
        self.source = Landing(shop, connection)

    def bring(self, name: str, data: bytes, manifest: dict[str, Any] | None = None) -> Arrivals:
        for old in self.folder.iterdir():
            old.unlink()
        (self.folder / name).write_bytes(data)
        if manifest is not None:
            (self.folder / "_manifest.json").write_text(json.dumps({"files": {name: manifest}}))
        arrived = self.source.arrivals("events", None, DAY, {})
        assert arrived is not None
        assert set(arrived.files) == {f"events/ds={DAY}/{name}"}, "the file is neither read nor refused"
        return arrived


@pytest.fixture
def dock(tmp_path: Path, connection: Any) -> Iterator[Dock]:
    made = Dock(tmp_path / "drops", connection)
    yield made
    made.source.intake.parser.close()


def outcome(arrived: Arrivals) -> tuple[set[tuple[str, ...]], int, list[str]]:
    """Rows that were read, how many were misread, and why the file was refused, if it was."""
    if arrived.refused:
        return set(), 0, [file.reason for file in arrived.refused]
    table = arrived.rows.to_pyarrow()
    bad = [reason for reason in table.column("misread").to_pylist() if reason]
    if gone := [name for name in NAMES if name not in table.column_names]:
        return set(), len(bad), [f"{name} is missing" for name in gone]  # what the drift verdict is about
    read = table.filter(pc.is_null(table.column("misread"))).select(NAMES)
    return {tuple(row.values()) for row in read.to_pylist()}, len(bad), []


def promised(data: bytes) -> dict[str, Any]:
    import hashlib

    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": len(ROWS)}


def torn(data: bytes, seed: int) -> Iterator[bytes]:
    """Cut at every 1/64, a byte changed here and there, nothing at all, and another format's first bytes."""
    yield from (data[: len(data) * n // 64] for n in range(64))
    chance = random.Random(seed)
    for _ in range(64):
        at = chance.randrange(len(data))
        yield data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    yield from (magic + data[len(magic) :] for magic in (b"PK\x03\x04", b"ARROW1", b"\x1f\x8b\x08\x01", b"PAR2"))


def test_torn_files_are_all_detected_with_a_manifest(dock: Dock, matrix: Matrix) -> None:
    tried = survived = 0
    for name, whole in FORMS.items():
        data = whole()
        assert outcome(dock.bring(name, data, promised(data)))[0] == WHOLE
        for changed in islice(torn(data, 7), 0, None, counts(12, 1)):
            tried += 1
            survived += bool(dock.bring(name, changed, promised(data)).refused)
    matrix.row("torn input, with a manifest", tried, survived, "four formats; all refused before they are parsed")
    assert survived == tried


def test_torn_files_without_a_manifest_are_detected_where_their_format_can_tell(dock: Dock, matrix: Matrix) -> None:
    """Packed files and Parquet carry checksums. In bare text, a cut at a line's end or another letter is no damage
    that anybody could see: there, what counts is that no other line changes."""
    tried = survived = unseen = 0
    for name, whole in FORMS.items():
        data = whole()
        for changed in islice(torn(data, 7), 0, None, counts(12, 1)):
            tried += 1
            read, misread, refused = outcome(dock.bring(name, changed))
            is_told = bool(refused or misread)
            unseen += not is_told and read != WHOLE
            bare = name in ("a.csv", "a.jsonl")
            survived += is_told or read == WHOLE or (bare and len(read - WHOLE) <= 1)
    note = f"told, or harmless; {unseen} in bare text cannot be seen: a cut at a line's end, another letter"
    matrix.row("torn input, without a manifest", tried, survived, note, unseen=unseen)
    assert survived == tried


def encodings(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Files in strange encodings: the bytes, rows to be read, lines to be misread."""
    n = len(ROWS)
    lines = data.split(b"\n")
    long = b'e,u,2020-03-01T10:00:00Z,search,i,"' + b"z" * 10_000_000 + b'"'
    yield b"\xef\xbb\xbf" + data, n, 0
    yield as_csv(end="\r\n"), n, 0
    yield b"\xef\xbb\xbf" + as_csv(end="\r\n").rstrip(b"\r\n"), n, 0
    yield data.rstrip(b"\n"), n, 0
    yield as_csv([(*row[:5], 'say "hi",\r\nthen\nleave') for row in ROWS]), n, 0
    for at in range(2, n, n // 20):
        head, tail = b"\n".join(lines[:at]), b"\n".join(lines[at:])
        yield head + b"\n" + long + b"\n" + tail, n, 1
        yield head + b"\ne,u,2020-03-01T10:00:00Z,search,i,\0\n" + tail, n, 1
        yield head + b"\ne,u,2020-03-01T10:00:00Z,search,i,\xff\xfe\n" + tail, n, 1
        yield head + b"\ne,u,2020-03-01T10:00:00Z,search,i,\xed\xa0\x80\n" + tail, n, 1
        yield head + b"\ne,u,\xc3\n" + tail, n, 1
        yield head + b'\ne,u,2020-03-01T10:00:00Z,search,i,5" pipe\n' + tail, n, 1
        yield head + b'\ne,u,2020-03-01T10:00:00Z,search,i,"open\n' + tail, n, 1
        yield head + b"\ne,u,lone\rreturn\n" + tail, n, 1
        yield head + b"\n\n\r\n\n" + tail, n, 0


def test_every_encoding_is_read_or_counted(dock: Dock, matrix: Matrix) -> None:
    tried = survived = 0
    for data, rows, misread in islice(encodings(as_csv()), 0, None, counts(9, 1)):
        tried += 1
        read, bad, refused = outcome(dock.bring("a.csv", data))
        survived += (len(read), bad, refused) == (rows, misread, [])
    for name in ("utf-16", "utf-32", "cp037"):
        tried += 1
        survived += outcome(dock.bring("a.csv", as_csv().decode().encode(name)))[2] == ["unreadable"]
    matrix.row(
        "encodings", tried, survived, "BOM, NUL, CRLF, quotes, 10 MB field, bad UTF-8: every line read or counted"
    )
    assert survived == tried


def test_mutated_files_never_reach_the_parent(dock: Dock, matrix: Matrix) -> None:
    tried = survived = refused = crashes = 0
    for seed, (name, whole) in enumerate(FORMS.items()):
        for changed in islice(mutations(whole(), 1000 * seed), counts(7, 250)):
            tried += 1
            arrived = dock.bring(name, changed)
            places = arrived.rows.select("origin").to_pyarrow().column("origin").to_pylist()
            # Every line once, and none of another file.
            is_counted = len(set(places)) == len(places) and all(f"/{name}:" in place for place in places)
            survived += is_counted and not (places and arrived.refused)
            refused += bool(arrived.refused)
            crashes += any("crashed" in file.words for file in arrived.refused)
    note = (
        f"{refused} refused, the others read with their damage told; the child died {crashes} times, the parent never"
    )
    matrix.row("hostile uploads", tried, survived, note, refused=refused, child_crashes=crashes)
    assert survived == tried
