"""A made-up night's record, whole or stopped at its audit, small enough to check by eye."""

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.record import FILES, RUNS, JsonRecorder
from pipeline.settings import Night, load_shop
from pipeline.stages.gate import note_json

SNAPSHOT = "2017-11-30-0123456789ab"
FAILURE = {
    "expectation": "expect_column_values_to_be_between",
    "column": "score",
    "severity": "critical",
    "observed": "12 of 900 rows (1.33% of those judged)",
    "why": "a score below 0 is <no> chance",
}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A night with a record folder of its own and nothing noted."""
    return Night(load_shop("grocer"), date(2017, 11, 30), tmp_path)


@pytest.fixture(scope="session")
def fill() -> Callable[..., Night]:
    """Writes the record of a published night; `stopped` makes it one that its audit refused."""

    def write(night: Night, *, stopped: bool = False) -> Night:
        top = JsonRecorder(night.record, fresh=True)
        top.tags({"status": "running", "provenance": "made up for <tests>", "code_version": "0.1.0+abc"})
        ingest(stage(night, "ingest"))
        encoder(stage(night, "encoder"))
        recommendations(stage(night, "fine_tune-recommendations"))
        audiences(stage(night, "fine_tune-audiences"))
        note_json(stage(night, "judge"), "judgement", JUDGED)
        stage(night, "score-recommendations").metrics({"rows/recommendations": 900, "stage/seconds": 75.2})
        gate(stage(night, "audit"), [FAILURE] if stopped else [])
        if stopped:
            top.tags({"status": "refused", "failed_stage": "audit", "error": "gate refused 1: score"})
        else:
            top.tags({"status": "published", "snapshot": SNAPSHOT, "parent_snapshot": "none"})
        return night

    return write


@pytest.fixture
def write_record(night: Night, fill: Callable[..., Night]) -> Callable[..., Night]:
    """Fills the record of `night`."""
    return partial(fill, night)


JUDGED: list[dict[str, Any]] = [
    {"model": "encoder", "verdict": "kept", "challenger": "b" * 12, "champion": "a" * 12, "serves": "a" * 12,
     "why": "recall@10 +0.0010 over the champion encoder"},
    {"model": "recommendations", "verdict": "promoted", "challenger": "c" * 12, "champion": None, "serves": "c" * 12,
     "why": "NDCG@10 0.3000, +0.0500 [+0.0400, +0.0600] over personal frequency"},
    {"model": "audiences", "verdict": "refused", "challenger": "d" * 12, "champion": None, "serves": None,
     "why": "AUC 0.810; calibration error 0.200"},
]  # fmt: skip


def stage(night: Night, name: str) -> JsonRecorder:
    recorder = JsonRecorder(night.record / RUNS / name)
    recorder.tags({"stage": name.split("-")[0], "status": "done"})
    return recorder


def gate(recorder: JsonRecorder, failures: list[dict[str, Any]]) -> None:
    verdict = {"suite": "recommendations", "passed": not failures, "evaluated": 11, "failures": failures}
    note_json(recorder, "verdicts", [verdict])
    docs = recorder.folder / FILES / "data_docs"
    docs.mkdir()
    (docs / "index.html").write_text("docs")


def ingest(recorder: JsonRecorder) -> None:
    counts = {"arrived": 1100, "published": 1000, "quarantined": 60, "deduplicated": 40}
    recorder.metrics({f"feed/events/{key}": value for key, value in counts.items()})
    recorder.metrics({f"feed/events/night_{key}": value // 10 for key, value in counts.items()})
    recorder.metrics({"feed/users/arrived": 5, "feed/users/published": 4, "feed/users/night_arrived": 0})
    recorder.metrics({"feed/users/quarantined": 0, "feed/users/deduplicated": 0, "stage/seconds": 4})
    recorder.tags({"drift/0": "events: column `colour` is new"})
    rows = [("unknown_item", "the item is in no catalogue", 55), ("missing_value", "a value is missing", 5)]
    facts = [{"feed": "events", "reason": reason, "words": words, "rows": count} for reason, words, count in rows]
    note_json(recorder, "quarantine", facts)
    torn = {"feed": "events", "address": "events/ds=2017-11-30/<b>.csv", "ds": "2017-11-30", "reason": "torn"}
    note_json(recorder, "refused_files", [torn | {"sha256": "0" * 64, "words": "half of what its manifest says"}])


def encoder(recorder: JsonRecorder) -> None:
    recorder.params({"training": {"steps": 64, "warm_steps": 16}, "training.warm": True, "training.device": "cpu"})
    recorder.tags({"model/name": "encoder"})
    for step, loss in ((4, 5.0), (8, 4.0), (12, 4.5)):
        recorder.metrics({"train/loss": loss}, step)
    recorder.metrics({"valid/loss": 4.2}, 8)
    for who, value in {"frozen": 0.03, "challenger": 0.04, "champion": 0.039}.items():
        recorder.metrics({f"recall/{who}@10": value, f"recall/{who}@10_low": 0.02, f"recall/{who}@10_high": 0.05})


def recommendations(recorder: JsonRecorder) -> None:
    recorder.tags({"model/name": "recommendations"})
    for who, base in {"fused": 0.3, "personal_frequency": 0.25, "co_visitation": 0.2, "popularity": 0.1}.items():
        for k in (5, 10, 20, 50):
            for family in ("recall", "ndcg"):
                name, value = f"{family}/{who}@{k}", base + k / 1000 - 0.01
                recorder.metrics({name: value, f"{name}_low": value - 0.01, f"{name}_high": value + 0.01})
        if who != "fused":
            name = f"gain/ndcg_fused_over_{who}@10"
            recorder.metrics({name: 0.3 - base, f"{name}_low": 0.29 - base, f"{name}_high": 0.31 - base})
    recorder.metrics({"segment/light/ndcg/fused@10": 0.21, "segment/light/ndcg/personal_frequency@10": 0.18})
    recorder.metrics({"segment/explore/recall/fused@10": 0.002})
    note_json(recorder, "fusion", {"weights": {"text": 0.2, "co_visitation": 0.4, "transformer": 0.1}})


def audiences(recorder: JsonRecorder) -> None:
    recorder.tags({"model/name": "audiences"})
    recorder.metrics({"auc/response": 0.81, "auc/response_low": 0.78, "auc/response_high": 0.84})
    recorder.metrics({"auc/recency_frequency": 0.57, "gain/auc": 0.24, "calibration/ece": 0.2})
    note_json(recorder, "importance", {"baskets_90d": 0.25, "targets": 0.125, "sends_before": 0.5})
    bins = [{"predicted": 0.1, "observed": 0.05, "n": 100}, {"predicted": 0.6, "observed": 0.5, "n": 40}]
    note_json(recorder, "calibration", bins)
