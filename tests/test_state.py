"""What a home says of its state, and which homes this code refuses."""

from pathlib import Path

import pytest

from pipeline import state
from pipeline.errors import ConfigError


@pytest.mark.parametrize("kind", ["feeds/events", "warehouse/snapshots/2017-11-30-0f3c5a1b2d4e"])
def test_a_home_with_files_and_no_word_has_version_0_and_is_used_as_it_is(tmp_path: Path, kind: str) -> None:
    assert state.version_of(tmp_path) is None
    (tmp_path / "secrets").mkdir()
    (tmp_path / "grocer" / "warehouse" / "runs").mkdir(parents=True)
    assert state.version_of(tmp_path) is None
    (tmp_path / "grocer" / kind).mkdir(parents=True)
    assert state.version_of(tmp_path) == 0
    assert state.accepted(tmp_path) == tmp_path


def test_a_newer_home_is_refused_and_one_too_old_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / state.FILE
    path.write_text(f'{{"version": {state.VERSION}}}')
    assert state.accepted(tmp_path) == tmp_path
    path.write_text(f'{{"version": {state.VERSION + 1}}}')
    with pytest.raises(
        ConfigError, match=rf"version {state.VERSION + 1}, this shopkeel knows {state.VERSION}; install"
    ):
        state.accepted(tmp_path)
    path.write_text('{"version": 3}')
    monkeypatch.setattr(state, "VERSION", 5)
    monkeypatch.setattr(state, "OLDEST", 4)
    with pytest.raises(ConfigError, match="run `shopkeel upgrade`"):
        state.accepted(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", '{"version": "1"}', '{"version": true}', '{"version": -1}'])
def test_a_file_that_says_no_version_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / state.FILE).write_text(text)
    with pytest.raises(ConfigError, match="restore it"):
        state.version_of(tmp_path)
