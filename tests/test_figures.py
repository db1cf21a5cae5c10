"""Figures files: flat, whole, and traceable to a machine and a commit."""

import json
from pathlib import Path

import pytest

from tests import figures


def test_a_file_holds_the_figures_and_what_they_are_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    path = figures.write("some", {"some/one": 1.5})
    assert path == "build/figures/some.json"
    assert json.loads((tmp_path / path).read_text()).keys() == {"some/one", "machine", "load", "commit"}


def test_words_become_part_of_a_name() -> None:
    assert figures.slug("Kill -9, at random (x2)") == "kill-9-at-random-x2"
