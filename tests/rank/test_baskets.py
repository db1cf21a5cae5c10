"""Next baskets of a history file: what is read, what is refused, and that habits come back."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError
from pipeline.rank import baskets


def told(*_: object) -> None:
    """Nobody looks."""


def habits(users: int) -> dict[str, list[list[int]]]:
    """Users who buy two goods of their own every time, and one drawn from many."""
    rng = np.random.default_rng(0)
    out = {}
    for user in range(users):
        own = rng.choice(40, 2, replace=False)
        out[str(user)] = [
            [-1],
            *([*map(int, own), int(40 + rng.integers(60))] for _ in range(rng.integers(3, 7))),
            [-1],
        ]
    return out


def write(path: Path, history: object) -> Path:
    path.write_text(json.dumps(history))
    return path


def test_habits_come_back_and_a_file_ranks_the_same_twice(tmp_path: Path) -> None:
    history = habits(400) | {"900": [[-1], [-1]]}
    bench = baskets.read_history(write(tmp_path / "history.json", history))
    for name in ("one", "two"):
        figures = baskets.rank(bench, tmp_path / name, 5, seed=3, threads=1, progress=told)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert figures["fused"]["repeat_recall@10"] > 0.8
    lists: dict[int, list[int]] = {}
    for row in pq.read_table(tmp_path / "one").to_pylist():
        lists.setdefault(row["user"], []).append(row["item"])
        assert row["rank"] == len(lists[row["user"]]) <= 5
    assert len(lists[900]) == 5
    assert np.mean([set(history[str(user)][1][:2]) <= set(lists[user]) for user in range(400)]) > 0.9


@pytest.mark.parametrize(
    ("history", "words"),
    [([1], "not readable as baskets"), ({"1": [[2, -3]]}, "number is negative"), ({"1": [[-1]]}, "no baskets")],
)
def test_a_bad_file_is_named(tmp_path: Path, history: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        baskets.read_history(write(tmp_path / "history.json", history))


def test_one_basket_each_teaches_nothing(tmp_path: Path) -> None:
    bench = baskets.read_history(write(tmp_path / "history.json", {"1": [[1]], "2": [[2]]}))
    with pytest.raises(DataError, match="fewer than two users"):
        baskets.rank(bench, tmp_path / "out", 5, seed=3, threads=1, progress=told)
