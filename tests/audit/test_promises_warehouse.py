"""Promises of the warehouse, each over at least 10,000 generated cases.

One snapshot for all tables (G8), the same bytes from the same inputs (G9), and last night's snapshot when anything is
not as it must be (G10).
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import gates
from pipeline.contracts.table import Table
from pipeline.contracts.tables import TABLES
from pipeline.errors import DataError, Refused, Superseded
from pipeline.warehouse import durable, snapshot
from pipeline.warehouse.commit import rollback
from pipeline.warehouse.manifest import content_id
from pipeline.warehouse.snapshot import LOG, Snapshot
from pipeline.warehouse.staging import Staging
from tests.warehouse.conftest import PRICES, USERS, House

CASES = 10_000


@pytest.fixture(autouse=True)
def _no_disk_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is about power cuts."""
    monkeypatch.setattr(durable.os, "fsync", lambda *_: None)


def digest(opened: Snapshot, table: str) -> str:
    return hashlib.sha256(opened.path(table).read_bytes()).hexdigest()


# --- G8: readers see one snapshot for all tables, or the one before ---------------------------------------------------


@dataclass
class Readers:
    """At every step that anybody could see, one more reader opens what is current, and all who came before read on.

    Attributes:
        written: by snapshot, what its two tables are.
        begun: readers of the move under way, each with what it read of the first table.
        cases: how often a reader read the second table.
    """

    house: House
    written: dict[str, tuple[str, str]] = field(default_factory=dict)
    begun: list[tuple[Snapshot, str]] = field(default_factory=list)
    cases: int = 0

    def night(self, day: int, stamp: int) -> None:
        """Publish two tables that hold a stamp; on an earlier day than the current one, a backfill."""
        staging = Staging.open(self.house.root, self.house.day(day), "night", fresh=True)
        prices = staging.write(PRICES, pa.table({"item": ["a"], "price": [float(stamp)]}))
        users = staging.write(USERS, pa.table({"user_key": ["u"], "spread": [[float(stamp)]]}, USERS.schema))
        # Known before anybody can see it: the id follows from the content.
        named = content_id(staging.day, staging.tables(), {"ranker": "v1"}, "policy")
        self.written[named] = (prices.sha256, users.sha256)
        assert self.house.commit(staging).snapshot == named

    def step(self, _place: str) -> None:
        if opened := snapshot.current(self.house.root):
            self.begun.append((opened, digest(opened, "prices")))
        for reader, prices in self.begun:
            assert (prices, digest(reader, "users")) == self.written[reader.id]
        self.cases += len(self.begun)

    def over(self, before: str | None, after: str | None) -> None:
        """A move has ended: whoever began meanwhile read the one or the other."""
        assert {reader.id for reader, _ in self.begun} <= {before, after}
        self.begun.clear()


