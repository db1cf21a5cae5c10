"""A gate inside a stage: verdicts as metrics and files, whatever they say."""

import json

import pyarrow as pa
import pytest

from pipeline import gates
from pipeline.errors import Refused
from pipeline.record import FILES, JsonRecorder, last_values
from pipeline.stages import gate

FAILED = gates.Failure("expect_something", "score", "critical", "3 of 4 rows", "it must")
VERDICTS = [gates.Verdict("good", True, 5, ()), gates.Verdict("bad", False, 4, (FAILED,))]


def test_verdicts_reach_the_record_and_the_caller_decides(tmp_path, monkeypatch):
    judged = {}

    def check(frames, docs):
        judged.update(frames=frames, docs=docs)
        return VERDICTS

    monkeypatch.setattr(gates, "check", check)
    recorder, frames = JsonRecorder(tmp_path), {"good": pa.table({"a": [1]}), "bad": pa.table({"a": [2]})}
    assert gate.judge_frames(frames, recorder) is VERDICTS
    assert judged == {"frames": frames, "docs": tmp_path / FILES / "data_docs"}
    metrics = last_values(tmp_path, "metrics")
    assert (metrics["gate/good/passed"], metrics["gate/good/evaluated"], metrics["gate/good/failed"]) == (1, 5, 0)
    assert (metrics["gate/bad/passed"], metrics["gate/bad/evaluated"], metrics["gate/bad/failed"]) == (0, 4, 1)
    kept = json.loads((tmp_path / FILES / "verdicts.json").read_text())
    assert kept == [verdict.as_dict() for verdict in VERDICTS]
    with pytest.raises(Refused, match="3 of 4 rows"):
        gates.require(VERDICTS)


def test_json_of_the_record_is_the_same_in_any_order(tmp_path):
    recorder = JsonRecorder(tmp_path)
    gate.note_json(recorder, "facts", {"b": 1, "a": [2]})
    first = (tmp_path / FILES / "facts.json").read_bytes()
    gate.note_json(recorder, "facts", {"a": [2], "b": 1})
    assert (tmp_path / FILES / "facts.json").read_bytes() == first
