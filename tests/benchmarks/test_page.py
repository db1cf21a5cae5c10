"""The page of benchmarks: every figure that was kept stands on it, and a busy machine is told."""

import json
from pathlib import Path

from benchmarks import page

FIGURES = {
    "sort/ours/seconds": 2.0, "sort/theirs/seconds": 5.0, "sort/rows": 1_000_000, "sort/ours/peak MiB": 312.4,
    "machine": {"cores": 2, "python": "3.11", "gflops": 150.0, "copy": 12.0}, "load": 1.5, "drift": 0.02,
    "commit": "abc1234",
}  # fmt: skip


def test_the_page_has_what_was_measured(tmp_path: Path) -> None:
    figures, docs = tmp_path / "figures", tmp_path / "docs"
    figures.mkdir()
    (figures / "sort.json").write_text(json.dumps(FIGURES))
    (figures / "other.json").write_text(json.dumps({"other/rate": 0.5}))  # of no benchmark
    assert page.write(figures, docs) == ["sort"]
    text = (docs / "benchmarks.md").read_text()
    assert "| ours | 2 | 1.00 |" in text and "| theirs | 5 | 2.50 |" in text
    assert "| rows | 1,000,000 |" in text and "| ours/peak MiB | 312 |" in text
    assert "load 1.5; commit abc1234" in text and "drifted by" not in text
    assert (docs / "images" / "bench-sort.png").read_bytes().startswith(b"\x89PNG")
    assert "**drifted by 30%**" in page.section("sort", FIGURES | {"drift": 0.3})
