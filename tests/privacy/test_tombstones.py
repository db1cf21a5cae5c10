"""The list of the erased: sorted, each once, empty before the first."""

from pathlib import Path

from pipeline.privacy import tombstones


def test_the_list_is_the_same_text_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / tombstones.FILE
    assert len(tombstones.load(path)) == 0
    assert tombstones.as_text(["b", "a", "b"]) == tombstones.as_text(["a", "b"])
    path.write_text(tombstones.as_text(["b", "a"]), encoding="utf-8")
    assert tombstones.load(path).to_pylist() == ["a", "b"]
