"""`shopkeel intents` and `shopkeel respond`: a small file is learned and told, with figures; a bad file is one line."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipeline.cli import app


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOPKEEL_HOME", str(tmp_path / "var"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_turns_are_learned_and_told(tiny_bert: Path) -> None:
    rows = [
        {"conversationId": f"d{n}", "utterance": f"{words} {n}", "intent": intent, "split": split}
        for n, split in enumerate(["train"] * 24 + ["valid"] * 8 + ["test"] * 8)
        for words, intent in (("one tea", "tea"), ("a cake", "cake"), ("tea and a cake", "cake<div>tea"))
    ]
    pd.DataFrame(rows).to_csv("turns.csv", index=False)
    asked = ["intents", "--dialogues", "turns.csv", "--out", "out.parquet", "--checkpoint", f"path:{tiny_bert}"]
    result = CliRunner().invoke(app, [*asked, "--steps", "4"])
    assert result.exit_code == 0, result.output
    out = pd.read_parquet("out.parquet")
    assert out.columns.tolist() == ["row", "intents", "predicted", "confidence", "p_cake", "p_tea"]
    assert out.row.tolist() == list(range(96, 120))
    assert [list(one) for one in out.predicted[:3]] == [["tea"], ["cake"], ["cake", "tea"]]
    figures = json.loads(Path("build/figures/intents.json").read_text())
    assert figures["intents/TF-IDF + linear SVM/macro_f1"] > 0.9
    assert figures["intents/tuned encoder + words, several/accuracy"] > 0.9


def test_candidates_are_ranked(tiny_bert: Path) -> None:
    lines = [f"1\tquestion {n}\tabout tea {n}\tanswer {n}" for n in range(40)]
    Path("train").write_text("\n".join(lines))
    asked = [f"{int(m == n)}\task {n}\tabout tea {n}\tanswer {m}" for n in range(3) for m in range(10)]
    Path("test").write_text("\n".join(asked))
    words = ["respond", "--contexts", "test", "--out", "out.parquet", "--checkpoint", f"path:{tiny_bert}"]
    result = CliRunner().invoke(app, [*words, "--steps", "2"])
    assert result.exit_code == 0, result.output
    out = pd.read_parquet("out.parquet")
    assert out.columns.tolist() == ["row", "context", "label", "score", "rank"]
    assert len(out) == 30
    figures = json.loads(Path("build/figures/respond.json").read_text())
    assert figures["respond/BM25/recall_at_1"] == 1  # only the number is shared


@pytest.mark.parametrize("asked", [["intents", "--dialogues", "gone.csv"], ["respond", "--contexts", "gone"]])
def test_a_file_that_is_not_there_is_one_line(asked: list[str]) -> None:
    result = CliRunner().invoke(app, [*asked, "--out", "out.parquet"])
    assert result.exit_code == 3
