"""Records shipped to a real SQLite store: what a reviewer finds there, once, whatever was shipped how often."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline import tracking
from pipeline.learning import lineage
from pipeline.record import FILES, RUNS, JsonRecorder, last_values
from pipeline.settings import Night, load_shop
from pipeline.tracking import client, note
from pipeline.warehouse.manifest import Manifest

DAY = date(2017, 11, 30)
FROZEN, TRAINED, SECOND = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One store for all tests, each with a shop of its own: making the store takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name in client.CALM:
            patch.delenv(name, raising=False)
        yield tmp_path_factory.mktemp("home")
        for name in client.CALM:
            os.environ.pop(name, None)


@pytest.fixture(scope="module")
def store(home: Path) -> Any:
    """Reads the store."""
    with warnings.catch_warnings(action="ignore"):
        return client.connect(home, 600)


def a_night(home: Path, shop: str, day: date = DAY, run: str = "night") -> Night:
    return Night(load_shop("grocer").model_copy(update={"name": shop}), day, home, run)


def store_model(night: Night, model: str, version: str) -> None:
    folder = night.models / model / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(version.encode())
    (folder / "config.json").write_text("{}")
    (folder / "left_over.pkl").write_bytes(b"no")


def write_record(night: Night, status: str = "published", version: str = TRAINED, served: str | None = FROZEN) -> None:
    """A small record: a gate with feeds, an encoder judged below its baseline, a recommender, a verdict."""
    top = JsonRecorder(night.record, fresh=True)
    top.tags(
        {"shop": night.shop.name, "day": str(night.day), "run": night.run, "policy_hash": "f00d", "status": status}
    )
    page = night.record / "report.html"
    page.write_text("<p>night</p>")

    ingest = JsonRecorder(night.record / RUNS / "ingest")
    ingest.tags({"stage": "ingest", "status": "done", "dataset/events": "e" * 64, "dataset/items": "1" * 64})
    ingest.metrics({"feed/events/published": 90, "feed/events/quarantined": 10, "stage/seconds": 2.5})
    ingest.metrics({"gate/feed_events/passed": 1})
    docs = night.work / "data_docs"
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "index.html").write_text("docs")
    ingest.file(docs)

    encoder = JsonRecorder(night.record / RUNS / "encoder")
    for model, one in (("encoder", FROZEN), ("encoder", version), ("recommendations", version)):
        store_model(night, model, one)
    encoder.tags({"stage": "encoder", "status": "done", "model/name": "encoder", "model/version": FROZEN})

    tuned = JsonRecorder(night.record / RUNS / "fine_tune-recommendations")
    tuned.params({"training": {"steps": 1200, "deep": {"rate": 0.1}}, "long": "x" * 9000})
    for step in range(1, 1201):
        tuned.metrics({"train/loss": 1 / step}, step)
    tuned.metrics({"ndcg/fused@10": 0.1})
    tuned.metrics({"ndcg/fused@10": 0.25, "ndcg/fused@10_low": 0.2, "ndcg/fused@10_high": 0.3, "stage/seconds": 4})
    tuned.tags({"stage": "fine_tune", "status": "done", "model/name": "recommendations", "model/version": version})
    _keep(tuned, night, "fusion", {"weights": {"popularity": 1}})

    facts = {"champion": None, "why": "by so much"}
    judged = [
        {"model": "encoder", "verdict": "baseline", "challenger": version, "serves": FROZEN, **facts},
        {"model": "recommendations", "verdict": "promoted", "challenger": version, "serves": version, **facts},
    ]
    _keep(JsonRecorder(night.record / RUNS / "judge"), night, "judgement", judged)
    if status == "published":
        models = {"recommendations": version} | ({"encoder": served} if served else {})
        top.tags({"snapshot": publish(night, models), "parent_snapshot": "none"})


def publish(night: Night, models: dict[str, str]) -> str:
    """Make a snapshot of these models current."""
    manifest = Manifest.of(
        shop=night.shop.name, day=night.day, parent=None, tables={}, models=models,
        policy_hash="f00d", code_version="0", run=night.run,
    )  # fmt: skip
    folder = night.warehouse / "snapshots" / manifest.snapshot
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(manifest.to_json())
    (night.warehouse / "CURRENT").write_text(manifest.snapshot)
    return manifest.snapshot


def _keep(recorder: JsonRecorder, night: Night, name: str, values: object) -> None:
    night.work.mkdir(parents=True, exist_ok=True)
    path = night.work / f"{name}.json"
    path.write_text(json.dumps(values))
    recorder.file(path)


def runs(store: Any, night: Night) -> dict[str, Any]:
    """The active runs of a shop by name; two of one name would be one too many."""
    experiment = store.get_experiment_by_name(f"shopkeel/{night.shop.name}").experiment_id
    found = store.search_runs([experiment])
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def aliases(store: Any, night: Night, model: str) -> dict[str, str]:
    """The 12-hex version behind each alias."""
    name = f"shopkeel.{night.shop.name}.{model}"
    named = store.get_registered_model(name).aliases
    return {alias: store.get_model_version(name, number).tags["version"] for alias, number in named.items()}


def registered(store: Any, night: Night, model: str) -> list[str]:
    found = store.search_model_versions(f"name = 'shopkeel.{night.shop.name}.{model}'")
    return sorted(one.tags["version"] for one in found)


def artifacts(store: Any, run_id: str, folder: str | None = None) -> set[str]:
    found: set[str] = set()
    for one in store.list_artifacts(run_id, folder):
        found |= artifacts(store, run_id, one.path) if one.is_dir else {one.path}
    return found


def test_a_reviewer_finds_the_night(home: Path, store: Any) -> None:
    night = a_night(home, "whole")
    write_record(night)
    run_id = tracking.ship(night)
    found = runs(store, night)
    assert set(found) == {f"{DAY} night", "encoder", "recommendations"}
    parent, tuned = found[f"{DAY} night"], found["recommendations"]
    assert parent.info.run_id == run_id
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert tuned.data.tags["mlflow.parentRunId"] == run_id
    assert parent.data.tags["policy_hash"] == "f00d"
    assert parent.data.tags["snapshot"] == last_values(night.record, "tags")["snapshot"]
    assert parent.data.metrics["feed/events/quarantined"] == 10
    assert parent.data.metrics["seconds/ingest"] == 2.5
    assert parent.data.metrics["ndcg/fused_at_10_low"] == 0.2
    assert artifacts(store, parent.info.run_id) == {"report.html", "data_docs/ingest/index.html", "judgement.json"}


def test_curves_and_parameters_of_a_model(home: Path, store: Any) -> None:
    night = a_night(home, "curves")
    write_record(night)
    tracking.ship(night)
    tuned = runs(store, night)["recommendations"]
    curve = store.get_metric_history(tuned.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in curve] == [(step, 1 / step) for step in range(1, 1201)]
    assert len(store.get_metric_history(tuned.info.run_id, "ndcg/fused_at_10")) == 1
    assert tuned.data.metrics["ndcg/fused_at_10"] == 0.25
    assert tuned.data.params["training.deep.rate"] == "0.1"
    assert tuned.data.params["long"] == "x" * 6000


def test_feeds_are_dataset_inputs(home: Path, store: Any) -> None:
    night = a_night(home, "feeds")
    write_record(night)
    tracking.ship(night)
    inputs = {one.dataset.name: one.dataset for one in runs(store, night)[f"{DAY} night"].inputs.dataset_inputs}
    assert set(inputs) == {"events", "items"}
    assert json.loads(inputs["events"].source)["sha256"] == "e" * 64
    assert json.loads(inputs["events"].profile)["num_rows"] == 90


def test_the_note_says_what_was_published_and_why(home: Path, store: Any) -> None:
    night = a_night(home, "note")
    write_record(night)
    (night.record / "data_card.html").write_text("<p>card</p>")
    plot = night.record / FILES / "plots" / "importance-lists.png"
    plot.parent.mkdir(parents=True)
    plot.write_bytes(b"")
    told = {"why": "w", "price": None, "binding": [], "point": "p", "lists": [], "changes": [], "sample": []}
    _keep(JsonRecorder(night.record / RUNS / "balance"), night, "balance", told)
    audits = [{"audit": name, "cases": n, "violations": 0} for name, n in (("consent", 8), ("leakage", 0))]
    _keep(JsonRecorder(night.record / RUNS / "audit"), night, "audits", audits)
    tracking.ship(night)
    said = runs(store, night)[f"{DAY} night"].data.tags["mlflow.note.content"]
    assert f"# note, {DAY}, run night: published" in said
    assert f"| encoder | **baseline** | {FROZEN} | by so much |" in said
    assert "| 0.2500 | 0.2000 to 0.3000 |" in said
    assert "Gates: 1 of 1 suites passed." in said
    assert "Audits: 1 within their limits, in 8 cases; without a case: leakage." in said
    *_, last = said.splitlines()
    assert last == (
        "Under Artifacts: the night's page `report.html`; what was handed over `data_card.html`; what moves places and "
        "contacts `plots/importance-lists.png`; Data Docs `data_docs/ingest/index.html`."
    )


def test_shipping_again_changes_nothing(home: Path, store: Any) -> None:
    night = a_night(home, "again")
    write_record(night)
    assert tracking.ship(night) == tracking.ship(night)
    assert tracking.replay(night) == []


def test_a_rerun_takes_the_earlier_ones_place(home: Path, store: Any) -> None:
    night = a_night(home, "rerun")
    write_record(night)
    first = tracking.ship(night)
    write_record(night)
    second = tracking.ship(night)
    assert second != first
    found = runs(store, night)
    assert found[f"{DAY} night"].info.run_id == second
    assert len(store.get_metric_history(found["recommendations"].info.run_id, "train/loss")) == 1200
    assert registered(store, night, "encoder") == [FROZEN, TRAINED]
    assert not (home / client.ARTIFACTS / str(first)).exists()
    for version in store.search_model_versions(f"name = 'shopkeel.{night.shop.name}.recommendations'"):
        assert store.get_run(version.run_id).info.lifecycle_stage == "active"
        assert Path(version.source.removeprefix("file://"), "model.safetensors").read_bytes() == TRAINED.encode()


def test_a_rerun_that_trains_another_version_keeps_the_earlier_one_in_reach(home: Path, store: Any) -> None:
    night = a_night(home, "retrained")
    write_record(night)
    tracking.ship(night)
    write_record(night, version=SECOND)
    parent = tracking.ship(night)
    assert registered(store, night, "recommendations") == [TRAINED, SECOND]
    versions = store.search_model_versions(f"name = 'shopkeel.{night.shop.name}.recommendations'")
    tags = [store.get_run(one.run_id).data.tags for one in versions]
    assert [one["mlflow.parentRunId"] for one in tags] == [parent, parent]
    assert sorted("superseded" in one for one in tags) == [False, True]


def test_versions_and_aliases(home: Path, store: Any) -> None:
    night = a_night(home, "aliases")
    write_record(night)
    tracking.ship(night)
    assert registered(store, night, "encoder") == [FROZEN, TRAINED]
    assert aliases(store, night, "encoder") == {"challenger": TRAINED, "champion": FROZEN}
    assert aliases(store, night, "recommendations") == {"challenger": TRAINED, "champion": TRAINED}


def test_a_version_of_an_earlier_night_is_not_registered_twice(home: Path, store: Any) -> None:
    for day in (date(2017, 11, 29), DAY):
        night = a_night(home, "twice", day)
        write_record(night)
        tracking.ship(night)
    assert registered(store, night, "encoder") == [FROZEN, TRAINED]


def test_champion_moves_with_what_is_published_only(home: Path, store: Any) -> None:
    published, refused = a_night(home, "moves"), a_night(home, "moves", date(2017, 12, 1))
    write_record(published)
    tracking.ship(published)
    write_record(refused, "refused", SECOND)
    tracking.ship(refused)
    assert aliases(store, published, "recommendations") == {"challenger": SECOND, "champion": TRAINED}


def test_an_older_night_shipped_late_takes_no_alias(home: Path, store: Any) -> None:
    newer, older = a_night(home, "late"), a_night(home, "late", date(2017, 11, 29))
    write_record(newer)
    tracking.ship(newer)
    current = (newer.warehouse / "CURRENT").read_text()
    write_record(older, version=SECOND)
    (newer.warehouse / "CURRENT").write_text(current)
    tracking.ship(older)
    assert aliases(store, newer, "recommendations") == {"challenger": TRAINED, "champion": TRAINED}


def test_align_follows_a_rollback(home: Path, store: Any) -> None:
    night, later = a_night(home, "rollback"), a_night(home, "rollback", date(2017, 12, 1))
    write_record(night, served=None)
    tracking.ship(night)
    before = (night.warehouse / "CURRENT").read_text()
    write_record(later, version=SECOND)
    tracking.ship(later)
    assert aliases(store, night, "recommendations")["champion"] == SECOND
    assert aliases(store, night, "encoder")["champion"] == FROZEN
    (night.warehouse / "CURRENT").write_text(before)
    tracking.align(night)
    assert aliases(store, night, "recommendations")["champion"] == TRAINED
    assert "champion" not in aliases(store, night, "encoder")


@pytest.mark.parametrize("status", ["failed", "refused"])
def test_a_night_that_failed_says_so(home: Path, store: Any, status: str) -> None:
    night = a_night(home, status)
    write_record(night, status)
    JsonRecorder(night.record).tags({"failed_stage": "audit", "error": "9 rows too many"})
    tracking.ship(night)
    parent = runs(store, night)[f"{DAY} night"]
    assert parent.info.status == "FAILED"
    assert [parent.data.tags[name] for name in ("status", "failed_stage", "error")] == [
        status, "audit", "9 rows too many"
    ]  # fmt: skip
    assert "Stopped at **audit**: 9 rows too many" in parent.data.tags["mlflow.note.content"]


def test_a_rerun_from_the_failed_stage_leaves_no_error(home: Path, store: Any) -> None:
    night = a_night(home, "mended")
    write_record(night, "failed")
    JsonRecorder(night.record).tags({"failed_stage": "audit", "error": "9 rows too many"})
    JsonRecorder(night.record).tags({"status": "published"})
    tracking.ship(night)
    parent = runs(store, night)[f"{DAY} night"]
    assert parent.info.status == "FINISHED"
    assert "error" not in parent.data.tags


def test_an_outage_fails_no_night_and_replay_ships_later(
    home: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, running = a_night(home, "outage"), a_night(home, "outage", date(2017, 12, 1))
    write_record(night)
    write_record(running, "running")
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        assert tracking.uri(home) == "http://127.0.0.1:9"
        assert tracking.ship(night) is None
        assert tracking.replay(night) == []
        tracking.align(night)
    said = last_values(night.record, "tags")["mlflow"]
    assert said.startswith("unreachable: ")
    assert "secret" not in said
    assert tracking.replay(night) == [night.record]
    assert last_values(night.record, "tags")["mlflow"] == runs(store, night)[f"{DAY} night"].info.run_id
    assert tracking.replay(night) == []


def test_a_shipment_that_breaks_off_is_replaced_by_the_next(home: Path, store: Any) -> None:
    night = a_night(home, "slow")
    write_record(night)
    assert tracking.ship(night, patience=0) is None
    assert tracking.ship(night)
    assert runs(store, night)[f"{DAY} night"].info.status == "FINISHED"


def test_no_pickle_reaches_mlflow(home: Path) -> None:
    night = a_night(home, "pickle")
    write_record(night)
    tracking.ship(night)
    kinds = {path.suffix for path in (home / client.ARTIFACTS).rglob("*") if path.is_file()}
    assert {".safetensors", ".json", ".html"} <= kinds <= {".safetensors", ".json", ".html", ".png"}


def test_a_rolled_back_shop_without_a_store_gets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.align(a_night(tmp_path, "fresh"))
    assert list(tmp_path.iterdir()) == []


def test_importing_tracking_is_light() -> None:
    code = "import sys, pipeline.tracking; print([m for m in ('mlflow', 'torch', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_versions_say_what_they_grew_from_and_when_they_served(home: Path, store: Any) -> None:
    night, later = a_night(home, "history"), a_night(home, "history", date(2017, 12, 1))
    write_record(night)
    tracking.ship(night)
    before = (night.warehouse / "CURRENT").read_text()
    write_record(later, version=SECOND)
    lineage.note(later.models, f"recommendations/{SECOND}", lineage.Lesson(DAY, (f"recommendations/{TRAINED}",)))
    tracking.ship(later)

    def tags(version: str) -> dict[str, str]:
        found = store.search_model_versions(f"name = 'shopkeel.{night.shop.name}.recommendations'")
        (told,) = [one.tags for one in found if one.tags["version"] == version]
        return {name: value for name, value in told.items() if name not in ("version", "day", "run")}

    eve = {"served_first": "2017-11-30", "served_last": "2017-11-30"}
    assert tags(TRAINED) == eve
    second = {"served_first": "2017-12-01", "served_last": "2017-12-01", "grew_from": f"recommendations/{TRAINED}"}
    assert tags(SECOND) == second
    shutil.rmtree(night.warehouse / "snapshots" / before)  # as the janitor does with old ones
    write_record(later, version=SECOND)
    tracking.ship(later)
    assert (tags(TRAINED), tags(SECOND)) == (eve, second)


def test_the_first_lines_of_the_note_hold_the_verdict(home: Path) -> None:
    night = a_night(home, "first")
    write_record(night)
    for name, what in (("promises", "promise"), ("audits", "audit")):
        _keep(
            JsonRecorder(night.record / RUNS / "audit"), night, name, [{what: "consent", "cases": 8, "violations": 0}]
        )
    first = note.note(night, last_values(night.record, "tags")).split("| model |")[0]
    for words in ("published", "Snapshot", "Promises: 1 kept", "Audits: 1 within", "Gates: 1 of 1"):
        assert words in first, words


@pytest.mark.parametrize("cut", [1, 4, 8, 9])
def test_a_record_shipped_in_part_is_replayed_whole_and_once(
    home: Path, store: Any, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at the n-th sending of files: afterwards each is there once, of the night's runs and no other."""
    from mlflow import MlflowClient

    night, before, sent = a_night(home, f"part{cut}"), set((home / client.ARTIFACTS).glob("*")), []
    write_record(night)
    ended = max(path.stat().st_mtime_ns for path in (night.record / RUNS).rglob("*")) // 1_000_000
    with monkeypatch.context() as patch:
        for name in ("log_artifact", "log_artifacts"):
            send = getattr(MlflowClient, name)

            def sending(self: Any, *words: Any, send: Any = send) -> None:
                if len(sent) == cut:
                    raise ConnectionError("the line is cut")
                sent.append(words)
                send(self, *words)

            patch.setattr(MlflowClient, name, sending)
        assert tracking.ship(night) is None
    assert tracking.replay(night) == [night.record]
    assert tracking.replay(night) == []
    found = runs(store, night)
    files = {
        f"model/{version}/{name}" for version in (FROZEN, TRAINED) for name in ("config.json", "model.safetensors")
    }
    assert {name: artifacts(store, run.info.run_id) for name, run in found.items()} == {
        f"{DAY} night": {"report.html", "data_docs/ingest/index.html", "judgement.json"},
        "encoder": files,
        "recommendations": {"fusion.json", *(name for name in files if TRAINED in name)},
    }
    assert found[f"{DAY} night"].info.end_time <= ended  # a night lasts no longer for being shipped late
    after = set((home / client.ARTIFACTS).glob("*"))
    assert {path.name for path in after - before} == {run.info.run_id for run in found.values()}
    assert registered(store, night, "encoder") == [FROZEN, TRAINED]
