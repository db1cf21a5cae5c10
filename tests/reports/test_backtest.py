"""The page of a backtest: goals, both kinds of lists beside one another, every night, and its plots."""

from datetime import date, timedelta
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.reports import backtest
from pipeline.reports.backtest import MEASURES, Report, render, shown


@pytest.fixture
def report() -> Report:
    rows = [
        {"day": date(2017, 11, 1) + timedelta(night), "kind": kind}
        | dict.fromkeys(MEASURES, 0.25 if kind == "free" else 0.75)
        | ({"idle_rbo": nan} if night == 0 else {})
        for kind in backtest.KINDS
        for night in range(3)
    ]
    totals = {f"{kind}/{name}": 0.5 for kind in backtest.KINDS for name in MEASURES} | {"users": 1234.0}
    point: dict[str, Any] = {"idle_rbo": 0.9, "accuracy_ratio": 1.0, "accuracy_ratio_low": 0.99, "is_front": True,
                             "is_chosen": True, "broken_bounds": []}  # fmt: skip
    goals = [("idle lists <overlap>", "≥ 0.9", 0.95, True), ("contradictions", "≤ 0", 0.1, False)]
    return Report("a_shop", "made up", "changes a night 2 idle", pd.DataFrame(rows), totals, goals, [point], 0.99)


def test_the_page_says_what_was_asked_and_what_was_found(report: Report, tmp_path: Path) -> None:
    page = render(report, tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert "1 of 2 goals are met." in text
    assert "1,234 users" in text
    assert "Idle lists &lt;overlap&gt;" in text
    assert "0.2500 → 0.7500" in text
    assert "– → –" in text  # a first night has nothing to overlap with
    assert "var(--ink)" in text
    assert "http" not in text.replace("http://www.w3.org", "")
    drawn = {path.stem for path in page.parent.glob("*.png")}
    assert drawn == {"front", *(name.replace("@", "-") for name, (_, _, caption) in MEASURES.items() if caption)}
    assert text.count("<figure>") == len(drawn)


def test_same_report_same_page(report: Report, tmp_path: Path) -> None:
    assert render(report, tmp_path / "one").read_bytes() == render(report, tmp_path / "two").read_bytes()


def test_what_was_not_measured_is_a_dash() -> None:
    assert [shown(value, ".2f") for value in (nan, None, -0.5)] == ["–", "–", "−0.50"]
