"""Landed days on disk: whole or not there, counted, digested, and read by day."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.feeds import FEEDS
from pipeline.errors import DataError
from pipeline.feeds import partitions
from pipeline.shops.source import Arrivals, RefusedFile

USERS = FEEDS["users"]
DAYS = [date(2020, 1, n) for n in (1, 2, 4)]


def judged(*rows: tuple[str | None, date, str | None, bool]) -> pa.Table:
    """Users as ingest judges them: key, arrival day, reason, whether a duplicate."""
    schema = pa.schema(
        [
            *(f.with_nullable(True) for f in USERS.landed.schema),
            ("origin", pa.string()),
            ("reason", pa.string()),
            ("is_duplicate", pa.bool_()),
        ]
    )
    names = ("user_key", "ds", "reason", "is_duplicate")
    return pa.Table.from_pylist([{**dict(zip(names, row, strict=True)), "source": "shop"} for row in rows], schema)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three days: two clean rows; one refused and one doubled; one clean."""
    partitions.write(
        tmp_path,
        USERS,
        judged(
            ("c", DAYS[2], None, False),
            ("b", DAYS[0], None, False),
            ("a", DAYS[0], None, False),
            (None, DAYS[1], "missing_value", False),
            ("a", DAYS[1], None, True),
            ("d", DAYS[1], None, False),
        ),
    )
    return tmp_path


def test_the_ledger_holds_the_last_day_and_every_file_that_was_read(tmp_path: Path) -> None:
    entries = partitions.ledger(tmp_path, "users")
    assert entries == partitions.Ledger() and entries.through is None
    torn = RefusedFile("users/ds=2020-01-02/b.csv", "2" * 64, DAYS[1], "torn", "half a file")
    nothing = ibis.memtable(pa.table({"user_id": pa.array([], pa.string())}))
    for day, files, refused in ((DAYS[0], {"a.csv": "1" * 64}, ()), (DAYS[1], {torn.address: torn.sha256}, (torn,))):
        entries = entries.after(day, Arrivals(nothing, files, refused))
        partitions.keep_ledger(tmp_path, "users", entries)
        assert partitions.ledger(tmp_path, "users") == entries and entries.through == day
    assert entries.files == {"a.csv": "1" * 64, torn.address: "2" * 64}
    assert [(file["reason"], file["ds"]) for file in entries.refused] == [("torn", "2020-01-02")]
    assert [path.name for path in (tmp_path / "users").iterdir()] == [partitions.LEDGER]


def test_days_are_those_after_one_and_up_to_another(root: Path) -> None:
    names = [[path.name for path in partitions.days(root, "users", upto)] for upto in DAYS]
    assert names == [[f"ds={day}" for day in DAYS[: n + 1]] for n in range(3)]
    assert [path.name for path in partitions.days(root, "users", DAYS[2], after=DAYS[0])] == [
        "ds=2020-01-02",
        "ds=2020-01-04",
    ]
    assert partitions.days(root, "users", date(2019, 12, 31)) == partitions.days(root, "items", DAYS[2]) == []


def test_rows_are_sorted_and_hold_to_the_contract(root: Path) -> None:
    rows = partitions.read_rows(partitions.days(root, "users", DAYS[0])[0])
    assert rows.schema.equals(USERS.landed.schema) and rows.column("user_key").to_pylist() == ["a", "b"]


def test_counts_add_up_over_days(root: Path) -> None:
    assert partitions.counts(root, "users", DAYS[2]) == {
        "arrived": 6,
        "published": 4,
        "quarantined": 1,
        "deduplicated": 1,
        "reason/missing_value": 1,
    }
    assert partitions.counts(root, "users", DAYS[2], after=DAYS[1])["arrived"] == 1
    assert partitions.counts(root, "items", DAYS[2])["arrived"] == 0


