"""Bare files: every format gives the same rows, and columns are found by their usual names."""

import gzip
import json

import pandas as pd
import pytest

from pipeline.errors import DataError
from pipeline.shops import bare

ROWS = pd.DataFrame({"Text": [" good, fresh", "two\nlines"], "split": ["test", "train"]})


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet", "a.jsonl.gz", "a.csv.gz"])
def test_every_format_gives_the_same(tmp_path, name):
    path = tmp_path / name
    if name.endswith(".parquet"):
        ROWS.to_parquet(path)
    elif name.endswith(".jsonl.gz"):
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS.to_dict("records")).encode()))
    else:
        ROWS.to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",")
    rows = bare.frame(path, "rows")
    assert bare.column(path, rows, None, ("text",), "text") == "Text"
    assert bare.words(rows, "Text") == ["good, fresh", "two\nlines"]
    assert bare.held_out(rows).tolist() == [True, False]


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="give one of rows"):
        bare.frame(tmp_path / "gone.csv", "rows")
    with pytest.raises(DataError, match="no column 'label' among Text, split"):
        bare.column(tmp_path, ROWS, None, ("stars",), "label")
    with pytest.raises(DataError, match="no column 'Other'"):
        bare.column(tmp_path, ROWS, "Other", ("text",), "text")
    assert not bare.held_out(ROWS[["Text"]]).any()
