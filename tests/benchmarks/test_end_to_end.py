"""Whole nights by size: which nights are run, and that what a task took is counted to it alone."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks import end_to_end, shop_at_scale
from pipeline.settings import load_shop


def test_the_next_night_reads_a_twentieth() -> None:
    size, first = replace(end_to_end.size_of(20_000), days=100), date(2017, 1, 1)
    assert (size.users, size.items) == (200, 100)
    nights = end_to_end.days(size, first)
    late = sum(
        len(rows) for day, rows in shop_at_scale.days(size, shop_at_scale.grocer(), first) if day > nights["first"]
    )
    assert 0.045 < late / size.events < 0.055
    assert nights["next"] == date(2017, 4, 10)


def test_what_a_task_takes_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # Processes that other tests began count as this one's children, too.
    monkeypatch.setattr(end_to_end, "_peak_mib", end_to_end.own_peak_mib)
    watch = end_to_end.Watch()
    watch("score", "one")
    held = np.ones(2**26, np.float64)  # 512 MiB
    watch("score", "one", 1, 2)  # a step inside
    del held
    watch("report")
    watch.end()
    assert set(watch.taken) == {"score one", "report"}
    one, other = watch.taken["score one"], watch.taken["report"]
    assert one["cpu_seconds"] > 0 and one["peak_mib"] - other["peak_mib"] > 400
    whole = end_to_end.whole(watch.taken)
    assert whole["peak_mib"] == one["peak_mib"] and whole["seconds"] == one["seconds"] + other["seconds"]


def test_only_what_stands_and_what_is_asked_of_made_up_goods_differ_from_the_grocer(tmp_path: Path) -> None:
    raw = load_shop("grocer").model_dump(mode="json")
    path = tmp_path / "scale.yaml"
    path.write_text(yaml.safe_dump(raw))
    end_to_end._spare(path)
    spared = yaml.safe_load(path.read_text())
    assert {key for key in raw if raw[key] != spared[key]} == {"encoder", "recommender", "policy", "thresholds"}
    for rules in (raw["policy"]["audit"], spared["policy"]["audit"]):
        del rules["exposure"]
    assert spared["policy"]["audit"] == raw["policy"]["audit"]
    for section in ("encoder", "recommender"):
        assert spared[section] == raw[section] | {"fresh_share": end_to_end.FRESH} != raw[section]
