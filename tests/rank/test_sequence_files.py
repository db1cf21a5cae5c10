"""Files of a bare benchmark: what is read, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.rank.sequence_files import read_items, read_sequences


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2 3\n2 x 4\n", r"sequences.txt:2: '2 x 4' is not `user item item …`"),
        ("1 2 3\n1 4\n", "a user stands twice"),
        ("1 2 -3\n", "sequences.txt:1: an item's number is negative"),
        ("", "no users"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "sequences.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_sequences(path)


def test_content_is_words_and_attributes(tmp_path: Path) -> None:
    titles, attributes = tmp_path / "titles.tsv", tmp_path / "attributes.json"
    titles.write_text("item\tasin\ttitle\n1\tA\tred nail polish\n2\tB\tred nail lacquer\n3\tC\tshampoo\n9\tD\tfar\n")
    attributes.write_text(json.dumps({"1": [1, 2], "2": [3], "3": [1, 2]}))
    alike = read_items(4, titles, attributes).content
    near = (alike @ alike.T).toarray()
    assert near[1, 2] > 0.5 and near[1, 3] > 0
    np.testing.assert_allclose(near.diagonal(), [0, 1, 1, 1], atol=1e-6)


@pytest.mark.parametrize("bad", ["titles", "attributes"])
def test_bad_content_is_named(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "content"
    path.write_text("item\nx\n")
    with pytest.raises(DataError, match="content: not readable"):
        read_items(4, path if bad == "titles" else None, path if bad == "attributes" else None)
