"""`shopkeel backtest`: days are checked, and what it finds is printed, drawn, kept as figures and noted in MLflow."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from typer.testing import CliRunner

from pipeline import backtest, tracking
from pipeline.balance.replayed import Groups
from pipeline.cli import app
from tests.balance.evenings import DAY, evenings


def test_days_are_checked() -> None:
    result = CliRunner().invoke(app, ["backtest", "--from", "2017-11-01", "--to", "2017-11-01"])
    assert result.exit_code != 0
    assert "at least two days" in result.output
    result = CliRunner().invoke(app, ["backtest", "--from", "yesterday", "--to", "2017-11-01"])
    assert "write it as YYYY-MM-DD" in result.output


def test_what_is_found_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(days: backtest.Days, beside: dict[object, backtest.Beside], progress: object) -> object:
        for one in evenings(3):
            groups = Groups(np.zeros(70, int), np.ones(70), np.zeros(40, int))
            beside[one.day] = backtest.Beside(groups, sp.csr_matrix(np.ones((40, 70), bool)))
            yield one

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOPKEEL_HOME", str(tmp_path / "var"))
    noted = []
    monkeypatch.setattr(tracking, "note_benchmark", lambda *told: noted.append(told))
    monkeypatch.setattr(backtest.Days, "publish", lambda days, progress: None)
    monkeypatch.setattr(backtest, "_evenings", drawn)
    last = DAY + timedelta(2)
    result = CliRunner().invoke(app, ["backtest", "--from", str(DAY), "--to", str(last)], terminal_width=200)
    assert result.exit_code == 0, result.output
    figures = json.loads(Path("build/figures/backtest.json").read_text())
    assert figures["total/balanced/idle_rbo"] > figures["total/free/idle_rbo"]
    assert figures["goal/balanced/under_floor"] == 1
    assert figures["shop"] == "grocer"
    assert Path("build/backtest/backtest.html").is_file()
    assert "balanced" in result.output
    ((_home, name, facts, sent, folder),) = noted
    assert str(last) in name
    assert facts["shop"] == "grocer"
    assert sent["total/balanced/idle_rbo"] == figures["total/balanced/idle_rbo"]
    assert sorted(path.name for path in folder.iterdir())[:1] == ["backtest.html"]
