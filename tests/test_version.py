"""The code version tells two states of the sources apart."""

import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

import pipeline.version
from pipeline.version import code_version


def test_release_and_digest() -> None:
    assert re.fullmatch(re.escape(version("shopkeel")) + r"\+[0-9a-f]{8}", code_version())


@pytest.mark.parametrize("changed", ["version.py", "shops/grocer.yaml"])
def test_a_changed_source_shows_and_a_note_beside_it_does_not(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "pipeline"
    shutil.copytree(Path(pipeline.version.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(pipeline.version, "__file__", str(copy / "version.py"))
    before = code_version.__wrapped__()
    (copy / "notes.txt").write_text("a note")
    assert code_version.__wrapped__() == before == code_version()
    with (copy / changed).open("a") as file:
        file.write("# changed\n")
    assert code_version.__wrapped__() != before
