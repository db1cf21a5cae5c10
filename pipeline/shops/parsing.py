"""Parsing of uploads in a child under limits: whatever a file holds, it ends as clean Parquet or is set aside whole.

Not here: what the child does with a file (`shops.child`, `shops.formats`).
"""

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import reduce
from pathlib import Path
from typing import IO, Any, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

import pipeline
from pipeline.settings import LandingSettings

FORMS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
UNREADABLE = "unreadable"
START_SECONDS = 120
PREFIX, LOCK = "shopkeel-landing-", ".lock"
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "PYTHONPATH": str(Path(pipeline.__file__).parents[1]),
}


@dataclass(frozen=True)
class Parsed:
    """What became of a file.

    Attributes:
        parts: clean Parquet files; all columns of text formats are strings. Beside them `origin` and `misread`.
        rows: lines that were read or misread.
        misread: how many could not be read, by reason.
        reason: why the file is set aside whole; empty when it is not.
        words: the same for people.
    """

    parts: tuple[Path, ...] = ()
    rows: int = 0
    misread: dict[str, int] | None = None
    reason: str = ""
    words: str = ""


def form_of(name: str) -> tuple[str, bool] | None:
    """A file's format (csv, jsonl, parquet) and whether it is packed, by its name; None for any other."""
    plain = name.removesuffix(".gz")
    form = FORMS.get(Path(plain).suffix.lower())
    return None if form is None or (form == "parquet" and plain != name) else (form, plain != name)


class Parser:
    """A folder of clean files and the child that fills it; both are gone with this object.

    A child that crashes, or takes too long, is replaced, and the file it was at is set aside.
    """

    def __init__(self, limits: LandingSettings) -> None:
        """Make the folder; the child starts with the first file."""
        self.limits = limits
        sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = (self.folder / LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.child: subprocess.Popen[bytes] | None = None
        self.files = 0
        self._end = weakref.finalize(self, _forget, self.folder, lock)

    def spool(self) -> Path:
        """Where to put the next file to parse."""
        self.files += 1
        return self.folder / f"{self.files:06}.raw"

    def parse(self, path: Path, name: str, address: str, ds: date | None = None, names: Sequence[str] = ()) -> Parsed:
        """Have a spooled file parsed; it is deleted afterwards.

        Args:
            path: the file.
            name: says its format.
            address: what to call it in the rows' `origin`.
            ds: goes to the rows' column of this name; None leaves it out.
            names: columns of a CSV file without a header.

        Raises:
            OSError: the machine failed, not the file.
        """
        form, packed = form_of(name) or ("csv", False)
        folder = path.with_suffix("")
        folder.mkdir()
        ask = {
            "path": str(path),
            "folder": str(folder),
            "form": form,
            "gzip": packed,
            "address": address,
            "ds": str(ds) if ds else "",
            "names": list(names),
            "max_file": self.limits.max_file_mib << 20,
            "max_field": self.limits.max_field_kib << 10,
            "seconds": self.limits.seconds_per_file,
        }
        answer = self._ask(ask)
        path.unlink(missing_ok=True)
        if "machine" in answer:
            raise OSError(f"{address}: {answer['machine']}")
        if "reason" in answer:
            return Parsed(reason=answer["reason"], words=answer["words"])
        return Parsed(tuple(sorted(folder.glob("*.parquet"))), answer["rows"], answer["misread"])

    def close(self) -> None:
        """End the child and delete the folder."""
        if self.child is not None:
            _stop(self.child)
        self._end()

    def _ask(self, ask: dict[str, Any]) -> dict[str, Any]:
        """The child's answer; one that gives none is replaced for the next file."""
        if self.child is None or self.child.poll() is not None:
            self._start()
        child, seconds = cast("subprocess.Popen[bytes]", self.child), self.limits.seconds_per_file
        try:
            cast(IO[bytes], child.stdin).write(json.dumps(ask).encode() + b"\n")
            return _answer(child, seconds)
        except TimeoutError:
            _stop(child)
            return {"reason": UNREADABLE, "words": f"reading it took over {seconds} s"}
        except BrokenPipeError:
            _stop(child)
            return {"reason": UNREADABLE, "words": f"its reader crashed (exit code {child.returncode})"}

    def _start(self) -> None:
        limits = (int(self.limits.memory_gib * 2**30), self.limits.max_file_mib << 20)
        words = [str(word) for word in (os.getpid(), *limits)]
        child = subprocess.Popen(
            [sys.executable, "-m", "pipeline.shops.child", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            cwd=self.folder,
            bufsize=0,
        )
        weakref.finalize(self, _stop, child)
        try:
            _answer(child, START_SECONDS)
        except (TimeoutError, BrokenPipeError) as error:  # no file's fault
            _stop(child)
            raise OSError(
                f"the parsing child does not start (exit code {child.returncode}); run the date again"
            ) from error
        self.child = child


def _answer(child: "subprocess.Popen[bytes]", seconds: int) -> dict[str, Any]:
    """The next line of the child's answers.

    Raises:
        TimeoutError: it has been silent for these seconds.
        BrokenPipeError: it ended.
    """
    pipe, answer = cast(IO[bytes], child.stdout), b""
    while not answer.endswith(b"\n"):
        if not select.select([pipe], [], [], seconds)[0]:
            raise TimeoutError
        if not (chunk := os.read(pipe.fileno(), 1 << 16)):
            raise BrokenPipeError
        answer += chunk
    return dict(json.loads(answer))


def sweep() -> None:
    """Delete the folders of parsers that were killed: they hold copies of uploads. A living one holds its lock."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


def _forget(folder: Path, lock: IO[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    lock.close()


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.wait()


def together(connection: Backend, parts: Iterable[Path]) -> ir.Table | None:
    """The rows of many clean files: all their columns, null where a file has none of the name.

    Of a column that came in several types, numbers meet in the widest; otherwise all become strings.
    """
    alike: dict[str, list[str]] = {}
    for part in parts:
        alike.setdefault(pq.read_schema(part).remove_metadata().to_string(), []).append(str(part))
    tables = [connection.read_parquet(paths, hive_partitioning=False) for paths in alike.values()]
    if not tables:
        return None
    types: dict[str, list[dt.DataType]] = {}
    for table in tables:
        for name, kind in table.schema().items():
            types.setdefault(name, []).append(kind)
    common = {name: reduce(_wider, kinds) for name, kinds in types.items()}
    aligned = [
        table.select(
            **{
                name: table[name].cast(kind) if name in table.columns else ibis.null(kind)
                for name, kind in common.items()
            }
        )
        for table in tables
    ]
    return ibis.union(*aligned) if len(aligned) > 1 else aligned[0]


def _wider(one: dt.DataType, other: dt.DataType) -> dt.DataType:
    if one == other:
        return one
    return dt.highest_precedence([one, other]) if one.is_numeric() and other.is_numeric() else dt.string
