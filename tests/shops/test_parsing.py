"""Files through the child: read or refused, whatever they hold, and the parent stays as it was."""

import gzip
import os
import signal
from itertools import islice
from pathlib import Path
from threading import Timer
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.settings import LandingSettings
from pipeline.shops import parsing
from pipeline.shops.parsing import Parsed, Parser, form_of, together
from tests.shops.mutations import DAMAGES, mutations

ROWS = b"a,b\n" + b'17,"x, ""y"""\n' * 100


def parse(parser: Parser, data: bytes, name: str = "a.csv", **how: Any) -> Parsed:
    path = parser.spool()
    path.write_bytes(data)
    parsed = parser.parse(path, name, f"drop/{name}", **how)
    assert not path.exists()
    return parsed


def rows(parsed: Parsed) -> list[dict[str, Any]]:
    return [row for part in parsed.parts for row in pq.read_table(part).to_pylist()]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", ("csv", False)), ("a.CSV", ("csv", False)), ("a.csv.gz", ("csv", True)),
        ("a.b.jsonl", ("jsonl", False)),
        ("a.ndjson.gz", ("jsonl", True)), ("a.json", ("jsonl", False)), ("a.parquet", ("parquet", False)),
        ("a.parquet.gz", None), ("a.feather", None), ("a.arrow", None), ("a", None), ("csv", None), ("a.gz", None),
    ],
)  # fmt: skip
def test_a_format_is_told_by_the_name(name: str, form: tuple[str, bool] | None) -> None:
    assert form_of(name) == form


def test_rows_carry_where_they_come_from(parser: Parser) -> None:
    parsed = parse(parser, b"a,ds,Origin\n1,x,y\n2\n")
    assert (parsed.rows, parsed.misread, parsed.reason) == (2, {"bad_line": 1}, "")
    assert sorted(rows(parsed), key=lambda row: row["origin"]) == [
        {"a": "1", "origin": "drop/a.csv:2", "misread": None},
        {"origin": "drop/a.csv:3", "misread": "bad_line"},
    ]


def test_gzip_is_unpacked_and_a_bomb_is_not(parser: Parser) -> None:
    assert parse(parser, gzip.compress(ROWS), "a.csv.gz").rows == 100
    assert parse(parser, gzip.compress(ROWS)[:-9], "a.csv.gz").reason == "torn"
    assert parse(parser, ROWS, "a.csv.gz").reason == "torn"
    assert parse(parser, gzip.compress(bytes(17 << 20)), "a.csv.gz").reason == "too_large"


def test_a_child_that_dies_costs_the_file_it_was_at(parser: Parser) -> None:
    assert parse(parser, ROWS).rows == 100
    assert parser.child is not None
    os.kill(parser.child.pid, signal.SIGSTOP)
    Timer(0.2, parser.child.kill).start()
    assert "crashed" in parse(parser, ROWS).words
    assert parse(parser, ROWS).rows == 100
    parser.child.kill()
    parser.child.wait()
    assert parse(parser, ROWS).rows == 100


def test_a_file_that_takes_too_long_or_too_much_memory_is_refused() -> None:
    small = Parser(
        LandingSettings(path="-", max_file_mib=99, max_field_kib=99_999, memory_gib=0.01, seconds_per_file=5)
    )
    assert "memory" in parse(small, b'{"a": "' + b"z" * (95 << 20) + b'"}', "a.jsonl").words
    assert parse(small, ROWS).rows == 100
    assert small.child is not None
    os.kill(small.child.pid, signal.SIGSTOP)
    assert "took over 5 s" in parse(small, ROWS).words
    assert parse(small, ROWS).rows == 100
    folder = small.folder
    small.close()
    assert not folder.exists()


def test_a_child_that_does_not_start_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing.sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="does not start"):
        parse(Parser(LandingSettings(path="-")), ROWS)


def test_a_full_disk_is_no_fault_of_the_file(parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "_ask", lambda _: {"machine": "[Errno 28] No space left on device"})
    with pytest.raises(OSError, match="No space left"):
        parse(parser, ROWS)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.parquet"])
def test_mutated_files_are_read_or_refused(parser: Parser, name: str, tmp_path: Path) -> None:
    data = b'{"a": 17, "b": "x"}\n' * 100 if name == "a.jsonl" else ROWS
    if name.endswith("parquet"):
        pq.write_table(pa.table({"a": range(100), "b": ["x"] * 100}), tmp_path / "whole")
        data = (tmp_path / "whole").read_bytes()
    for changed in islice(mutations(data, seed=7), 2 * len(DAMAGES)):
        parsed = parse(parser, changed, name)
        assert bool(parsed.reason) != (parsed.misread is not None)
        assert len(rows(parsed)) == parsed.rows


def test_files_of_several_types_meet(parser: Parser, connection: Any, tmp_path: Path) -> None:
    parts = []
    for number, table in enumerate(
        [
            pa.table({"n": pa.array([1], pa.int32()), "m": ["x"], "s": pa.array([{"k": 1}])}),
            pa.table({"n": pa.array([2.5]), "m": pa.array([7])}),
            pa.table({"n": pa.array([3], pa.int32()), "m": ["y"], "s": pa.array([{"k": 2}])}),
        ]
    ):
        parts.append(tmp_path / f"{number}.parquet")
        pq.write_table(table, parts[-1])
    found = together(connection, parts)
    assert found is not None
    assert found.order_by("n").select("n", "m").to_pyarrow().to_pylist() == [
        {"n": 1.0, "m": "x"}, {"n": 2.5, "m": "7"}, {"n": 3.0, "m": "y"},
    ]  # fmt: skip
    assert found.schema()["s"].is_struct()
    assert together(connection, []) is None
