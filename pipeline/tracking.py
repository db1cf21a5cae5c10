"""Ships a night's record to MLflow: one run a night, one nested run a model, the registry's versions and aliases.

The record on disk is the original and MLflow a copy for reviewers, so an outage costs nothing: `replay` ships later.
Not here: what is noted (`record`, the stages), and any loading of models; MLflow only holds their plain files.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import ShopkeelError
from pipeline.record import FILES, NOTES, RUNS, JsonRecorder, last_values, read_notes
from pipeline.settings import Night
from pipeline.warehouse import snapshot

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric
    from mlflow.entities.model_registry import ModelVersion

log = logging.getLogger(__name__)
T = TypeVar("T")

STORE, ARTIFACTS = "mlflow.db", "mlflow-artifacts"
MARKER = "shipped.json"
SECONDS = 300  # a server that answers, but slowly, keeps no night waiting longer than about this
CALM = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",
}
PARENT = "mlflow.parentRunId"
ATTEMPT = ("error", "failed_stage")  # night tags of a failed attempt, which outlive it when a rerun succeeds
OWN = ("stage", "item", "status", "error", "mlflow/run")  # stage tags that would overwrite one another on the night
WEIGHTS = ("*.safetensors", "*.json", "*.txt")
HEADLINES = {
    "NDCG@10 of the lists": "ndcg/fused@10",
    "its gain over popularity": "gain/ndcg_fused_over_popularity@10",
    "its gain over own frequency": "gain/ndcg_fused_over_personal_frequency@10",
    "its gain over co-visitation": "gain/ndcg_fused_over_co_visitation@10",
    "recall@10 of the lists": "recall/fused@10",
    "AUC of the response model": "auc/response",
    "its gain over recency and frequency": "gain/auc",
    "calibration error": "calibration/ece",
    "recall@10 of the encoder": "recall/challenger@10",
    "recall@10 of the pretrained encoder": "recall/frozen@10",
}


def uri(home: Path) -> str:
    """Where records go, without credentials: `MLFLOW_TRACKING_URI`, else a SQLite file under `home`."""
    return _without_password(_uri(home))


def ship(night: Night) -> str | None:
    """Ship the night's record; again only when it has changed, and then in place of the earlier run.

    Returns:
        The id of its MLflow run; None when MLflow cannot be reached, which the record notes.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # MLflow's about its own dependencies
            return _ship(night)
    except Exception as error:  # whatever ails MLflow or its client, the night goes on
        words = _without_password(f"unreachable: {type(error).__name__}: {str(error).split(chr(10))[0][:300]}")
        log.warning("%s: MLflow %s; the record stays, `shopkeel replay` ships it", night.record.name, words)
        JsonRecorder(night.record).tags({"mlflow": words})
        return None


def replay(night: Night) -> list[Path]:
    """Ship every ended night of the shop that was not shipped yet, or has changed since, oldest first.

    Returns:
        The record folders that were shipped; it stops at the first that MLflow does not take.
    """
    shipped = []
    for folder in sorted(path.parent for path in (night.root / "nights").glob(f"????-??-??-*/{NOTES}")):
        if last_values(folder, "tags").get("status") == "running":
            continue
        one = replace(night, day=date.fromisoformat(folder.name[:10]), run=folder.name[11:])
        before = _marker(one)
        if ship(one) is None:
            break
        if _marker(one) != before:
            shipped.append(folder)
    return shipped


def align(night: Night) -> None:
    """Point each `champion` alias at what the current snapshot was scored with, as after a rollback; best effort."""
    if "MLFLOW_TRACKING_URI" not in os.environ and not (night.home / STORE).exists():
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            _align(_client(night.home), night)
    except Exception as error:  # readers follow the warehouse; the registry only shows it
        log.warning("champion aliases stay as they were: %s", _without_password(str(error).split("\n")[0]))


def _uri(home: Path) -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / STORE}"


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//", text)