def test_a_day_s_folder_has_a_quarantine_only_when_rows_were_refused(root: Path) -> None:
    names = [sorted(path.name for path in folder.iterdir()) for folder in partitions.days(root, "users", DAYS[2])]
    clean = [partitions.COUNTS, partitions.ROWS]
    assert names == [clean, sorted([*clean, partitions.QUARANTINE]), clean]


def test_landed_reads_clean_rows_up_to_a_day(root: Path, connection: Any) -> None:
    rows = partitions.landed(connection, root, "users", DAYS[1])
    assert rows is not None
    assert rows.order_by("user_key").to_pyarrow().column("user_key").to_pylist() == ["a", "b", "d"]
    assert partitions.landed(connection, root, "users", date(2019, 1, 1)) is None


def test_latest_keeps_the_newest_arrival_of_each_key() -> None:
    rows = ibis.memtable(
        pa.table({"item_id": ["a", "a", "b", "a"], "ds": [DAYS[0], DAYS[2], DAYS[0], DAYS[1]], "cents": [1, 3, 9, 2]})
    )
    newest = partitions.latest(rows, "item_id").order_by("item_id").to_pyarrow()
    assert newest.to_pydict() == {"item_id": ["a", "b"], "ds": [DAYS[2], DAYS[0]], "cents": [3, 9]}


def test_the_digest_is_of_clean_rows_alone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    rows = [("b", DAYS[0], None, False), ("a", DAYS[0], None, False), ("c", DAYS[2], None, False)]
    partitions.write(other, USERS, judged(*rows, ("d", DAYS[1], None, False)))
    assert partitions.digest(other, "users", DAYS[2]) == partitions.digest(root, "users", DAYS[2])
    assert len({partitions.digest(root, "users", day) for day in (date(2019, 1, 1), *DAYS)}) == 4
    partitions.write(other, USERS, judged(("e", DAYS[1], None, False)))
    assert partitions.digest(other, "users", DAYS[2]) != partitions.digest(root, "users", DAYS[2])


def test_a_day_written_again_is_replaced_whole_and_an_interrupted_write_leaves_nothing(root: Path) -> None:
    torn = root / "users" / ".ds=2020-01-02-1"
    torn.mkdir()
    (torn / partitions.ROWS).write_bytes(b"half")
    assert partitions.counts(root, "users", DAYS[2])["arrived"] == 6
    partitions.write(root, USERS, judged(("z", DAYS[1], None, False)))
    folder = partitions.days(root, "users", DAYS[1])[-1]
    assert sorted(path.name for path in folder.iterdir()) == [partitions.COUNTS, partitions.ROWS]
    assert json.loads((folder / partitions.COUNTS).read_text())["published"] == 1


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((None, DAYS[0], None, False), "no user_key"),
        (("a", DAYS[0], None, False), "not unique"),
        (("e", DAYS[0], "missing_value", True), "do not add up"),  # refused and doubled would be counted twice
    ],
)
def test_rows_that_break_the_contract_are_not_written(tmp_path: Path, row: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        partitions.write(tmp_path, USERS, judged(("a", DAYS[0], None, False), row))
    assert partitions.days(tmp_path, "users", DAYS[2]) == []


@given(rows=st.lists(st.tuples(st.sampled_from(DAYS), st.sampled_from(["clean", "refused", "doubled"])), max_size=12))
def test_whatever_was_judged_is_accounted_for(
    rows: list[tuple[date, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("feeds")
    table = judged(
        *(
            (f"u{n}", day, "bad_type" if fate == "refused" else None, fate == "doubled")
            for n, (day, fate) in enumerate(rows)
        )
    )
    partitions.write(root, USERS, table)
    for day in DAYS:
        fates = [fate for at, fate in rows if at == day]
        total = partitions.counts(root, "users", day) - partitions.counts(root, "users", day - timedelta(1))
        expected = {
            "arrived": len(fates),
            "published": fates.count("clean"),
            "quarantined": fates.count("refused"),
            "deduplicated": fates.count("doubled"),
            "reason/bad_type": fates.count("refused"),
        }
        assert total == {name: n for name, n in expected.items() if n}
