"""What is noted can be read back, survives a second attempt, and keeps files."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.record import FILES, JsonRecorder, last_values, read_notes

NAME = st.text(min_size=1, max_size=8)
NOTE = st.one_of(
    st.tuples(st.just("params"), st.dictionaries(NAME, st.integers() | st.text() | st.none(), max_size=3)),
    st.tuples(st.just("metrics"), st.dictionaries(NAME, st.floats(allow_nan=False), max_size=3)),
    st.tuples(st.just("tags"), st.dictionaries(NAME, st.text(), max_size=3)),
)


@given(notes=st.lists(NOTE, max_size=12))
def test_notes_come_back_in_order_and_the_last_value_stands(
    notes: list[tuple[str, dict[str, object]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    recorder = JsonRecorder(tmp_path_factory.mktemp("record"))
    expected: dict[str, dict[str, object]] = {"params": {}, "metrics": {}, "tags": {}}
    for kind, values in notes:
        getattr(recorder, kind)(values)
        expected[kind] |= values
    assert [(note["kind"], note["values"]) for note in read_notes(recorder.folder)] == notes
    assert {kind: last_values(recorder.folder, kind) for kind in expected} == expected


def test_a_curve_keeps_its_steps_and_is_no_last_value(tmp_path: Path) -> None:
    recorder = JsonRecorder(tmp_path)
    for step, loss in enumerate((3, 2, 1)):
        recorder.metrics({"train/loss": loss}, step=step)
    recorder.metrics({"recall@10": 0.5})
    assert [(note.get("step"), note["values"]) for note in read_notes(tmp_path)] == [
        (0, {"train/loss": 3.0}),
        (1, {"train/loss": 2.0}),
        (2, {"train/loss": 1.0}),
        (None, {"recall@10": 0.5}),
    ]
    assert last_values(tmp_path, "metrics") == {"recall@10": 0.5}


def test_values_json_does_not_know_are_noted_as_text(tmp_path: Path) -> None:
    JsonRecorder(tmp_path).params({"split": {"day": date(2017, 3, 1)}, "path": Path("a")})
    assert last_values(tmp_path, "params") == {"split": {"day": "2017-03-01"}, "path": "a"}


def test_a_metric_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="high"):
        JsonRecorder(tmp_path).metrics({"auc": "high"})  # type: ignore[dict-item]
    assert read_notes(tmp_path) == []


def test_a_second_attempt_goes_on_unless_it_starts_fresh(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "ingest"
    JsonRecorder(folder).tags({"status": "failed"})
    JsonRecorder(folder).tags({"stage": "ingest"})
    assert last_values(folder, "tags") == {"status": "failed", "stage": "ingest"}
    JsonRecorder(folder, fresh=True)
    assert read_notes(folder) == [] and list(folder.iterdir()) == []


def test_files_and_folders_are_copied_and_may_be_given_again(tmp_path: Path) -> None:
    given_, docs = tmp_path / "plot.txt", tmp_path / "docs"
    docs.mkdir()
    (docs / "index.html").write_text("page")
    recorder = JsonRecorder(tmp_path / "record")
    for text in ("first", "second"):
        given_.write_text(text)
        recorder.file(given_, "plots")
        recorder.file(docs)
    given_.unlink()
    kept = recorder.folder / FILES
    assert (kept / "plots" / "plot.txt").read_text() == "second"
    assert (kept / "docs" / "index.html").read_text() == "page"


def test_a_run_without_notes_reads_as_empty(tmp_path: Path) -> None:
    assert read_notes(tmp_path / "none") == [] and last_values(tmp_path / "none", "tags") == {}
