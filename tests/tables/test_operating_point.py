"""The operating_point table: a row for each point, one of them chosen, whether or not it was replayed."""

from pipeline.balance.operating_point import Measured, choose, facts
from pipeline.balance.point import Point
from pipeline.contracts.tables import OPERATING_POINT
from pipeline.policy import load_policy
from pipeline.tables import operating_point as table

BOUNDS = load_policy("default").bounds
CALM, LIVELY = Point(0.1, 0.5, 0, 5, 3), Point(0.1, 0.5, 2, 5, 3)


def measured(point: Point, **given: float) -> Measured:
    kept = {"accuracy": 1.0, "accuracy_lower": 0.995, "stability": 0.9, "coherence": 0.8, "calibration": 0.5,
            "parity": 0.01, "personalisation": 0.7}  # fmt: skip
    return Measured(point, exposure=(0.9, 1.1), **(kept | given))


def test_each_replayed_point_has_a_row_and_one_is_chosen() -> None:
    replayed = [measured(LIVELY), measured(CALM, stability=1.0, accuracy=0.97, accuracy_lower=0.96)]
    chosen = choose(replayed, LIVELY, BOUNDS)
    rows = OPERATING_POINT.enforce(table.rows(facts(replayed, chosen, BOUNDS), OPERATING_POINT.schema))
    assert rows.column("budget_idle").to_pylist() == [0, 2]
    assert rows.column("idle_rbo").to_pylist() == [1.0, 0.9]
    assert rows.column("is_front").to_pylist() == [True, True]
    assert rows.column("is_chosen").to_pylist() == [False, True]
    assert rows.column("broken_bounds").to_pylist() == [["accuracy"], []]
    assert rows.column("binding_rules").to_pylist() == [[], ["accuracy"]]
    assert abs(rows.column("price_of_consistency")[0].as_py() - 0.03) < 1e-9


def test_a_point_that_was_not_replayed_serves_without_measures() -> None:
    chosen = choose([], CALM, BOUNDS)
    (row,) = OPERATING_POINT.enforce(
        table.rows(facts([], chosen, BOUNDS), OPERATING_POINT.schema)
    ).to_pylist()  # fmt: skip
    assert row["is_chosen"]
    assert not row["is_front"]
    assert row["accuracy_ratio"] is None
    assert row["budget_idle"] == 0


def test_what_could_not_be_measured_is_null() -> None:
    replayed = [measured(CALM, coherence=float("nan"))]
    (row,) = table.rows(facts(replayed, choose(replayed, CALM, BOUNDS), BOUNDS), OPERATING_POINT.schema).to_pylist()
    assert row["mean_coherence"] is None
    assert row["broken_bounds"] == ["coherence"]
