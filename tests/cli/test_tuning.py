"""`shopkeel tune`: the week's two steps in order, for the day that is asked for, and what they told."""

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import tuning
from pipeline.cli import app

TOLD = {
    "version": "a" * 12, "loss": 0.25, "first": 0.5, "trials": {"pruned": 3, "complete": 2},
    "settings": {"start": "domain", "method": "full"},
}  # fmt: skip


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    monkeypatch.setenv("SHOPKEEL_HOME", str(tmp_path))
    done: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        tuning, "adapt", lambda night, _progress: done.append(("adapt", night.day)) or {"version": "b" * 12}
    )
    monkeypatch.setattr(
        tuning, "search", lambda night, minutes, _progress: done.append(("search", night.day, minutes)) or TOLD
    )
    return done


def test_both_steps_run_and_what_was_found_is_told(calls: list[tuple[object, ...]]) -> None:
    result = CliRunner().invoke(app, ["tune", "--date", "2017-03-31", "--minutes", "7"])
    assert result.exit_code == 0, result.output
    day = date(2017, 3, 31)
    assert calls == [("adapt", day), ("search", day, 7.0)]
    for words in ("a" * 12, "b" * 12, "2 complete, 3 pruned", "0.2500", "0.5000", "start domain"):
        assert words in result.output


def test_a_shop_without_reviews_is_told(calls: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "search", lambda *_: {"no_input": "the shop hands over no reviews"})
    result = CliRunner().invoke(app, ["tune", "--date", "2017-03-31"])
    assert result.exit_code == 0
    assert "no reviews" in result.output


def test_before_the_first_night_a_day_must_be_named(calls: list[tuple[object, ...]]) -> None:
    result = CliRunner().invoke(app, ["tune"])
    assert result.exit_code == 4
    assert "--date" in result.output
    assert not calls
