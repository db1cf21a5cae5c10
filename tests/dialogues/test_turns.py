"""Bare files of turns: folders and files, several intents, and dialogues that fall into one part."""

import numpy as np
import pandas as pd
import pytest

from pipeline.dialogues import turns
from pipeline.errors import DataError


def frame(texts, intents, **more):
    return pd.DataFrame({"utterance": texts, "intent": intents} | more)


def test_a_folder_says_what_is_held_out_and_what_chooses(tmp_path):
    parts = {"train": (["hi", "two"], ["hello", "order<div>drink"]), "dev": (["a"], ["hello"]), "test": (["b"], [""])}
    for name, (texts, intents) in parts.items():
        frame(texts, intents).to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    (tmp_path / "LICENSE.txt").write_text("free")
    read = turns.read(tmp_path)
    assert read.texts == ["a", "b", "hi", "two"]
    assert read.intents == [("hello",), (), ("hello",), ("drink", "order")]
    assert read.held_out.tolist() == [False, True, False, False]
    assert read.valid.tolist() == [True, False, False, False]
    assert read.is_given
    assert read.classes == ["drink", "hello", "order"]


def test_without_a_split_a_dialogue_falls_into_one_part(tmp_path):
    names = np.repeat([f"d{n}" for n in range(400)], 3)
    rows = frame([f"text {n}" for n in range(1200)], ["a", "b", "c"] * 400, conversationId=names)
    rows.to_csv(tmp_path / "a.csv", index=False)
    read = turns.read(tmp_path / "a.csv")
    assert not read.is_given
    for part in (read.held_out, read.valid):
        assert (part.reshape(400, 3).sum(1) % 3 == 0).all()
    assert not (read.held_out & read.valid).any()
    assert 0.1 < read.held_out.mean() < 0.3
    assert 0.05 < read.valid.mean() < 0.2


def test_a_column_split_is_kept_and_what_has_no_intent_is_predicted(tmp_path):
    rows = frame(["a", "b", "c", "d"], ["x", "y", None, "x"], split=["train", "valid", "train", "test"])
    rows.to_parquet(tmp_path / "a.parquet")
    read = turns.read(tmp_path / "a.parquet")
    assert read.held_out.tolist() == [False, False, True, True]
    assert read.valid.tolist() == [False, True, False, False]


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(DataError, match="no files named train and test"):
        turns.read(tmp_path)
    frame(["a", "b"], ["x", "x"]).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match="1 intents"):
        turns.read(tmp_path / "a.csv")