def _client(home: Path) -> "MlflowClient":
    for name, value in CALM.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    home.mkdir(parents=True, exist_ok=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # making a new SQLite file is no news
    return MlflowClient(_uri(home), _uri(home))


def _ship(night: Night) -> str:
    client, marker = _client(night.home), _marker(night)
    if marker.get("digest") == _digest(night) and _is_active(client, marker["run_id"]):
        return marker["run_id"]
    shipment = _Shipment(client, night, _experiment(client, night), perf_counter() + SECONDS)
    run_id = shipment.send()
    JsonRecorder(night.record).tags({"mlflow": run_id})
    fresh = {"run_id": run_id, "digest": _digest(night)}
    (night.record / MARKER).write_text(json.dumps(fresh), encoding="utf-8")
    return run_id


def _marker(night: Night) -> dict[str, str]:
    path = night.record / MARKER
    marker: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return marker


def _digest(night: Night) -> str:
    """SHA-256 over where the record goes and its files, but for what the shipping stage notes of itself."""
    digest = hashlib.sha256(_uri(night.home).encode())
    for path in sorted(night.record.rglob("*")):
        name = path.relative_to(night.record)
        if path.is_file() and name.name != MARKER and name != Path(RUNS, "report", NOTES):
            digest.update(f"\n{name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _is_active(client: "MlflowClient", run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _experiment(client: "MlflowClient", night: Night) -> str:
    name = f"shopkeel/{night.shop.name}"
    if found := client.get_experiment_by_name(name):
        return str(found.experiment_id)
    # A server knows where its artifacts lie; a bare database would put them into the working directory.
    served = _uri(night.home).startswith(("http://", "https://"))
    return client.create_experiment(name, None if served else (night.home / ARTIFACTS).as_uri())


@dataclass(frozen=True)
class _Shipment:
    """One night on its way."""

    client: "MlflowClient"
    night: Night
    experiment: str
    deadline: float

    def send(self) -> str:
        """Ship all; the earlier run goes when the new one is complete, so there is always one to read."""
        folder, night = self.night.record, self.night
        earlier = self._earlier()
        noted, stages = last_values(folder, "tags"), sorted((folder / RUNS).glob("*"))
        ended = {"published": "FINISHED", "running": "RUNNING"}.get(noted.get("status", ""), "FAILED")
        if ended != "FAILED":
            noted = {name: value for name, value in noted.items() if name not in ATTEMPT}
        noted.pop("mlflow", None)
        noted |= {"mlflow.note.content": _note(night, noted), "night": f"{night.shop.name}/{night.day}"}
        begun = min(_begun(path) for path in [folder, *stages])
        parent = self._begin(f"{night.day} {night.run}", begun, noted)
        self._files(parent, folder, "")
        for stage in stages:
            self._on_time()
            if _is_model(stage):
                self._model(parent, stage, ended)
            else:
                self._stage(parent, stage)
        self._batch(parent, self._headlines(stages))
        if inputs := _datasets(stages):
            self.client.log_inputs(parent, inputs)
        self._forget(earlier, parent)
        self._end(parent, ended, max(_millis(path) for path in [folder, *stages]))
        _align(self.client, night)
        return parent

    def _earlier(self) -> list[str]:
        """Runs of this night that an earlier shipping left, whole or cut off."""
        named = f"tags.night = '{self.night.shop.name}/{self.night.day}' and tags.run = '{self.night.run}'"
        return [run.info.run_id for run in self.client.search_runs([self.experiment], named)]

    def _begin(self, name: str, begun: int, tags: Mapping[str, Any]) -> str:
        run = self.client.create_run(self.experiment, begun, {"run": self.night.run}, name)
        run_id = str(run.info.run_id)
        self._tags(run_id, tags)
        return run_id

    def _end(self, run_id: str, status: str, ended: int) -> None:
        if status == "RUNNING":
            self.client.update_run(run_id, status)
        else:
            self.client.set_terminated(run_id, status, ended)

    def _stage(self, parent: str, folder: Path) -> None:
        """A stage that trains nothing: all on the night's run."""
        tags = last_values(folder, "tags")
        self._tags(parent, {name: value for name, value in tags.items() if name not in OWN})
        self._params(parent, folder)
        self._batch(parent, [point for point in _points(folder) if point.key != "stage/seconds"])
        self._files(parent, folder, folder.name)

    def _model(self, parent: str, folder: Path, ended: str) -> None:
        """A training stage: a nested run, its versions registered."""
        tags, night = last_values(folder, "tags"), self.night
        name = tags.get("model/name") or tags.get("item") or folder.name
        judgement = _judgements(night).get(name, {})
        verdict = {"model/verdict": judgement["verdict"], "model/why": judgement["why"]} if judgement else {}
        family = {PARENT: parent, "night": f"{night.shop.name}/{night.day}", "day": night.day}
        run_id = self._begin(name, _begun(folder), tags | verdict | family)
        self._params(run_id, folder)
        self._batch(run_id, _points(folder))
        self._files(run_id, folder, folder.name)
        if "model/version" in tags:
            trained = judgement.get("challenger") or tags["model/version"]
            for version in sorted({trained, tags["model/version"]}):
                self._register(run_id, name, version, is_trained=version == trained)
        self._end(run_id, "FAILED" if tags.get("status") == "failed" else "FINISHED", _millis(folder))

    def _register(self, run_id: str, model: str, version: str, *, is_trained: bool) -> None:
        """Hold a version's plain files and register it, once for each 12-hex version."""
        night, name = self.night, f"shopkeel.{self.night.shop.name}.{model}"
        source = night.models / model / version
        files = sorted(path for pattern in WEIGHTS for path in source.glob(pattern))
        if not files:
            log.warning("%s: no files of %s %s to register", source, model, version)
            return
        known = _versions(self.client, name)
        found = known.get(version)
        if found is None or (found.tags["day"], found.tags["run"]) == (str(night.day), night.run):
            self._on_time()
            for path in files:
                self.client.log_artifact(run_id, str(path), f"model/{version}")
            at = f"{self.client.get_run(run_id).info.artifact_uri}/model/{version}"
            tags = {"version": version, "day": str(night.day), "run": night.run}
            words = f"{model} {version}, trained or started from on {night.day}; files, loaded by shopkeel alone"
            fresh = self.client.create_model_version(name, at, run_id, tags, description=words, await_creation_for=0)
            if found is not None:  # its run is about to go
                self.client.delete_model_version(name, found.version)
            found = fresh
        if is_trained and self._is_newest(name):
            self.client.set_registered_model_alias(name, "challenger", found.version)
            self.client.set_registered_model_tag(name, "challenger_day", str(night.day))

    def _is_newest(self, name: str) -> bool:
        """Whether no later night has trained this model: a replayed old night does not take the alias back."""
        return str(self.night.day) >= self.client.get_registered_model(name).tags.get("challenger_day", "")

    def _forget(self, earlier: list[str], parent: str) -> None:
        """Drop runs that this shipping replaces, but for those whose model versions are still registered."""
        kept = {
            version.run_id
            for model in _models(self.client, self.night)
            for version in _versions(self.client, model).values()
        }
        for run_id in earlier:
            if run_id in kept:
                self._tags(run_id, {PARENT: parent, "superseded": "true"})
            else:
                self.client.delete_run(run_id)
                shutil.rmtree(self.night.home / ARTIFACTS / run_id, ignore_errors=True)

    def _headlines(self, stages: list[Path]) -> "list[Metric]":
        """On the night itself, so that nights compare in MLflow's table: each stage's seconds, the models' measures."""
        from mlflow.entities import Metric

        wanted = {_key(f"{name}{end}") for name in HEADLINES.values() for end in ("", "_low", "_high")}
        points = []
        for stage in stages:
            for name, value in last_values(stage, "metrics").items():
                if name == "stage/seconds":
                    points.append(Metric(_key(f"seconds/{stage.name}"), value, _millis(stage), 0))
                elif _is_model(stage) and _key(name) in wanted:
                    points.append(Metric(_key(name), value, _millis(stage), 0))
        return points

    def _tags(self, run_id: str, values: Mapping[str, Any]) -> None:
        from mlflow.entities import RunTag

        for chunk in _chunks([RunTag(_key(name), str(value)[:8000]) for name, value in values.items()], 100):
            self.client.log_batch(run_id, tags=chunk)

    def _params(self, run_id: str, folder: Path) -> None:
        from mlflow.entities import Param

        flat = dict(_flatten(last_values(folder, "params")))
        for chunk in _chunks([Param(_key(name), value[:6000]) for name, value in flat.items()], 100):
            self.client.log_batch(run_id, params=chunk)

    def _batch(self, run_id: str, points: "list[Metric]") -> None:
        for chunk in _chunks(points, 1000):
            self.client.log_batch(run_id, metrics=chunk)

    def _files(self, run_id: str, folder: Path, stage: str) -> None:
        """Files of a run's folder: Data Docs and verdicts by stage, others at the top."""
        kept = (folder / FILES).iterdir() if (folder / FILES).is_dir() else ()
        loose = () if stage else (path for path in folder.iterdir() if path.name not in {NOTES, MARKER, RUNS, FILES})
        for path in sorted([*loose, *kept]):
            self._on_time()
            if path.is_dir():
                docs = path.name == "data_docs" and stage
                self.client.log_artifacts(run_id, str(path), f"{path.name}/{stage}" if docs else path.name)
            else:
                self.client.log_artifact(run_id, str(path), f"data_docs/{stage}" if path.stem == "verdicts" else None)

    def _on_time(self) -> None:
        if perf_counter() > self.deadline:
            raise TimeoutError(f"shipping took over {SECONDS} s")


def _is_model(stage: Path) -> bool:
    return stage.name == "encoder" or stage.name.startswith("fine_tune-")


def _millis(folder: Path) -> int:
    """When a run's record was last written: the same for every shipping of it."""
    path = folder / NOTES
    return path.stat().st_mtime_ns // 1_000_000 if path.exists() else folder.stat().st_mtime_ns // 1_000_000


def _begun(folder: Path) -> int:
    return _millis(folder) - round(1000 * last_values(folder, "metrics").get("stage/seconds", 0))


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _key(name: str) -> str:
    """A name as MLflow takes it: `ndcg/fused@10` becomes `ndcg/fused_at_10`."""
    return re.sub(r"[^\w.\- :/]", "_", name.replace("@", "_at_"))[:250]


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def _points(folder: Path) -> "list[Metric]":
    """All metrics of a run's notes, curves by step; without a step, the last value alone."""
    from mlflow.entities import Metric

    at = _millis(folder)
    points = {(name, 0): value for name, value in last_values(folder, "metrics").items()}
    for note in read_notes(folder):
        if note["kind"] == "metrics" and "step" in note:
            points |= {(name, note["step"]): value for name, value in note["values"].items()}
    return [Metric(_key(name), value, at, step) for (name, step), value in points.items()]


def _datasets(stages: list[Path]) -> "list[DatasetInput]":
    """The feeds of the night by their digests, with how many rows arrived and stayed."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for stage in stages:
        counts = last_values(stage, "metrics")
        for name, digest in last_values(stage, "tags").items():
            if name.startswith("dataset/"):
                feed = name.removeprefix("dataset/")
                rows = {key.split("/")[2]: value for key, value in counts.items() if key.startswith(f"feed/{feed}/")}
                profile = json.dumps({"num_rows": rows.get("published"), **rows})
                source = json.dumps({"feed": feed, "sha256": digest})
                inputs.append(
                    DatasetInput(
                        Dataset(feed, digest[:32], "shopkeel", source, profile=profile),
                        [InputTag("mlflow.data.context", "night")],
                    )
                )
    return inputs


def _models(client: "MlflowClient", night: Night) -> list[str]:
    ours = f"shopkeel.{night.shop.name}."
    return [one.name for one in client.search_registered_models(f"name LIKE '{ours}%'") if one.name.startswith(ours)]


def _versions(client: "MlflowClient", name: str) -> "dict[str, ModelVersion]":
    """A model's registered versions by 12-hex version; the model is registered when it is new."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return {one.tags.get("version", ""): one for one in client.search_model_versions(f"name = '{name}'")}


def _align(client: "MlflowClient", night: Night) -> None:
    """Champion is what the current snapshot was scored with, whichever night is shipped."""
    try:
        pinned = snapshot.current(night.warehouse)
    except ShopkeelError as error:
        log.warning("champion aliases stay as they were: %s", error)
        return
    for name in _models(client, night):
        serves = pinned.manifest.models.get(name.rsplit(".", 1)[1]) if pinned else None
        found = _versions(client, name).get(serves) if serves else None
        if found:
            client.set_registered_model_alias(name, "champion", found.version)
        elif "champion" in client.get_registered_model(name).aliases:
            client.delete_registered_model_alias(name, "champion")


def _judgements(night: Night) -> dict[str, dict[str, Any]]:
    path = night.record / RUNS / "judge" / FILES / "judgement.json"
    facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return {one["model"]: one for one in facts}


def _note(night: Night, tags: Mapping[str, str]) -> str:
    """What a reviewer reads first."""
    status, folder = tags.get("status", "unknown"), night.record / RUNS
    said = [f"# {night.shop.name}, {night.day}, run {night.run}: {status}", ""]
    if status == "published":
        said += [f"Snapshot `{tags.get('snapshot')}` follows `{tags.get('parent_snapshot', 'none')}`.", ""]
    elif tags.get("error"):
        said += [f"Stopped at **{tags.get('failed_stage')}**: {tags['error']}", ""]
    if judged := _judgements(night):
        said += ["| model | verdict | serves | why |", "|---|---|---|---|"]
        said += [
            f"| {name} | **{one['verdict']}** | {one.get('serves') or one.get('champion') or '-'} | {one['why']} |"
            for name, one in judged.items()
        ]
        said += [""]
    measured: dict[str, float] = {}
    for stage in folder.glob("*"):
        measured |= last_values(stage, "metrics")
    if rows := [_measure(words, name, measured) for words, name in HEADLINES.items() if name in measured]:
        said += ["| measure | value | 95 % interval |", "|---|---|---|", *rows, ""]
    gates = [name for name in measured if name.startswith("gate/") and name.endswith("/passed")]
    passed = sum(measured[name] == 1 for name in gates)
    said += [f"Gates: {passed} of {len(gates)} suites passed.", ""] if gates else []
    docs = ", ".join(f"`data_docs/{path.parts[-3]}/index.html`" for path in sorted(folder.glob("*/files/data_docs")))
    said += ["Under Artifacts: the night's page `report.html`" + (f"; Data Docs {docs}." if docs else ".")]
    said += ["", f"Provenance: {tags['provenance']}"] if tags.get("provenance") else []
    return "\n".join(said)


def _measure(words: str, name: str, measured: Mapping[str, float]) -> str:
    low, high = measured.get(f"{name}_low"), measured.get(f"{name}_high")
    return f"| {words} | {measured[name]:.4f} | {f'{low:.4f} to {high:.4f}' if None not in (low, high) else ''} |"
