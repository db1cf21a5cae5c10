"""Readers of the three formats: a clean file is what another reader says, a damaged line costs itself alone."""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shops import formats
from pipeline.shops.formats import BAD_ENCODING, BAD_LINE, TOO_LONG, BadFile

LIMIT = 64
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
LONG = "z" * (LIMIT + 1)


def read(
    folder: Path, data: bytes, form: str = "csv", **how: object
) -> list[tuple[int, str | None, dict[str, object]]]:
    """Line, reason and values of every row, by line."""
    path = folder / "file"
    path.write_bytes(data)
    rows = []
    for batch in formats.read(path, form, LIMIT, **how):
        columns = {name: column.to_pylist() for name, column in batch.columns.items()}
        for number, (line, reason) in enumerate(zip(batch.lines.to_pylist(), batch.misread.to_pylist(), strict=True)):
            rows.append((line, reason, {name: column[number] for name, column in columns.items()}))
    return sorted(rows, key=lambda row: row[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@given(
    rows=st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=8), end=st.sampled_from(["\n", "\r\n"]), bom=st.booleans()
)
def test_what_the_csv_module_writes_is_read_as_written(
    folder: Path, rows: list[tuple[str, ...]], end: str, bom: bool
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    found = read(folder, (b"\xef\xbb\xbf" if bom else b"") + text.getvalue().encode())
    assert [tuple(row.values()) for _, reason, row in found if reason is None] == rows
    line, lines = 2, []
    for row in rows:
        lines.append(line)
        line += 1 + sum(cell.count("\n") for cell in row)
    assert [line for line, _, _ in found] == lines


@given(cells=st.lists(st.sampled_from([b"x", b'"', b",", b"\n", b"\r", b'""', b"\0", b"\xff", b"y z"]), max_size=30))
def test_every_line_of_a_mess_is_a_row_or_misread_and_the_last_one_is_safe(folder: Path, cells: list[bytes]) -> None:
    mess = b"".join(cells)
    found = read(folder, b"a,b\n" + mess + b"\n7,8\n")
    assert all(reason in (None, BAD_LINE, BAD_ENCODING, TOO_LONG) for _, reason, _ in found)
    if b'"' not in mess:
        assert found[-1][1:] == (None, {"a": "7", "b": "8"})
        assert len(found) == sum(line not in (b"", b"\r") for line in (mess + b"\n7,8").split(b"\n"))


def test_a_damaged_line_costs_itself_alone(folder: Path) -> None:
    lines = [
        b"1,one", b"2", b"3,three,more", b'4,"fou"r', b'5,"five', b'6,"s""ix, 6"', b"", b"7,\0", b"8,\xff", b"9,",
        b'10,""', b'11,"e\nleven"', b"12," + LONG.encode(), b"13,last",
    ]  # fmt: skip
    found = read(folder, b"a,b\n" + b"\n".join(lines))
    assert {row["a"]: row["b"] for _, reason, row in found if reason is None} == {
        "1": "one", "6": 's"ix, 6', "9": None, "10": "", "11": "e\nleven", "13": "last",
    }  # fmt: skip
    assert [(line, reason) for line, reason, _ in found if reason] == [
        (3, BAD_LINE), (4, BAD_LINE), (5, BAD_LINE), (6, BAD_LINE),
        (9, BAD_ENCODING), (10, BAD_ENCODING), (15, TOO_LONG),
    ]  # fmt: skip
    assert found[-1][0] == 16


def test_a_quote_that_never_closes_costs_its_line(folder: Path) -> None:
    data = b'a,b\n1,"open\n' + b"2,x\n" * 5000
    found = read(folder, data)
    assert [reason for _, reason, _ in found] == [BAD_LINE, *[None] * 5000]


def test_windows_and_rows_longer_than_one_lose_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f'{n},"{"line" * (n % 9)}\n{n}"\n' for n in range(200)]
    whole = read(folder, ("a,b\n" + "".join(rows)).encode())
    monkeypatch.setattr(formats, "WINDOW", 37)
    assert read(folder, ("a,b\n" + "".join(rows)).encode()) == whole
    assert [row["a"] for _, _, row in whole] == [str(n) for n in range(200)]
    assert read(folder, b"a,b\n1," + b"z" * 500 + b"\n2,y\n")[0][1] == TOO_LONG
    assert [line for line, _, _ in read(folder, b"a,b\n" + b"\r\n" * 100 + b"1,2\n")] == [102]
    assert [line for line, _, _ in read(folder, b"\n" * 100 + b'{"a": 1}', "jsonl")] == [101]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"a,\xff\n", "unreadable"),
        (b"a,\0\n", "unreadable"),
        (b'a,"b\n1,2\n', "unreadable"),
        (b"a,A\n1,2\n", "unreadable"),
        (b"a,\n1,2\n", "unreadable"),
        (b",".join(b"c%d" % n for n in range(1001)), "unreadable"),
        ("a,b\n1,2\n".encode("utf-16"), "unreadable"),
    ],
)
def test_a_header_that_names_no_columns_sets_the_file_aside(folder: Path, data: bytes, reason: str) -> None:
    with pytest.raises(BadFile) as bad:
        read(folder, data)
    assert bad.value.reason == reason


