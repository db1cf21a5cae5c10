"""A home of an older version is brought up to date step by step, whatever cuts the upgrade off."""

import json
from datetime import date
from pathlib import Path

import pytest

from pipeline import state, upgrade
from pipeline.errors import ConfigError, DataError
from pipeline.upgrade import Migration
from pipeline.warehouse import fence
from pipeline.warehouse.manifest import Manifest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of before there were versions, with a snapshot."""
    manifest = Manifest.of(
        shop="corner", day=date(2017, 11, 30), parent=None, tables={}, models={}, policy_hash="p", code_version="v",
        run="night",
    )  # fmt: skip
    folder = tmp_path / "corner" / "warehouse" / "snapshots" / manifest.snapshot
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(manifest.to_json())
    return tmp_path


def files(home: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


def test_every_version_has_its_migration() -> None:
    assert [one.to for one in upgrade.MIGRATIONS] == list(range(1, state.VERSION + 1))


def test_a_home_without_a_word_says_its_version_and_nothing_else_changes(home: Path) -> None:
    before = files(home)
    assert [one.to for one in upgrade.upgrade(home)] == [1]
    assert state.version_of(home) == state.VERSION == 1
    after = files(home)
    assert after.pop(str(home / state.FILE)) == b'{"version": 1}\n'
    assert after == before
    assert upgrade.upgrade(home) == []


def test_a_home_that_cannot_be_read_stays_as_it_is(home: Path) -> None:
    next(home.rglob("manifest.json")).write_text("{}")
    before = files(home)
    with pytest.raises(DataError, match=r"manifest\.json"):
        upgrade.upgrade(home)
    assert files(home) == before


def test_migrations_run_in_order_and_go_on_where_they_were_cut_off(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def cut(_home: Path) -> None:
        done.append(2)
        if done.count(2) == 1:
            raise OSError("the disk is gone")

    steps = (
        Migration(1, "one", lambda _: done.append(1)), Migration(2, "two", cut),
        Migration(3, "three", lambda _: done.append(3)),
    )  # fmt: skip
    monkeypatch.setattr(state, "VERSION", 3)
    monkeypatch.setattr(upgrade, "MIGRATIONS", steps)
    with pytest.raises(OSError, match="disk"):
        upgrade.upgrade(home)
    assert state.version_of(home) == 1
    upgrade.upgrade(home)
    assert (done, state.version_of(home)) == ([1, 2, 2, 3], 3)


def test_no_upgrade_while_a_night_is_at_work(home: Path) -> None:
    at_work = fence.alive(home / "corner" / "warehouse", "2017-12-01-night")
    with at_work, pytest.raises(ConfigError, match="2017-12-01-night is at work"):
        upgrade.upgrade(home)
    assert upgrade.upgrade(home)


def test_neither_a_newer_home_nor_none_is_upgraded(home: Path) -> None:
    with pytest.raises(ConfigError, match="SHOPKEEL_HOME"):
        upgrade.upgrade(home / "corner" / "nothing")
    (home / state.FILE).write_text(json.dumps({"version": 99}))
    with pytest.raises(ConfigError, match="99"):
        upgrade.upgrade(home)


def test_only_a_new_home_says_its_version_by_itself(home: Path) -> None:
    upgrade.begin(home)
    assert state.version_of(home) == 0
    new = home / "new"
    new.mkdir()
    upgrade.begin(new)
    assert state.version_of(new) == state.VERSION
