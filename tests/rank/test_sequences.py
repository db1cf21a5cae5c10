"""A bare benchmark file ranked: what comes next is found, and the last item plays no part."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.rank import sequences
from pipeline.rank.sequence_files import read_items, read_sequences


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
    sequences.rank(bench, read_items(bench.items, None, None), out, home=out.parent, seed=3, threads=1, progress=told)
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
    taken = Counter(item for items in lines for item in items[:-1])
    counts = [taken[item] for item in lists[201]]  # of whom nothing is known, what is popular
    assert counts == sorted(counts, reverse=True) and counts[0] == max(taken.values())


def test_titles_are_read_by_the_encoder_and_every_part_is_left_out_once(tmp_path: Path) -> None:
    lines = chains(400)  # one of their forty judges wants an item that is as if new
    bench = read_sequences(write(tmp_path / "sequences.txt", lines))
    titles = tmp_path / "titles.tsv"
    colours = ("red", "green", "blue")
    told_items = (f"{item}\t{colours[(item - 1) // 20]} ball {item}\n" for item in range(1, 61))
    titles.write_text("item\ttitle\n" + "".join(told_items))
    known = read_items(bench.items, titles, None)
    figures = sequences.rank(bench, known, tmp_path / "out", home=tmp_path, seed=3, threads=1, progress=told)
    parts = {"co_visitation", "text", "popularity", "transformer", "linear"}
    assert {name.removeprefix("without ") for name in figures if name.startswith("without")} == parts
    assert {"text/meaning", "transformer/next", "linear/next", "co_visitation/next"} < set(figures)
    asked = {name for name in figures if name.endswith(": fused")}
    assert asked == {
        f"{who}: fused" for who in ("users of 0 events", "users of 1 events", "users of 2 events", "items nobody took")
    }
    assert figures["items nobody took: popularity"]["ndcg@10"] == 0
    assert figures["fused"]["ndcg@10"] > figures["popularity/taken"]["ndcg@10"]
