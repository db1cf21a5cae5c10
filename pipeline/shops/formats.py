"""Reading hostile CSV, JSON lines and Parquet row by row: a damaged line costs itself, not its neighbours.

Runs in the parsing child (`shops.child`); needs no more than pyarrow. Not here: which files to read, what rows mean.
A CSV file is judged by one regular expression of a whole row (RFC 4180, the header's number of cells); what fits is
parsed in bulk. Where nothing fits, the line is set aside and reading goes on with the next one.
"""

import json
import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

BAD_LINE, BAD_ENCODING, TOO_LONG = "bad_line", "bad_encoding", "too_long"
EMPTY, TORN, TOO_LARGE, UNREADABLE = "empty", "torn", "too_large", "unreadable"

BOM = b"\xef\xbb\xbf"
PARQUET_MAGIC = b"PAR1"
WINDOW = 8 << 20  # bytes read at once
BATCH = 32_768  # rows of Parquet read at once
MAX_COLUMNS = 1000
LONGEST_LINE = 32  # of JSON, in longest fields; a longer one is not looked into
BLANK = re.compile(rb"(?:\r?\n)*+")
FIELD = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^",\r\n]*+)'


class BadFile(Exception):
    """A file that is set aside whole: a word for counting, and words for people."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(reason, words)
        self.reason, self.words = reason, words


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    Attributes:
        columns: values by column, each [n]; null where the row is misread.
        lines: line in the file (row in Parquet) at which each row starts, from 1 [n].
        misread: why the row could not be read, else null [n].
    """

    columns: dict[str, pa.Array]
    lines: pa.Array
    misread: pa.Array


def read(path: Path, form: str, max_field: int, names: Sequence[str] = ()) -> Iterator[Batch]:
    """The rows of a file in batches of bounded size.

    Args:
        path: a local file, unpacked.
        form: csv, jsonl or parquet.
        max_field: longest field in bytes.
        names: columns of a CSV file without a header.

    Raises:
        BadFile: the file cannot be read as what it says it is.
    """
    if path.stat().st_size == 0:
        raise BadFile(EMPTY, "the file is empty")
    if form == "parquet":
        yield from _parquet(path, max_field)
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = len(BOM) if data[: len(BOM)] == BOM else 0
        if start == len(data):
            raise BadFile(EMPTY, "the file is empty")
        if form == "jsonl":
            yield from _json_lines(data, start, max_field)
        else:
            yield from _csv(data, start, max_field, names)


def _unread(lines: Sequence[int], reasons: Sequence[str]) -> Batch:
    return Batch({}, pa.array(lines, pa.int64()), pa.array(reasons, pa.string()))


# CSV


def _csv(data: mmap.mmap, pos: int, max_field: int, names: Sequence[str]) -> Iterator[Batch]:
    line = 1
    if not names:
        end = _line_end(data, pos)
        names, pos, line = _header(data, pos, end), end, 2
    row = FIELD + rb"(?:," + FIELD + rb"){%d}+" % (len(names) - 1)
    rows = re.compile(rb"(?:" + row + rb"\r?\n|\r?\n)*+")
    one = re.compile(row + rb"(?:\r?\n|\Z)")
    longest = len(names) * (2 * max_field + 3)  # a longer row has a longer field
    damaged: dict[int, str] = {}
    while pos < len(data):
        end = rows.match(data, pos, min(pos + WINDOW, len(data))).end()  # type: ignore[union-attr]  # matches nothing, too
        if end == pos and (found := one.match(data, pos)):
            end = found.end()
        if end > pos and not (end - pos > WINDOW and end - pos > longest):
            yield from _good(data[pos:end], line, one, names, max_field)
        elif end > pos:
            damaged[line] = TOO_LONG
        else:
            end = _line_end(data, pos)
            damaged[line] = _damage(data[pos : min(end, pos + WINDOW)])
        line += _newlines(data, pos, end)
        pos = end
        if len(damaged) == BATCH:
            yield _unread(list(damaged), list(damaged.values()))
            damaged = {}
    yield _unread(list(damaged), list(damaged.values()))


def _line_end(data: mmap.mmap, pos: int) -> int:
    return data.find(b"\n", pos) + 1 or len(data)