def test_names_may_be_given_for_a_file_without_a_header(folder: Path) -> None:
    assert read(folder, b"1,2\n3,4", names=("a", "b")) == [
        (1, None, {"a": "1", "b": "2"}),
        (2, None, {"a": "3", "b": "4"}),
    ]


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), st.booleans(), WORDS)), max_size=8))
def test_json_lines_are_read_as_written(folder: Path, rows: list[dict[str, object]]) -> None:
    found = read(folder, b"\n\n".join(json.dumps(row).encode() for row in [*rows, {"a": "end"}]), "jsonl")
    names = {name for row in rows for name in row} | {"a"}
    said = {True: "true", False: "false"}
    texts = [{name: said[v] if isinstance(v := row.get(name), bool) else v for name in names} for row in rows]
    kept = [row for row in texts if all(value is None or len(value.encode()) <= LIMIT for value in row.values())]
    assert [row for _, reason, row in found if reason is None][:-1] == kept
    assert [line for line, _, _ in found] == [2 * n + 1 for n in range(len(rows) + 1)]


def test_json_keeps_numbers_as_they_were_written_and_lists_as_json(folder: Path) -> None:
    data = b'{"a": 12345678901234567890123, "b": 1.10, "c": ["x", 1, null], "d": {"e": "\xc3\xbc"}}'
    assert read(folder, data, "jsonl")[0][2] == {
        "a": "12345678901234567890123", "b": "1.10", "c": '["x", "1", null]', "d": '{"e": "ü"}',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", BAD_LINE),
        (b"[1]", BAD_LINE),
        (b'{"a": NaN}', BAD_LINE),
        (b"[" * 100_000, TOO_LONG),
        (b'{"a":' + b"[" * 1900, BAD_LINE),
        (b'{"a": "\xff"}', BAD_ENCODING),
        (b'{"a": "\0"}', BAD_ENCODING),
        (b'{"a": "\\u0000"}', BAD_ENCODING),
        (b'{"a": "\\ud800"}', BAD_ENCODING),
        (b'{"a": "' + LONG.encode() + b'"}', TOO_LONG),
    ],
)
def test_a_line_that_is_no_object_of_text_costs_itself_alone(folder: Path, line: bytes, reason: str) -> None:
    found = read(folder, b'{"a": "1"}\n' + line + b'\n{"a": "2"}\n', "jsonl")
    assert [(row.get("a"), why) for _, why, row in found] == [("1", None), (None, reason), ("2", None)]


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, write_page_checksum=True)
    return sink.getvalue()


def test_parquet_comes_as_typed_and_its_strings_are_judged(folder: Path) -> None:
    table = pa.table(
        {
            "n": pa.array([1, 2, 3, 4]),
            "s": pa.array([b"ok", b"\xff", b"a\0b", LONG.encode()]),
            "l": pa.array([["x"], [], None, ["y"]]),
            "d": pa.array(["p", "q", "p", "q"]).dictionary_encode(),
            "t": pa.array([1, 2, 3, 4], pa.timestamp("ns", "UTC")),
        }
    )
    found = read(folder, parquet(table), "parquet")
    assert [why for _, why, _ in found] == [None, BAD_ENCODING, BAD_ENCODING, TOO_LONG]
    assert found[0][2] | {"t": None} == {"n": 1, "s": "ok", "l": ["x"], "d": "p", "t": None}
    assert all(value is None for _, why, row in found if why for value in row.values())


@pytest.mark.parametrize("cut", [4, 100, -1, -4, -8])
def test_parquet_cut_short_or_changed_is_torn(folder: Path, cut: int) -> None:
    whole = parquet(pa.table({"n": list(range(1000))}))
    for data in (whole[:cut], whole[: cut % len(whole)] + b"\x55" + whole[cut % len(whole) + 1 :]):
        if data == whole:
            continue
        with pytest.raises(BadFile) as bad:
            read(folder, data, "parquet")
        assert bad.value.reason == "torn"
