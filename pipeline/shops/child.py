"""The process that touches uploads first: under limits, without secrets, dying with its parent.

`shops.parsing` starts it and asks, a JSON line a file; it answers with a JSON line. What it reads it writes as Parquet.
It imports nothing of the pipeline beyond `formats`, and its standard output belongs to the answers alone.
"""

import ctypes
import errno
import gc
import gzip
import json
import os
import resource
import shutil
import signal
import sys
import zlib
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.shops import formats

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
OPEN_FILES = 64
LIBRARIES = 1 << 29  # address space that the interpreter and its libraries map before any file
BESIDE = ("ds", "origin", "misread")  # what stands beside a row's own columns; a file's columns of these names are left


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel knew
        os.kill(os.getpid(), signal.SIGKILL)


def _limit(memory: int, file_size: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if sys.platform == "linux":  # elsewhere it is not kept
        space = LIBRARIES + memory + file_size  # a file is mapped, not loaded
        resource.setrlimit(resource.RLIMIT_AS, (space, space))


def _limit_time(seconds: int) -> None:
    """Processor seconds for the next file; past them the kernel kills."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds + 1, resource.RLIM_INFINITY))


def _unpack(packed: Path, limit: int) -> Path:
    """The file without its gzip, no larger than a limit in bytes."""
    plain = packed.with_suffix(".plain")
    try:
        with gzip.open(packed) as source, plain.open("wb") as target:
            while chunk := source.read(1 << 20):
                if target.tell() + len(chunk) > limit:
                    raise formats.BadFile(formats.TOO_LARGE, f"unpacks to more than {limit >> 20} MiB")
                target.write(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise formats.BadFile(formats.TORN, f"not readable as gzip: {error}") from error
    return plain


class _Clean:
    """Parquet parts of one file, a new one whenever the columns change."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.parts = folder, 0
        self.writer: pq.ParquetWriter | None = None

    def write(self, rows: pa.Table) -> None:
        if self.writer is None or not self.writer.schema.equals(rows.schema):
            self.close()
            self.writer = pq.ParquetWriter(self.folder / f"{self.parts:06}.parquet", rows.schema, compression="lz4")
            self.parts += 1
        self.writer.write_table(rows)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.writer = None


def _parse(path: Path, ask: dict[str, Any]) -> dict[str, Any]:
    """Write a file's rows as clean Parquet; the count of rows, and of misread ones by reason."""
    if ask["gzip"]:
        path = _unpack(path, ask["max_file"])
    clean, rows, misread = _Clean(Path(ask["folder"])), 0, Counter[str]()
    for batch in formats.read(path, ask["form"], ask["max_field"], ask["names"]):
        if not len(batch.lines):
            continue
        origin = pc.binary_join_element_wise(ask["address"], batch.lines.cast(pa.string()), ":")
        columns = {name: column for name, column in batch.columns.items() if name.casefold() not in BESIDE}
        if ask["ds"]:
            columns["ds"] = pa.repeat(date.fromisoformat(ask["ds"]), len(batch.lines)).cast(pa.date32())
        clean.write(pa.table(columns | {"origin": origin, "misread": batch.misread}))
        rows += len(batch.lines)
        misread.update(batch.misread.drop_null().to_pylist())
    clean.close()
    return {"rows": rows, "misread": dict(misread)}


def _answer(ask: dict[str, Any]) -> dict[str, Any]:
    _limit_time(ask["seconds"])
    try:
        return _parse(Path(ask["path"]), ask)
    except formats.BadFile as bad:
        return {"reason": bad.reason, "words": bad.words}
    except MemoryError:
        return {"reason": formats.UNREADABLE, "words": "reading it needs more memory than it may take"}
    except OSError as error:
        if error.errno == errno.EFBIG:
            return {"reason": formats.TOO_LARGE, "words": "unpacks to more than a file may hold"}
        return {"machine": str(error)}
    finally:
        Path(ask["path"]).with_suffix(".plain").unlink(missing_ok=True)


def main() -> None:
    """Answer until the parent closes the pipe."""
    parent, memory, file_size = (int(word) for word in sys.argv[1:])
    _die_with(parent)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    pa.set_cpu_count(1)
    gc.disable()  # rows make no cycles, and looking for some costs JSON a third of its speed
    _limit(memory, file_size)
    answers.write("{}\n")  # ready
    answers.flush()
    for line in sys.stdin:
        ask = json.loads(line)
        answer = _answer(ask)
        if "rows" not in answer:
            shutil.rmtree(ask["folder"], ignore_errors=True)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