def _newlines(data: mmap.mmap, pos: int, end: int) -> int:
    return sum(data[at : min(at + WINDOW, end)].count(b"\n") for at in range(pos, end, WINDOW))


def _damage(line: bytes) -> str:
    try:
        line.decode()
    except UnicodeDecodeError:
        return BAD_ENCODING
    return BAD_ENCODING if b"\0" in line else BAD_LINE


def _header(data: mmap.mmap, pos: int, end: int) -> list[str]:
    line = data[pos : min(end, pos + WINDOW)]
    if b"\0" in line:
        raise BadFile(UNREADABLE, "the header is not UTF-8 text")
    fields = re.compile(FIELD)
    names: list[str] = []
    at = 0
    while (found := fields.match(line, at)) and len(names) <= MAX_COLUMNS:
        text = found.group()
        try:
            names.append((text[1:-1].replace(b'""', b'"') if text[:1] == b'"' else text).decode().strip())
        except UnicodeDecodeError:
            raise BadFile(UNREADABLE, "the header is not UTF-8 text") from None
        at = found.end() + 1
        if line[found.end() : at] != b",":
            break
    if line[at - 1 :] not in (b"", b"\n", b"\r\n"):
        raise BadFile(UNREADABLE, "the first line is not a header of column names")
    _check_names(names)
    return names


def _check_names(names: Sequence[str]) -> None:
    """Names that the engine can tell apart: it knows no upper and lower case."""
    if len(names) > MAX_COLUMNS:
        raise BadFile(UNREADABLE, f"more than {MAX_COLUMNS} columns")
    if not all(name and name.isprintable() and len(name) <= 200 for name in names):
        raise BadFile(UNREADABLE, "a column has no name, or none that can be printed")
    if len({name.casefold() for name in names}) != len(names):
        raise BadFile(UNREADABLE, "two columns have one name")


