"""The rows themselves: a claim that does not hold is told and fails."""

import pytest

from tests.trust.conftest import Row, Trust


def test_a_row_is_noted_whether_it_holds_or_not() -> None:
    rows: list[Row] = []
    told = Trust(rows)
    told.at_most("error", 0.1, 0.2, tried=3)
    told.at_least("margin", 0.3, 0.2, tried=3)
    told.all_of("refused", 5, 5)
    with pytest.raises(AssertionError, match=r"error: 0\.3, not <= 0\.2"):
        told.at_most("error", 0.3, 0.2, tried=3)
    with pytest.raises(AssertionError, match="refused"):
        told.all_of("refused", 4, 5)
    with pytest.raises(AssertionError, match="refused"):
        told.all_of("refused", 0, 0)
    assert [row.holds for row in rows] == [True, True, True, False, False, False]
    assert rows[0].flat() == {
        "trust/error/figure": 0.1, "trust/error/bound": 0.2, "trust/error/holds": 1, "trust/error/tried": 3,
        "trust/error/seconds": 0.0,
    }  # fmt: skip