def test_readers_see_one_snapshot_for_all_tables_or_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {"cases": 0, "snapshots": 0}

    @settings(max_examples=25)
    @given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 10**6), st.integers(0, 4)), min_size=8, max_size=10))
    def hold(moves: list[tuple[int, int, int]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            readers = Readers(House(Path(folder)))
            monkeypatch.setattr(durable, "reached", readers.step)
            for day, stamp, how in moves:
                now = snapshot.current(readers.house.root)
                if how:
                    readers.night(day, stamp)
                elif now and now.manifest.parent:
                    rollback(readers.house.root)
                readers.over(now and now.id, snapshot.pointer(readers.house.root))
            seen["cases"] += readers.cases
            seen["snapshots"] += len(readers.written)

    hold()
    assert seen["cases"] >= CASES
    assert seen["snapshots"] > 50


# --- G9: same inputs, same bytes -------------------------------------------------------------------------------------

WORDS = np.array(["", "a", "ä", "b c", "żółć", "0"])


def values(rng: np.random.Generator, kind: pa.DataType, count: int) -> list[Any]:
    """Values of a column's type, few enough that they repeat."""
    if pa.types.is_list(kind):
        return [values(rng, kind.value_type, int(size)) for size in rng.integers(0, 3, count)]
    if pa.types.is_struct(kind):
        columns = [values(rng, field.type, count) for field in kind]
        return [dict(zip([field.name for field in kind], row, strict=True)) for row in zip(*columns, strict=True)]
    if pa.types.is_string(kind):
        return rng.choice(WORDS, count).tolist()
    if pa.types.is_floating(kind):
        return rng.choice([-0.0, 0.0, 1 / 3, -2.5e30, np.inf], count).astype(kind.to_pandas_dtype()).tolist()
    if pa.types.is_boolean(kind):
        return rng.random(count).__lt__(0.5).tolist()
    return [pa.scalar(int(number), pa.int32()).cast(kind).as_py() for number in rng.integers(-3, 4, count)]


def rows_of(rng: np.random.Generator, table: Table, count: int) -> pa.Table:
    """Rows that a contract accepts: keys without repeats, nulls where they may be."""
    made: dict[str, list[Any]] = {}
    for one in table.schema:
        column = values(rng, one.type, count)
        made[one.name] = [None if one.nullable and rng.random() < 0.2 else value for value in column]
    first = {tuple(made[name][row] for name in table.key): row for row in range(count)}
    return pa.table(made, table.schema).take(list(first.values()))


def in_another_order(rng: np.random.Generator, rows: pa.Table) -> pa.Table:
    """The same rows and columns, shuffled and in other chunks."""
    order, cut = rng.permutation(len(rows)), int(rng.integers(0, len(rows) + 1))
    mixed = rows.take(order).select(rng.permutation(rows.column_names).tolist())
    return pa.concat_tables([mixed.slice(0, cut), mixed.slice(cut)])


def test_the_same_rows_are_the_same_bytes_in_whatever_order_they_come(tmp_path: Path) -> None:
    rng, cases = np.random.default_rng(9), 0
    staging = Staging.open(tmp_path, House(tmp_path).day(1), "night")
    for contract in [*TABLES.values(), *[PRICES, USERS] * 47]:
        rows = rows_of(rng, contract, 12)
        clean, file = contract.enforce(rows), staging.write(contract, rows)
        for _ in range(100):
            again = contract.enforce(in_another_order(rng, rows))
            # What the writer is given is all that shapes the file.
            assert again.equals(clean, check_metadata=True)
            assert [column.num_chunks for column in again.columns] == [1] * len(again.columns)
            cases += 1
        assert staging.write(contract, in_another_order(rng, rows)) == file
    assert cases >= CASES


def test_other_rows_are_other_bytes(tmp_path: Path) -> None:
    staging = Staging.open(tmp_path, House(tmp_path).day(1), "night")
    written = {staging.write(PRICES, pa.table({"item": ["a"], "price": [n / 7]})).sha256 for n in range(200)}
    assert len(written) == 200


# --- G10: fail static ------------------------------------------------------------------------------------------------


def test_a_commit_moves_readers_only_when_all_that_it_requires_holds(tmp_path: Path) -> None:
    house, rng, refused = House(tmp_path / "warehouse"), np.random.default_rng(10), 0
    ids = [house.publish(day) for day in (1, 2)]
    kept = house.files(), (house.root / LOG).read_bytes()
    staging = house.stage(3)
    while refused < CASES:
        fails, overtaken, lacks = rng.random(3) < 0.5
        if not (fails or overtaken or lacks):
            continue
        asked = {
            "passed": not fails,
            "seen": [None, ids[0]][rng.integers(2)] if overtaken else ids[1],
            "tables": ("prices", "users", "ghosts") if lacks else ("prices",),
        }
        with pytest.raises(Refused if fails else DataError if lacks else Superseded):
            house.commit(staging, **asked)
        assert snapshot.pointer(house.root) == ids[1]
        refused += 1
    assert (house.files(), (house.root / LOG).read_bytes()) == kept
    assert house.commit(staging).snapshot == snapshot.pointer(house.root)


def verdicts(rng: np.random.Generator) -> Iterator[tuple[list[gates.Verdict], bool]]:
    """What gates may say of a stage, and whether the night may go on."""
    while True:
        made, good = [], True
        for suite in range(int(rng.integers(0, 4))):
            severities = rng.choice(gates.SEVERITIES, int(rng.integers(0, 3)), p=[0.2, 0.8]).tolist()
            failures = tuple(gates.Failure("expect", "", severity, "seen", "why") for severity in severities)
            good &= "critical" not in severities
            made.append(gates.Verdict(f"suite{suite}", "critical" not in severities, 5, failures))
        yield made, good and bool(made)


def test_one_critical_failure_anywhere_or_nothing_judged_stops_the_night() -> None:
    went_on = 0
    for _, (said, good) in zip(range(CASES), verdicts(np.random.default_rng(11)), strict=False):
        if good:
            gates.require(said)
            went_on += 1
        else:
            with pytest.raises(Refused):
                gates.require(said)
    assert CASES / 10 < went_on < CASES * 9 / 10


def armed(expectation: dict[str, Any]) -> list[str]:
    """The thresholds of an expectation; without them it could not fail."""
    names = {name for kind, names in gates.THRESHOLDS.items() if expectation["type"].endswith(kind) for name in names}
    return sorted(names & expectation["kwargs"].keys())


def disarmed(rng: np.random.Generator, expectation: dict[str, Any]) -> dict[str, Any]:
    """The same without thresholds: left out, null, empty, or to hold of no row."""
    how = int(rng.integers(4))
    if how == 0:
        return {**expectation, "kwargs": expectation["kwargs"] | {"mostly": 0}}
    rest = {name: value for name, value in expectation["kwargs"].items() if name not in armed(expectation)}
    return {**expectation, "kwargs": rest | (dict.fromkeys(armed(expectation), [None, []][how - 2]) if how > 1 else {})}


def test_an_expectation_without_a_threshold_refuses_its_whole_suite(tmp_path: Path, monkeypatch: Any) -> None:
    files = sorted(gates.folder().glob("*.json"))
    shipped = [one for path in files for one in json.loads(path.read_text())["expectations"]]
    thresholds = [one for one in shipped if armed(one)]
    assert len(thresholds) > 50
    assert all(map(gates._can_fail, shipped))
    monkeypatch.setenv("SHOPKEEL_EXPECTATIONS", str(tmp_path))
    rng, path = np.random.default_rng(12), tmp_path / "any.json"
    for case in range(CASES):
        harmed = disarmed(rng, thresholds[rng.integers(len(thresholds))])
        assert not gates._can_fail(harmed)
        if case % 100 == 0:
            suite = [shipped[place] for place in rng.integers(0, len(shipped), 3)]
            suite.insert(int(rng.integers(4)), harmed)
            path.write_text(json.dumps({"name": "any", "meta": {}, "expectations": suite}))
            with pytest.raises(Refused, match="could never fail"):
                gates.load_suite("any")
