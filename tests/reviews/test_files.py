"""Bare files of reviews: formats, names of columns, labels, and what is held out."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import DataError
from pipeline.reviews import files

ROWS = pd.DataFrame({"review": ["good, fresh", "stale", "fine", "bad"], "label": ["1", "0", "1", "0"]})


def written(folder, name):
    path = folder / name
    if name.endswith(".parquet"):
        ROWS.to_parquet(path)
    elif name.endswith(".jsonl.gz"):
        lines = "".join(json.dumps(row) + "\n" for row in ROWS.to_dict("records"))
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        ROWS.to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",")
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet", "a.jsonl.gz", "a.csv.gz"])
def test_every_format_gives_the_same(tmp_path, name):
    read = files.read(written(tmp_path, name))
    assert read.texts == ROWS.review.tolist()
    assert read.classes == ["0", "1"]
    assert read.truth.tolist() == [1, 0, 1, 0]
    assert not read.is_given


def test_the_files_split_is_kept_and_what_is_held_out_teaches_nothing(tmp_path):
    rows = pd.DataFrame(
        {
            "text": ["Good  tea", "good tea", "bad", "bad", "", "new"],
            "stars": [5.0, 5, 1, 1, 1, None],
            "split": ["test", "train", "train", "train", "train", "train"],
        }
    )
    rows.to_csv(tmp_path / "a.csv", index=False)
    read = files.read(tmp_path / "a.csv")
    assert read.is_given
    assert read.held_out.tolist() == [True, False, False, False, False, True]
    assert read.classes == ["1", "5"]
    assert read.truth.tolist() == [1, 1, 0, 0, 0, -1]
    assert files.learnable(read).tolist() == [2]


def test_without_a_split_equal_texts_are_held_out_together(tmp_path):
    texts = [f"review {n}" for n in range(500)]
    pd.DataFrame({"text": texts * 2, "label": ["a", "b"] * 500}).to_csv(tmp_path / "a.csv", index=False)
    read = files.read(tmp_path / "a.csv")
    assert np.array_equal(read.held_out[:500], read.held_out[500:])
    assert 0.12 < read.held_out.mean() < 0.28


def test_worse_classes_stand_first(tmp_path):
    for labels, wanted in (
        (["positive", "neutral", "negative"], ["negative", "neutral", "positive"]),
        (["great", "other", "great"], ["other", "great"]),
        (["10", "9", "2"], ["2", "9", "10"]),
    ):
        pd.DataFrame({"text": ["a", "b", "c"], "label": labels}).to_csv(tmp_path / "a.csv", index=False)
        assert files.read(tmp_path / "a.csv").classes == wanted


def test_a_title_goes_before_the_text_and_columns_can_be_named(tmp_path):
    rows = pd.DataFrame({"summary": ["Nice", None], "body": ["a cup", "a box"], "kind": ["x", "y"]})
    rows.to_csv(tmp_path / "a.csv", index=False)
    assert files.read(tmp_path / "a.csv", label="kind").texts == ["Nice. a cup", "a box"]
    assert files.read(tmp_path / "a.csv", text="body", label="kind").texts == ["a cup", "a box"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"text": ["a", "b"]}, "no column 'label or stars'"),
        ({"label": ["a", "b"]}, "no column 'text'"),
        ({"text": ["a", "b"], "label": ["x", "x"]}, "at least two"),
    ],
)
def test_what_is_missing_is_named(tmp_path, rows, words):
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=words):
        files.read(tmp_path / "a.csv")


def test_no_file_and_no_table_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        files.read(tmp_path / "gone.csv")
    (tmp_path / "a.jsonl").write_text("{not json")
    with pytest.raises(DataError, match="not readable"):
        files.read(tmp_path / "a.jsonl")
