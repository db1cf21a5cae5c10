"""Running a gate inside a stage: expectations on frames, verdicts and Data Docs into the record."""

import json
from collections.abc import Mapping

import pyarrow as pa
from pyarrow.dataset import Dataset

from pipeline import gates
from pipeline.record import FILES, JsonRecorder


def judge_frames(frames: Mapping[str, pa.Table | Dataset], recorder: JsonRecorder) -> list[gates.Verdict]:
    """Judge frames by their suites; the caller decides with `gates.require`."""
    verdicts = gates.check(frames, recorder.folder / FILES / "data_docs")
    for verdict in verdicts:
        recorder.metrics(
            {
                f"gate/{verdict.suite}/passed": float(verdict.passed),
                f"gate/{verdict.suite}/evaluated": verdict.evaluated,
                f"gate/{verdict.suite}/failed": len(verdict.failures),
            }
        )
    note_json(recorder, "verdicts", [verdict.as_dict() for verdict in verdicts])
    return verdicts


def note_json(recorder: JsonRecorder, name: str, values: object) -> None:
    """Keep values as a JSON file of the record."""
    target = recorder.folder / FILES / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(values, indent=1, sort_keys=True))
