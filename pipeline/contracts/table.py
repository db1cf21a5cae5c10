"""The Table and Column types: they yield the Arrow schema, the fingerprint, the check at the writer and the docs page.

Not here: which tables exist (`feeds`, `features`, `tables`) and judgements on values (`expectations/`).
"""

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import DataError


class Privacy(StrEnum):
    """Who a value is about and how freely it may travel."""

    PUBLIC = "public"  # about the shop, not about a person
    PSEUDONYM = "pseudonym"  # a keyed hash that stands for a person
    PERSONAL = "personal"  # about one person, published only beside a pseudonym
    IDENTIFIER = "identifier"  # names a person; never leaves ingest
    AUDIT = "audit"  # for audits only; never reaches a model or a published table


class Drift(StrEnum):
    """What ingest does when an arrival's columns or types differ from the contract."""

    EVOLVE = "evolve"  # extra columns are kept aside and named in the report
    FREEZE = "freeze"  # any difference stops the night
    DISCARD_ROW = "discard_row"  # rows whose values do not fit are quarantined
    DISCARD_VALUE = "discard_value"  # values that do not fit become null, extra columns are dropped


@dataclass(frozen=True)
class Column:
    """One column, defined once for every table that has it."""

    name: str
    type: pa.DataType
    sentence: str
    privacy: Privacy = Privacy.PUBLIC
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A table's contract.

    Attributes:
        grain: what one row is.
        key: columns that identify a row; unique and never null.
        order: columns the file is sorted by (a total order, so it covers the key).
        required: columns beyond the key that are never null.
    """

    name: str
    grain: str
    sentence: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    order: tuple[str, ...]
    owner: str
    required: tuple[str, ...] = ()
    drift: Drift = Drift.FREEZE
    _names: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        """Check that the contract itself hangs together."""
        names = [column.name for column in self.columns]
        object.__setattr__(self, "_names", frozenset(names))
        unknown = {*self.key, *self.order, *self.required} - self._names
        if unknown or len(self._names) != len(names) or not set(self.key) <= set(self.order):
            raise ValueError(f"contract {self.name}: unknown {unknown}, doubled columns, or order without key")

    @property
    def never_null(self) -> tuple[str, ...]:
        """Key and required columns."""
        return tuple(dict.fromkeys((*self.key, *self.required)))

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, nullability included."""
        solid = set(self.never_null)
        return pa.schema([pa.field(c.name, c.type, nullable=c.name not in solid) for c in self.columns])

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over names, types, nullability, key and order: changes when a reader could notice."""
        facts = [[f.name, str(f.type), f.nullable] for f in self.schema]
        return hashlib.sha256(json.dumps([facts, self.key, self.order]).encode()).hexdigest()

    def enforce(self, rows: pa.Table) -> pa.Table:
        """Cast, order and check rows so that they are exactly what the contract says.

        Raises:
            DataError: a column is missing or extra, a type does not fit, a never-null column holds nulls,
                or the key is not unique.
        """
        have = set(rows.column_names)
        if missing := sorted(self._names - have):
            raise DataError(f"table {self.name}: column {', '.join(missing)} is missing; write it")
        if extra := sorted(have - self._names):
            raise DataError(f"table {self.name}: column {', '.join(extra)} is not in the contract; add it there first")
        bare = pa.schema([field.with_nullable(True) for field in self.schema])
        try:
            rows = rows.select(self.names).cast(bare)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(f"table {self.name}: {error}; the contract's types are the ones to write") from error
        for name in self.never_null:
            if nulls := rows.column(name).null_count:
                raise DataError(f"table {self.name}: {nulls} rows have no {name}; it must never be null")
        if set(self.order) == set(self.key) and self._ascends(rows):
            return rows.combine_chunks().cast(self.schema)
        keys = rows.select(list(self.key)).combine_chunks()
        if len(rows) and keys.group_by(list(self.key)).aggregate([]).num_rows != len(rows):
            raise DataError(f"table {self.name}: key ({', '.join(self.key)}) is not unique; deduplicate before writing")
        indices = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in self.order])
        return rows.take(indices).combine_chunks().cast(self.schema)

    def _ascends(self, rows: pa.Table) -> bool:
        """Whether each row comes after the one before in the table's order, so that no two are alike in it."""
        undecided: pa.Array = pa.repeat(True, max(len(rows) - 1, 0))
        for name in self.order:
            column = rows.column(name).combine_chunks()
            before, after = column[:-1], column[1:]
            if column.null_count or pc.any(pc.and_(undecided, pc.greater(before, after))).as_py():
                return False
            undecided = pc.and_(undecided, pc.equal(before, after))
        return not pc.any(undecided).as_py()

    def page(self) -> str:
        """The table's documentation as Markdown."""
        lines = [
            f"## {self.name}",
            "",
            f"{self.sentence} One row: {self.grain}. Key: {', '.join(self.key)}. Sorted by {', '.join(self.order)}. "
            f"Owner: {self.owner}. Schema drift: {self.drift}.",
            "",
            "| column | type | null | privacy | what it holds |",
            "|---|---|---|---|---|",
        ]
        for column, arrow in zip(self.columns, self.schema, strict=True):
            unit = f" ({column.unit})" if column.unit else ""
            null = "yes" if arrow.nullable else "no"
            lines.append(f"| {column.name} | {column.type} | {null} | {column.privacy} | {column.sentence}{unit} |")
        return "\n".join([*lines, ""])
