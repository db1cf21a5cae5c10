"""The only writer: a run's tables beside what readers see, until a commit takes them whole.

A staging folder holds `tables/` (what a commit renames into a snapshot) and `facts/` (what was written, kept after
the commit so that a repeated one finds its outcome). Not here: what may be published (`commit`).
"""

import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.contracts.table import Table
from pipeline.errors import ConfigError, DataError, NoData, Superseded
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.manifest import TableFile

FOLDER, TABLES, FACTS, MODELS = "staging", "tables", "facts", "models.json"
ROW_GROUP = 61_440  # rows: larger ones take longer to read one user from, smaller ones to find them in
RUN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]*")

# All that shapes the bytes is pinned: the same rows under the same lock file give the same file.
FORMAT: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": True,
    "write_statistics": True,
    "write_page_index": True,
}


@dataclass(frozen=True)
class Staging:
    """One run's staged tables; any process may reopen it by root, day and run."""

    root: Path
    day: date
    run: str

    @classmethod
    def open(cls, root: Path, day: date, run: str, *, fresh: bool = False) -> "Staging":
        """Open a run's staging folder, or start it.

        Args:
            root: the warehouse's folder.
            day: business day.
            run: name of the run, unique among live runs of the day.
            fresh: forget what an earlier attempt of the same run staged.

        Raises:
            ConfigError: the run's name cannot be a folder's.
        """
        if not RUN.fullmatch(run):
            raise ConfigError(f"run '{run}': not a name; use letters, digits, '_', '.', ':', '+' and '-'")
        staging = cls(root, day, run)
        if fresh:
            staging.discard()
        for folder in (TABLES, FACTS):
            (staging.folder / folder).mkdir(parents=True, exist_ok=True)
        return staging

    @property
    def folder(self) -> Path:
        """Where this run stages."""
        return self.root / FOLDER / f"{self.day}-{self.run}"

    def write(self, contract: Table, rows: pa.Table) -> TableFile:
        """Hold rows to their contract and stage them, replacing an earlier attempt.

        Args:
            contract: the table's contract.
            rows: in any order; the file has the contract's.

        Returns:
            What was written; hash and size are taken on the way to disk.

        Raises:
            DataError: the rows break the contract; nothing is staged.
            Superseded: a later attempt of the same run has begun meanwhile.
        """
        with self.parts(contract) as parts:
            parts.add(rows)
        return parts.facts

    @contextmanager
    def parts(self, contract: Table) -> Iterator["Parts"]:
        """Stage a table part by part, as `write` does all of it; nothing is staged before the block ends without error.

        Raises:
            Superseded: a later attempt of the same run has begun meanwhile.
        """
        with ExitStack() as stack:
            with self._ours():
                temporary = stack.enter_context(durable.partial(self.folder / contract.name))
                file = stack.enter_context(temporary.open("wb"))
            parts = Parts(contract, file)
            stack.enter_context(parts.writer)
            yield parts
            parts.end()
            os.fsync(file.fileno())
            with self._ours(), durable.locked(self.root):
                # A table without facts is not staged: a kill between the two cannot pair them wrongly.
                durable.drop(self._facts(contract.name))
                self.path(contract.name).parent.mkdir(exist_ok=True)
                durable.move(temporary, self.path(contract.name), Step.TABLE)
                durable.put(self._facts(contract.name), parts.facts.to_json(), Step.FACTS)

    def path(self, name: str) -> Path:
        """Where a table's file is staged."""
        return self.folder / TABLES / f"{name}.parquet"

    def read(self, name: str, columns: list[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
        """A staged table, or some of its columns and rows.

        Raises:
            NoData: it has not been staged, or has been committed since.
        """
        if not (self._facts(name).exists() and self.path(name).exists()):
            raise NoData(f"staging {self.folder.name}: no table {name}; run the stage that writes it")
        return pq.read_table(self.path(name), columns=columns, filters=where, partitioning=None)

    def tables(self) -> dict[str, TableFile]:
        """What has been staged, by table; known after a commit, too."""
        paths = sorted((self.folder / FACTS).glob("*.json"))
        return {path.stem: TableFile.from_json(path.read_text(), str(path)) for path in paths}

    def note_models(self, versions: Mapping[str, str]) -> None:
        """Note the models behind the tables, beside those already noted."""
        with durable.locked(self.root):
            durable.put(self.folder / MODELS, json.dumps(self.models() | dict(versions), sort_keys=True), Step.MODELS)

    def models(self) -> dict[str, str]:
        """Models noted so far, name to version."""
        path = self.folder / MODELS
        return json.loads(path.read_text()) if path.exists() else {}

    def discard(self) -> None:
        """Forget all that was staged."""
        durable.drop(self.folder)

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """Work in the folder, which a later attempt of the same run forgets when it begins."""
        try:
            yield
        except FileNotFoundError as error:
            message = f"staging {self.folder.name}: a later attempt of this run has begun; wait for it"
            raise Superseded(message) from error

    def _facts(self, name: str) -> Path:
        return self.folder / FACTS / f"{name}.json"


class Parts:
    """A table on its way to disk, part by part; the file is, to the byte, that of all rows at once."""

    def __init__(self, contract: Table, file: BinaryIO) -> None:
        """Begin a file.

        Args:
            contract: the table's contract.
            file: whose folder is another's business.
        """
        self.contract, self.rows = contract, 0
        self._sink = _Measured(file)
        order = pq.SortingColumn.from_ordering(contract.schema, [(name, "ascending") for name in contract.order])
        self.writer = pq.ParquetWriter(pa.PythonFile(self._sink, "w"), contract.schema, sorting_columns=order, **FORMAT)
        self._waiting: list[pa.Table] = []  # of less than a row group
        self._last: list[Any] | None = None

    def add(self, rows: pa.Table) -> None:
        """Hold some rows to the contract and write them.

        Args:
            rows: in any order, all of them behind those of the part before.

        Raises:
            DataError: they break the contract, or some belong before, or beside, a row of the part before.
        """
        clean, order = self.contract.enforce(rows), self.contract.order
        if not len(clean):
            return
        first, last = ([clean.column(name)[at].as_py() for name in order] for at in (0, len(clean) - 1))
        if self._last is not None and not (self._last < first and set(order) == set(self.contract.key)):
            raise DataError(
                f"table {self.contract.name}: a part begins at {first}, the one before ends at {self._last}; "
                "write parts in the table's order, a table sorted by more than its key as one"
            )
        self._last, self.rows = last, self.rows + len(clean)
        waiting = pa.concat_tables([*self._waiting, clean])
        while len(waiting) >= ROW_GROUP:
            self._put(waiting.slice(0, ROW_GROUP))
            waiting = waiting.slice(ROW_GROUP)
        self._waiting = [waiting]

    def end(self) -> None:
        """Write what is left; the file is whole then."""
        left = pa.concat_tables([self.contract.schema.empty_table(), *self._waiting])
        if len(left) or not self.rows:
            self._put(left)
        self.writer.close()
        self._sink.file.flush()

    @property
    def facts(self) -> TableFile:
        """What was written."""
        return TableFile(
            name=self.contract.name,
            file=f"{self.contract.name}.parquet",
            rows=self.rows,
            bytes=self._sink.bytes,
            sha256=self._sink.sha256.hexdigest(),
            fingerprint=self.contract.fingerprint,
        )

    def _put(self, group: pa.Table) -> None:
        # Pages end where chunks do, so that a row group is one chunk however its rows came.
        self.writer.write_table(group.combine_chunks(), row_group_size=ROW_GROUP)


class _Measured(io.RawIOBase):
    """A file that hashes and counts what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.bytes, self.sha256 = file, 0, hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.bytes += len(data)
        return self.file.write(data)

    def tell(self) -> int:
        return self.bytes

    def writable(self) -> bool:
        return True
