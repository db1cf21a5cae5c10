"""`shopkeel sentiment`: a small file is learned, its held-out rows predicted, with figures and an MLflow run."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipeline.cli import app


def test_a_file_is_learned_and_predicted(tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOPKEEL_HOME", str(tmp_path / "var"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    rows = [
        {"text": f"a {words} tea, number {n}", "label": label, "split": "test" if n > 29 else "train"}
        for n in range(40)
        for words, label in (("good and fresh", "good"), ("stale and bad", "bad"))
    ]
    pd.DataFrame(rows).to_csv("reviews.csv", index=False)
    asked = ["sentiment", "--reviews", "reviews.csv", "--out", "out.parquet", "--checkpoint", f"path:{tiny_bert}"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    out = pd.read_parquet("out.parquet")
    assert out.columns.tolist() == ["row", "label", "predicted", "p_bad", "p_good"]
    assert out.row.tolist() == list(range(60, 80))
    assert (out.label == out.predicted).mean() > 0.9
    figures = json.loads(Path("build/figures/sentiment.json").read_text())
    assert figures["sentiment/TF-IDF + linear SVM/macro_f1"] > 0.9
    assert "not reached" not in result.output


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["sentiment", "--reviews", "gone.csv", "--out", str(tmp_path / "out.parquet")])
    assert result.exit_code == 3