def _good(span: bytes, line: int, one: re.Pattern[bytes], names: Sequence[str], max_field: int) -> Iterator[Batch]:
    """Rows of a span in which every row is one."""
    if not span.strip(b"\r\n"):
        return
    keys = [str(number) for number in range(len(names))]
    table = pa.csv.read_csv(
        pa.py_buffer(span),
        pa.csv.ReadOptions(use_threads=False, block_size=len(span) + 1, column_names=keys),
        pa.csv.ParseOptions(newlines_in_values=True),
        pa.csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(keys, pa.binary()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    count, newlines = len(table), span.count(b"\n")
    if newlines == count - (not span.endswith(b"\n")):
        lines = pa.array(range(line, line + count), pa.int64())
    else:
        lines = pa.array(islice(_starts(span, line, one), count), pa.int64())
    columns = dict(zip(names, (column.combine_chunks() for column in table.columns), strict=True))
    yield _judged(columns, lines, max_field)


def _starts(span: bytes, line: int, one: re.Pattern[bytes]) -> Iterator[int]:
    """Line of each row, where rows hold line breaks or empty lines lie between them."""
    pos = 0
    while pos < len(span):
        while span[pos : pos + 1] == b"\n" or span[pos : pos + 2] == b"\r\n":
            pos, line = span.index(b"\n", pos) + 1, line + 1
        if not (found := one.match(span, pos)):
            return
        yield line
        line += found.group().count(b"\n")
        pos = found.end()


def _judged(columns: dict[str, pa.Array], lines: pa.Array, max_field: int) -> Batch:
    """Bytes as strings; a row with a field that is too long or no UTF-8 text is misread."""
    misread = pa.nulls(len(lines), pa.string())
    texts = {name: column for name, column in columns.items() if column.type == pa.binary()}
    for column in texts.values():
        wrong = _not_text(column)
        if wrong is not None:
            misread = pc.if_else(wrong, BAD_ENCODING, misread)
    for column in texts.values():
        if (pc.max(pc.binary_length(column)).as_py() or 0) > max_field:
            misread = pc.if_else(
                pc.fill_null(pc.greater(pc.binary_length(column), max_field), False), TOO_LONG, misread
            )
    if misread.null_count < len(misread):
        good = pc.is_null(misread)
        columns = {name: pc.if_else(good, column, pa.scalar(None, column.type)) for name, column in columns.items()}
    return Batch(
        {name: column.cast(pa.string()) if name in texts else column for name, column in columns.items()},
        lines,
        misread,
    )


def _not_text(column: pa.Array) -> pa.Array | None:
    """Which values hold NUL or are not UTF-8; None when all are text."""
    try:
        column.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([value is not None and _damage(value) == BAD_ENCODING for value in column.to_pylist()])
    holds = pc.fill_null(pc.match_substring(column, "\0"), False)
    return holds if pc.any(holds).as_py() else None


# JSON lines


def _json_lines(data: mmap.mmap, pos: int, max_field: int) -> Iterator[Batch]:
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)
    names: dict[str, None] = {}
    found: list[tuple[int, dict[str, str | None], str | None]] = []
    line, begun = 0, pos
    while pos < len(data):
        if data[pos] in b"\r\n" and (blank := BLANK.match(data, pos, pos + WINDOW)):
            line += blank.group().count(b"\n")
            pos = blank.end()
        end, line = _line_end(data, pos), line + 1
        if end - pos > LONGEST_LINE * max_field:
            found.append((line, {}, TOO_LONG))
        elif text := data[pos:end].strip():
            row, reason = _object(text, decoder, max_field)
            found.append((line, row, reason))
            if not row.keys() <= names.keys():
                names |= dict.fromkeys(row)
        pos = end
        if pos - begun >= WINDOW or pos == len(data) or len(names) > MAX_COLUMNS:
            _check_names(list(names))
            lines, rows, reasons = zip(*found, strict=True) if found else ((), (), ())
            columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
            yield Batch(columns, pa.array(lines, pa.int64()), pa.array(reasons, pa.string()))
            found, begun = [], pos


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _object(line: bytes, decoder: json.JSONDecoder, max_field: int) -> tuple[dict[str, str | None], str | None]:
    """One object's values as text, lists and objects as JSON; or why it is none."""
    try:
        found = decoder.decode(line.decode())
        if not isinstance(found, dict):
            return {}, BAD_LINE
        row = {name: value if type(value) is str else _text(value) for name, value in found.items()}
        if len(line) > max_field and any(len(text.encode()) > max_field for text in row.values() if text):
            return {}, TOO_LONG
        # Escapes can spell what the bytes of a line cannot: half of a surrogate pair, or NUL.
        if b"\\u" in line and b"\0" in "".join([*row, *filter(None, row.values())]).encode():
            return {}, BAD_ENCODING
    except UnicodeError:  # bytes that are no UTF-8, or half of a surrogate pair
        return {}, BAD_ENCODING
    except (ValueError, RecursionError):
        return {}, _damage(line)
    return row, None


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


# Parquet


def _parquet(path: Path, max_field: int) -> Iterator[Batch]:
    with path.open("rb") as file:
        head = file.read(len(PARQUET_MAGIC))
        file.seek(-min(len(PARQUET_MAGIC), path.stat().st_size), 2)
        if head != PARQUET_MAGIC or file.read() != PARQUET_MAGIC:
            raise BadFile(TORN, "the file does not begin and end as Parquet does")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _check_names(file.schema_arrow.names)
            row = 1
            for rows in file.iter_batches(BATCH, use_threads=False):
                yield _typed(rows, row, max_field)
                row += len(rows)
    except MemoryError:
        raise
    except pa.ArrowNotImplementedError as error:
        raise BadFile(UNREADABLE, str(error).splitlines()[0][:200]) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadFile(TORN, f"not readable as Parquet: {str(error).splitlines()[0][:200]}") from error


def _typed(rows: pa.RecordBatch, first: int, max_field: int) -> Batch:
    """Typed columns as they came; strings are judged as those of text files are."""
    columns = {}
    for field, column in zip(rows.schema, rows.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            column = column.dictionary_decode()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = column.cast(pa.large_binary()).cast(pa.binary())
        elif pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        else:
            column.validate(full=True)
        columns[field.name] = column
    lines = pa.array(range(first, first + len(rows)), pa.int64())
    return _judged(columns, lines, max_field)
