"""Planted defects and expectations that crash: each must block the night."""

from collections.abc import Callable
from typing import Any

from pipeline import gates
from pipeline.errors import Refused
from tests.chaos.conftest import Matrix
from tests.test_gates import DEFECTS, judge, one, planted

__all__ = ["judge", "planted"]  # fixtures

CRASHING = (
    one("column_values_to_be_between", severity="warning", column="gone", min_value=0),
    one("column_values_to_match_regex", severity="warning", column="n", regex="("),
    one("column_values_to_be_divine", column="n"),
)


def blocked(verdict: gates.Verdict) -> bool:
    try:
        gates.require([verdict])
    except Refused:
        return True
    return False


def test_every_planted_defect_is_blocked(planted: dict[int, gates.Verdict], matrix: Matrix) -> None:
    survived = sum(blocked(planted[number]) for number in range(len(DEFECTS)))
    matrix.row("gates: planted defects blocked", len(DEFECTS), survived)
    assert survived == len(DEFECTS) >= 20


def test_an_expectation_that_crashes_blocks(judge: Callable[..., gates.Verdict], matrix: Matrix) -> None:
    rows: dict[str, Any] = {"n": [1, 2, 3]}
    always = one("table_row_count_to_be_between", min_value=1)
    assert not blocked(judge([always], rows))
    survived = sum(blocked(judge([always, crashing], rows)) for crashing in CRASHING)
    matrix.row("gates: crashing expectations block", len(CRASHING), survived, "fail closed, whatever their severity")
    assert survived == len(CRASHING)
