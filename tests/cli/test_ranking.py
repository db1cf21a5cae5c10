"""`shopkeel rank`: one file is asked for, and a small one is ranked whole, with figures and an MLflow run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.rank import neural


def test_one_file_is_asked_for(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["rank", "--out", str(tmp_path / "out.parquet")])
    assert result.exit_code != 0


def test_a_history_is_ranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOPKEEL_HOME", str(tmp_path / "var"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    training = neural.RECOMMENDER.training.model_copy(update={"steps": 20, "eval_steps": 10})
    monkeypatch.setattr(
        neural, "RECOMMENDER", neural.RECOMMENDER.model_copy(update={"width": 16, "training": training})
    )
    history = {str(user): [[user % 7, 10 + user % 5]] * 4 for user in range(200)}
    Path("history.json").write_text(json.dumps(history))
    result = CliRunner().invoke(app, ["rank", "--history", "history.json", "--out", "out.parquet"])
    assert result.exit_code == 0, result.output
    assert Path("out.parquet").is_file()
    figures = json.loads(Path("build/figures/rank.json").read_text())
    assert figures["rank/fused/repeat_recall@10"] > 0.9
    assert "could not be reached" not in result.output
