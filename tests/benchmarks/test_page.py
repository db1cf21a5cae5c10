"""The page of benchmarks: every figure that was kept stands on it, and a busy machine is told."""

import json
from pathlib import Path

import pytest

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
    facts = {name: value for name, value in FIGURES.items() if "sort" not in name} | {"parse/cpu_seconds": 0.25}
    (figures / "parse.json").write_text(json.dumps(facts))  # nothing timed beside anything
    (figures / "other.json").write_text(json.dumps({"other/rate": 0.5}))  # of no benchmark
    assert page.write(figures, docs) == ["parse", "sort"]
    text = (docs / "benchmarks.md").read_text()
    assert "| ours | 2 | 1.00 |" in text and "| theirs | 5 | 2.50 |" in text
    assert "| rows | 1,000,000 |" in text and "| ours/peak MiB | 312 |" in text
    assert "load 1.5; commit abc1234" in text and "drifted by" not in text
    assert "| cpu_seconds | 0.25 |" in text and not (docs / "images" / "bench-parse.png").exists()
    assert (docs / "images" / "bench-sort.png").read_bytes().startswith(b"\x89PNG")
    assert "**drifted by 30%**" in page.section("sort", FIGURES | {"drift": 0.3})


def test_what_was_not_run_again_stays_as_it_stands(tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    figures.mkdir()
    for name in ("sort", "parse"):
        facts = {key.replace("sort", name): value for key, value in FIGURES.items()}
        (figures / f"{name}.json").write_text(json.dumps(facts))
    page.write(figures, tmp_path)
    first = (tmp_path / "benchmarks.md").read_text()
    (figures / "sort.json").unlink()
    (figures / "parse.json").write_text(json.dumps(facts | {"parse/rows": 7}))
    assert page.write(figures, tmp_path) == ["parse"]
    assert (tmp_path / "benchmarks.md").read_text() == first.replace("| rows | 1,000,000 |", "| rows | 7 |", 1)
    assert first.index("## parse") < first.index("## sort")


def test_nights_stand_by_size_with_how_they_grow(tmp_path: Path) -> None:
    figures, machine = tmp_path / "figures", {key: FIGURES[key] for key in ("machine", "load", "drift", "commit")}
    figures.mkdir()
    for events, ranked in ((1_000, 2.0), (10_000, 200.0)):
        taken = {
            f"end_to_end/{night}/{task}/{measure}": value
            for night in ("first", "next")
            for task, seconds in (("rank", ranked), ("publish", 0.5), ("report", 1.0), ("night", ranked + 1.5))
            if night == "first" or events == 1_000  # the larger shop's next night was not run
            for measure, value in (("seconds", 9.0), ("cpu_seconds", seconds), ("peak_mib", 300.0))
        }
        (figures / f"end_to_end_{events}.json").write_text(json.dumps(taken | machine))
    assert page.write(figures, tmp_path) == ["end_to_end"]
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| first night | 1,000 | 10,000 | growth | peak MiB |" in text
    assert "| rank | 2.0 | 200.0 | 2.0 | 300 |" in text  # ten times the events, a hundred times the seconds
    assert "| night, by the clock | 9 | 9 | | |" in text and "| night, by the clock | 9 | | |" in text
    assert "| report | 1.0 | 1.0 |  | 300 |" in text and "publish" not in text  # too short to tell
    assert "| next night, a twentieth of the events new | 1,000 | growth | peak MiB |" in text


def test_steps_stand_by_size_on_each_engine(tmp_path: Path) -> None:
    figures, machine = tmp_path / "figures", {key: FIGURES[key] for key in ("machine", "load", "drift", "commit")}
    figures.mkdir()
    for events, times in ((1_000, 1.0), (10_000, 10.0)):
        taken = {
            f"relational_growth/{step}/{name}/{measure}": value * times
            for step, seconds in (("dedup", 2.0), ("top-k", 0.5))
            for name, slower in (("DuckDB", 1.0), ("Spark", 4.0))
            for measure, value in (("seconds", seconds * slower), ("cpu_seconds", 9.0), ("peak_mib", 30.0))
            if step == "dedup" or events == 1_000  # the larger size's run ended early
        }
        failed = {"relational_growth/top-k/Spark/failed": 1} if events == 10_000 else {}
        (figures / f"relational_growth_{events}.json").write_text(json.dumps(taken | failed | machine))
    assert page.write(figures, tmp_path) == ["relational_growth"]
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| DuckDB | 1,000 | 10,000 | growth | peak MiB |" in text
    assert "dedup never, as they part; top-k unknown, as fewer than two sizes were run." in text
    assert "| dedup | 2.0 | 20.0 | 1.0 | 300 |" in text and "| top-k | 0.5 |  |  | 30 |" in text
    assert "| top-k | 2.0 (4.0x) | failed |  | 30 |" in text
    assert "| dedup | 8.0 (4.0x) | 80.0 (4.0x) | 1.0 | 300 |" in text
    assert (tmp_path / "images" / "bench-relational_growth.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("theirs", "where"),
    [
        ({10: 8.0, 100: 40.0}, "near 1e+04 events"),  # 8, then 4 times as long: half of it every ten times the events
        ({10: 4.0, 100: 40.0}, "never, as they part"),
        ({10: 8.0, 100: 9.0}, "at 100 events or before"),
        ({100: 40.0}, "unknown, as fewer than two sizes were run"),
    ],
)
def test_curves_that_close_in_meet_somewhere(theirs: dict[int, float], where: str) -> None:
    assert page.meeting({10: 1.0, 100: 10.0}, theirs) == where
