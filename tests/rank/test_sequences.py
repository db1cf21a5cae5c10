"""A bare benchmark file ranked: what is read, what is refused, and that the last item plays no part."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError
from pipeline.rank import sequences
from pipeline.rank.sequences import content, read_sequences


@pytest.fixture(autouse=True)
def few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "TRIALS", 2)


def write(path: Path, lines: list[list[int]]) -> Path:
    path.write_text("".join(" ".join(map(str, [user, *items])) + "\n" for user, items in enumerate(lines, start=1)))
    return path


def chains(users: int) -> list[list[int]]:
    """Users who go through the items in circles of twenty, each from a place of their own."""
    rng = np.random.default_rng(0)
    out = []
    for _ in range(users):
        begin, circle = rng.integers(20), rng.integers(3)
        out.append([int(1 + circle * 20 + (begin + step) % 20) for step in range(rng.integers(5, 12))])
    return out


def told(*_: object) -> None:
    """Nobody looks."""


def ranked(path: Path, out: Path) -> dict[int, list[int]]:
    bench = read_sequences(path)
    sequences.rank(bench, content(bench.items, None, None), out, seed=3, threads=1, progress=told)
    lists: dict[int, list[int]] = {}
    for row in pq.read_table(out).to_pylist():
        lists.setdefault(row["user"], []).append(row["item"])
        assert row["rank"] == len(lists[row["user"]])
    return lists


def test_what_comes_next_is_found(tmp_path: Path) -> None:
    lines = chains(600)
    lists = ranked(write(tmp_path / "sequences.txt", lines), tmp_path / "lists.parquet")
    assert len(lists) == len(lines)
    found = [items[-1] in lists[user][:3] for user, items in enumerate(lines, start=1)]
    assert np.mean(found) > 0.9
    assert not any(set(items[:-1]) & set(lists[user]) for user, items in enumerate(lines, start=1))


def test_the_last_item_is_not_read(tmp_path: Path) -> None:
    lines = chains(300)
    first = ranked(write(tmp_path / "sequences.txt", lines), tmp_path / "one.parquet")
    hidden = [[*items[:-1], 60] for items in lines]
    assert first == ranked(write(tmp_path / "other.txt", hidden), tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_short_line_gets_a_list_too(tmp_path: Path) -> None:
    lines = [*chains(200), [7], [7, 8]]
    lists = ranked(write(tmp_path / "sequences.txt", lines), tmp_path / "lists.parquet")
    assert len(lists[201]) > 10 and 7 not in lists[202]


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
    alike = content(4, titles, attributes)
    near = (alike @ alike.T).toarray()
    assert near[1, 2] > 0.5 and near[1, 3] > 0
    np.testing.assert_allclose(near.diagonal(), [0, 1, 1, 1], atol=1e-6)


@pytest.mark.parametrize("bad", ["titles", "attributes"])
def test_bad_content_is_named(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "content"
    path.write_text("item\nx\n")
    with pytest.raises(DataError, match="content: not readable"):
        content(4, path if bad == "titles" else None, path if bad == "attributes" else None)
