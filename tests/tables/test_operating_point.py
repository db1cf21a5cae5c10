"""The operating_point table: a row for each replayed point, one of them chosen, whether or not it was replayed."""

from typing import Any

from pipeline.contracts.tables import OPERATING_POINT
from pipeline.tables import operating_point as table
from pipeline.tables.operating_point import POINT

SCHEMA = OPERATING_POINT.schema


def replayed(values: tuple[float, ...], **measured: Any) -> dict[str, Any]:
    return dict(zip(POINT, values, strict=True)) | {"is_front": True, "broken_bounds": []} | measured


def test_each_replayed_point_has_a_row_and_one_is_chosen() -> None:
    calm, lively = (0.1, 0.5, 0, 5, 3), (0.1, 0.5, 2, 5, 3)
    rows = table.rows(
        [replayed(lively, idle_rbo=0.9), replayed(calm, idle_rbo=1.0, broken_bounds=["accuracy"])],
        lively, ["accuracy"], SCHEMA,
    )  # fmt: skip
    OPERATING_POINT.enforce(rows)
    assert rows.column("budget_idle").to_pylist() == [0, 2]
    assert rows.column("idle_rbo").to_pylist() == [1.0, 0.9]
    assert rows.column("is_chosen").to_pylist() == [False, True]
    assert rows.column("broken_bounds").to_pylist() == [["accuracy"], []]
    assert rows.column("binding_rules").to_pylist() == [[], ["accuracy"]]


def test_a_point_that_was_not_replayed_serves_without_measures() -> None:
    rows = table.rows([], (0.1, 0.5, 1, 5, 3), [], SCHEMA)
    (row,) = OPERATING_POINT.enforce(rows).to_pylist()
    assert row["is_chosen"]
    assert not row["is_front"]
    assert row["accuracy_ratio"] is None
    assert row["budget_idle"] == 1
