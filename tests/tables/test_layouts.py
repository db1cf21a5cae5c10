"""Rows of the table say what the arrays do, and what users saw is read back from them."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.tables import CAUSES, PAGE_LAYOUTS
from pipeline.pages import MODULES
from pipeline.tables import layouts as table

NEVER, TODAY = -(10**6), date(2017, 11, 30).toordinal()
USERS = pa.array([digit * 32 for digit in "abc"])
SURFACE, SLOT = ["home", "home", "cart"], np.array([1, 2, 1])


def made(module: list[list[int]], since: list[list[int]], moved: list[int], **more: Any) -> pa.Table:
    shape = np.shape(module)
    given = {
        "default": np.tile([1, 0, 1], (shape[0], 1)),
        "anchor": np.array([True, False, False]),
        "value": np.full(shape, 0.5),
        "source": np.full(shape[0], "replayed", dtype=object),
        "cause": np.full(shape, "kept", dtype=object),
        "today": TODAY,
        "week": 7,
    }
    arrays = (np.array(one) for one in (module, since, moved))
    names = ("module", "since", "moved")
    rows = table.rows(USERS[: shape[0]], SURFACE, SLOT, **dict(zip(names, arrays, strict=True)), **(given | more))
    return PAGE_LAYOUTS.enforce(rows)


def test_a_row_says_what_stands_where_since_when_and_why() -> None:
    cause = np.array([["kept", "user", "first_night"]], dtype=object)
    rows = made([[4, 0, 3]], [[TODAY - 3, TODAY, TODAY]], [TODAY], cause=cause).to_pylist()
    assert [(row["surface"], row["slot"], row["module"]) for row in rows] == [
        ("cart", 1, "complements"), ("home", 1, "offers"), ("home", 2, "buy_again"),
    ]  # fmt: skip
    assert [row["change_cause"] for row in rows] == ["first_night", "kept", "user"]
    assert {row["change_cause"] for row in rows} <= set(CAUSES)
    assert [row["kept_since"] for row in rows] == [date(2017, 11, 30), date(2017, 11, 27), date(2017, 11, 30)]
    assert [(row["is_anchor"], row["default_slot"]) for row in rows] == [(False, 1), (True, 1), (False, None)]
    assert {(row["moves_7d"], row["moved_on"]) for row in rows} == {(1, date(2017, 11, 30))}


def test_moves_are_counted_for_seven_days_and_none_is_no_day() -> None:
    days = [TODAY - 6, TODAY - 7, NEVER]
    rows = made([[4, 0, 3]] * 3, [[1, 1, 1]] * 3, days).to_pylist()
    told = [(row["moves_7d"], row["moved_on"]) for row in rows if row["surface"] == "cart"]
    assert told == [(1, date(2017, 11, 24)), (0, date(2017, 11, 23)), (0, None)]


def test_a_user_without_a_layout_of_their_own_has_no_worth() -> None:
    rows = made([[4, 0, 3]], [[1] * 3], [NEVER], value=np.full((1, 3), np.nan), source=np.array(["none"], object))
    assert rows.column("value").null_count == 3 and set(rows.column("value_source").to_pylist()) == {"none"}


@given(seed=st.integers(0, 999))
def test_what_was_written_is_read_back(seed: int) -> None:
    draw = np.random.default_rng(seed)
    module = draw.integers(0, len(MODULES), (3, 3))
    since, moved = draw.integers(TODAY - 50, TODAY, (3, 3)), np.array([TODAY - 9, NEVER, TODAY - 1])
    rows = made(module.tolist(), since.tolist(), moved.tolist())
    for read, wrote in zip(table.seen(rows, USERS, SURFACE, SLOT, NEVER), (module, since, moved), strict=True):
        assert read.tolist() == wrote.tolist()


def test_who_or_what_was_not_there_has_been_seen_by_nobody() -> None:
    rows = made([[4, 0, 3]], [[TODAY] * 3], [NEVER])
    users = pa.array(["f" * 32, *USERS.to_pylist()[:1]])
    module, since, moved = table.seen(rows, users, ["home", "category"], np.array([2, 1]), NEVER)
    assert module.tolist() == [[-1, -1], [0, -1]] and moved.tolist() == [NEVER, NEVER]
    assert since.tolist() == [[NEVER, NEVER], [TODAY, NEVER]]
