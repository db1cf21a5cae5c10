"""A night knows its folders, and a home of another version of the state is refused."""

from datetime import date
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.settings import Night, home, load_shop, open_night


@pytest.mark.parametrize("day", ["", "yesterday", "2017-02-30", "2017/03/01", "01.03.2017", "2017-3-1", "20170301T00"])
def test_a_day_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(ConfigError, match="write it as YYYY-MM-DD"):
        open_night("grocer", day)


def test_a_night_knows_its_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOPKEEL_HOME", str(tmp_path))
    night = open_night("grocer", "2017-03-01", run="second")
    assert night == Night(load_shop("grocer"), date(2017, 3, 1), tmp_path.resolve(), "second")
    assert night == open_night("grocer", date(2017, 3, 1), run="second")
    root = tmp_path.resolve() / "grocer"
    kept = [night.feeds, night.embeddings, night.models, night.warehouse]
    assert kept == [root / name for name in ("feeds", "embeddings", "models", "warehouse")]
    own = [night.work, night.record]
    assert own == [root / "work" / "2017-03-01-second", root / "nights" / "2017-03-01-second"]
    other = open_night("grocer", "2017-03-01")
    assert not {other.work, other.record} & set(own) and other.feeds == night.feeds


def test_without_a_home_files_lie_in_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SHOPKEEL_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert home() == tmp_path.resolve() / "var"


def test_a_home_of_a_newer_version_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOPKEEL_HOME", str(tmp_path))
    (tmp_path / "state.json").write_text('{"version": 99}')
    with pytest.raises(ConfigError, match=r"version 99.*install"):
        open_night("grocer", "2017-03-01")
