"""Figures of the balance: what is drawn of which numbers, and what is said of it to those who do not see it."""

from datetime import date, timedelta
from math import nan
from typing import Any

from matplotlib.colors import to_hex

from pipeline.reports import balance_plots
from pipeline.reports.drawing import BLUE, ORANGE, RED


def row(rbo: float | None, ratio: float | None, **given: Any) -> dict[str, Any]:
    measured = {"idle_rbo": rbo, "accuracy_ratio": ratio, "accuracy_ratio_low": ratio and ratio - 0.01}
    return measured | {"is_front": True, "is_chosen": False, "broken_bounds": []} | given


def test_the_front_shows_what_serves_and_what_breaks_a_bound() -> None:
    drawing = balance_plots.front(
        [row(0.9, 1.0), row(0.95, 0.998, is_chosen=True), row(1.0, 0.97, broken_bounds=["accuracy"]),
         row(0.85, 0.99, is_front=False), row(None, None, is_front=False)],
        0.99,
    )  # fmt: skip
    assert drawing is not None
    assert "tonight 0.950 at 0.9980" in drawing.alt
    assert "4 points, 3 of them on the front" in drawing.alt
    (axes,) = drawing.figure.axes
    stars = [line for line in axes.lines if line.get_marker() == "*"]
    assert [(line.get_xdata()[0], to_hex(line.get_color())) for line in stars] == [(0.95, RED)]
    hollow = [line for line in axes.lines if line.get_fillstyle() == "none"]
    assert [(line.get_xdata()[0], to_hex(line.get_color())) for line in hollow] == [(1.0, ORANGE)]


def test_without_a_replay_there_is_no_front() -> None:
    assert balance_plots.front([row(None, None, is_chosen=True)], 0.99) is None
    assert balance_plots.front([row(nan, nan)], 0.99) is None
    drawing = balance_plots.front([row(0.9, 1.0)], 0.99)
    assert drawing is not None
    assert "tonight's was not replayed" in drawing.alt


def test_each_cause_has_its_line_for_each_group() -> None:
    shares = {
        "idle": {"data": [0.1, 0.05, 0.15], "model": [0.2, 0.1, 0.3], "remainder": [0, 0, 0]},
        "active": {"user": [0.4, 0.3, 0.5], "data": [0.1, 0.0, 0.2]},
    }
    drawing = balance_plots.attribution(shares)
    assert drawing is not None
    (axes,) = drawing.figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["the retrained model", "what others did, and the calendar", "the user's own new events"]
    dots = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert sorted(line.get_xdata()[0] for line in dots) == [0.1, 0.1, 0.2, 0.4]
    assert "idle: what others did, and the calendar 0.100" in drawing.alt
    assert balance_plots.attribution({}) is None
    assert balance_plots.attribution({"idle": {}}) is None


def test_nights_stand_side_by_side_with_gaps_where_nothing_was_measured() -> None:
    days = [date(2017, 11, 1) + timedelta(day) for day in range(15)]
    free, ours = [nan, *[0.7] * 14], [nan, *[0.95] * 14]
    drawing = balance_plots.by_night("rbo", "overlap", days, {"free": free, "balanced": ours}, "Idle users.")
    (axes,) = drawing.figure.axes
    assert [to_hex(line.get_color()) for line in axes.lines] == [ORANGE, BLUE]
    assert [label.get_text() for label in axes.get_xticklabels()][:2] == ["1 Nov", "3 Nov"]
    assert "as the models alone: mean 0.7000" in drawing.alt
    lone = balance_plots.by_night("rbo", "overlap", days[:1], {"free": [nan]})
    assert "not measured" in lone.alt
