"""Laws of landing: again changes nothing, order does not matter, bit by bit equals at once, nothing is uncounted."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.feeds import partitions
from tests.chaos.conftest import Matrix, counts
from tests.chaos.dock import adds_up, bring, open_dock, outputs, shopping
from tests.feeds.conftest import FIRST, Dock

DAYS = 6
END = FIRST + timedelta(DAYS)
Opener = Callable[[str], Dock]


def files(dock: Dock) -> dict[str, bytes]:
    """Every landed file and its bytes."""
    found = sorted(path for path in dock.root.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(dock.root)): path.read_bytes() for path in found}


def again(open_one: Opener, rows: list[Any], rng: np.random.Generator) -> bool:
    dock = open_one("dock")
    bring(dock, rows)
    dock.land(upto=END)
    before = files(dock)
    dock.land(upto=END)
    dock.land(upto=FIRST)
    return files(dock) == before


def in_any_order(open_one: Opener, rows: list[Any], rng: np.random.Generator) -> bool:
    one, other = open_one("one"), open_one("other")
    bring(one, rows)
    bring(other, [rows[n] for n in rng.permutation(len(rows))])
    for dock in (one, other):
        dock.land(upto=END)
    return files(one) == files(other)


def bit_by_bit(open_one: Opener, rows: list[Any], rng: np.random.Generator) -> bool:
    one, other = open_one("one"), open_one("other")
    for dock in (one, other):
        bring(dock, rows)
    one.land(upto=END)
    for day in sorted({int(day) for day in rng.integers(DAYS, size=3)} | {DAYS}):
        other.land(upto=FIRST + timedelta(day))
    return files(one) == files(other)


def nothing_uncounted(open_one: Opener, rows: list[Any], rng: np.random.Generator) -> bool:
    dock = open_one("dock")
    bring(dock, [rows[n] for n in rng.integers(len(rows), size=2 * len(rows))])
    dock.land(upto=END)
    return all(adds_up(dock, feed) for feed in dock.tables)


def without_a_user(open_one: Opener, rows: list[Any], rng: np.random.Generator) -> bool:
    """The features of the others are those of a shop that the user never entered."""
    one, other = open_one("one"), open_one("other")
    gone = str(rng.choice(["ann", "bob", "cid"]))
    bring(one, rows)
    bring(other, [row for row in rows if row["user_id"] != gone])
    one.land(upto=END)
    other.land(upto=END)
    key = {row["user_key"] for row in one.published("events")} - {row["user_key"] for row in other.published("events")}
    kept = [row for row in one.published("events") if row["user_key"] not in key]
    return kept == other.published("events")


LAWS = {
    "f(f(x)) = f(x), landing": again,
    "permutation invariance": in_any_order,
    "incremental = full rebuild": bit_by_bit,
    "in = published + quarantined + deduplicated": nothing_uncounted,
    "one user's rows touch no other's": without_a_user,
}


@pytest.mark.parametrize("law", LAWS)
def test_law(law: str, connection: Any, tmp_path: Path, matrix: Matrix) -> None:
    tried, survived = counts(2, 40), 0
    for seed in range(tried):
        rng = np.random.default_rng(seed)
        rows = shopping(rng, DAYS, 40)
        # The same event told twice, and once more with another amount.
        rows += [rows[n] | {"amount_cents": 999} for n in rng.integers(40, size=5)]
        survived += LAWS[law](partial(open_dock, connection, tmp_path / str(seed)), rows, rng)
    matrix.row(f"law: {law}", tried, survived)
    assert survived == tried


def test_the_outputs_tell_shops_apart(connection: Any, tmp_path: Path) -> None:
    """Else the equalities above would say nothing."""
    seen = set()
    for seed in range(3):
        dock = open_dock(connection, tmp_path / str(seed))
        bring(dock, shopping(np.random.default_rng(seed), DAYS, 20))
        dock.land(upto=END)
        assert partitions.landed(connection, dock.root, "events", END) is not None
        seen.add(outputs(dock, END))
    assert len(seen) == 3
