"""Reading a reviewed file: what it holds, and one line that names the file, the key and the remedy when it does not."""

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.section import Section, read


class Shelf(Section):
    size: int
    place: str = ""


def written(folder: Path, text: str) -> Path:
    path = folder / "shelf.yaml"
    path.write_text(text)
    return path


def test_a_file_is_read_and_its_places_are_put_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path, "{size: 3, place: here}")
    assert read(path, Shelf, "shelf") == Shelf(size=3, place="here")
    beside = read(path, Shelf, "shelf", lambda loaded, folder: loaded | {"place": str(folder / loaded["place"])})
    assert beside.place == str(tmp_path / "here")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size: many", r"size: .* valid integer.*; mend this key"),
        ("size: 3\nwidth: 4", r"width: .*not permitted; mend this key"),
        ("{}", r"size: .*required; mend this key"),
        ("- 3", "expected a mapping, key: value, of shelf; mend the file"),
        ("size: [3", r"not readable YAML \(.*\); mend the file"),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=words) as refused:
        read(path, Shelf, "shelf")
    assert str(refused.value).startswith(f"{path}: ") and "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_said_to_be_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not readable YAML"):
        read(tmp_path / "none.yaml", Shelf, "shelf")
