"""One night's record on its way: a run for the night, nested runs for its models, each with all that was noted."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.record import FILES, NOTES, RUNS, last_values, read_notes
from pipeline.settings import Night
from pipeline.tracking import registry
from pipeline.tracking.client import ARTIFACTS
from pipeline.tracking.note import HEADLINES, judgements, note

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric

T = TypeVar("T")
MARKER = "shipped.json"
PARENT = "mlflow.parentRunId"
ATTEMPT = ("error", "failed_stage")  # night tags of a failed attempt, which outlive it when a rerun succeeds
DATASET = "dataset/"  # tags of feeds' digests, which travel as the night's inputs
OWN = ("stage", "item", "status", "error", "mlflow/run")  # stage tags that would overwrite one another on the night


@dataclass(frozen=True)
class Shipment:
    """One night on its way."""

    client: "MlflowClient"
    night: Night
    experiment: str
    made: list[str] = field(default_factory=list)

    def send(self) -> str:
        """Ship all; the earlier run goes when the new one is complete, so there is always one to read."""
        folder, night = self.night.record, self.night
        noted, stages = last_values(folder, "tags"), sorted((folder / RUNS).glob("*"))
        ended = {"published": "FINISHED", "tuned": "FINISHED", "running": "RUNNING"}.get(
            noted.get("status", ""), "FAILED"
        )
        if ended != "FAILED":
            noted = {name: value for name, value in noted.items() if name not in ATTEMPT}
        noted.pop("mlflow", None)
        noted["mlflow.note.content"] = note(night, noted)
        begun = min(_begun(path) for path in [folder, *stages])
        parent = self._begin(f"{night.day} {night.run}", begun, noted)
        self._batch(parent, self._headlines(stages))  # first here, first on MLflow's pages
        self._files(parent, folder, "")
        for stage in stages:
            if _is_model(stage):
                self._model(parent, stage)
            else:
                self._stage(parent, stage)
        if inputs := _datasets(stages):
            self.client.log_inputs(parent, inputs)
        self._forget(parent)
        # Not the night's own record, where each shipping notes how it went.
        self._end(parent, ended, max((_millis(path) for path in stages), default=begun))
        registry.align(self.client, night)
        return parent

    def _begin(self, name: str, begun: int, tags: Mapping[str, Any]) -> str:
        """A run with what finds it again from its first moment: a shipment may be cut off at any call."""
        run = self.client.create_run(self.experiment, begun, self._named(), name)
        run_id = str(run.info.run_id)
        self.made.append(run_id)
        self._tags(run_id, tags)
        return run_id

    def _named(self) -> dict[str, str]:
        return {"night": f"{self.night.shop.name}/{self.night.day}", "run": self.night.run}

    def _end(self, run_id: str, status: str, ended: int) -> None:
        if status == "RUNNING":
            self.client.update_run(run_id, status)
        else:
            self.client.set_terminated(run_id, status, ended)

    def _stage(self, parent: str, folder: Path) -> None:
        """A stage that trains nothing: all on the night's run."""
        tags = last_values(folder, "tags")
        self._tags(parent, {k: v for k, v in tags.items() if k not in OWN and not k.startswith(DATASET)})
        self._params(parent, folder)
        self._batch(parent, [point for point in _points(folder) if point.key != "stage/seconds"])
        self._files(parent, folder, folder.name)

    def _model(self, parent: str, folder: Path) -> None:
        """A training stage: a nested run, its versions registered."""
        tags, night = last_values(folder, "tags"), self.night
        name = tags.get("model/name") or tags.get("item") or folder.name
        judgement = judgements(night).get(name, {})
        verdict = {"model/verdict": judgement["verdict"], "model/why": judgement["why"]} if judgement else {}
        family = {PARENT: parent, "day": night.day}
        run_id = self._begin(name, _begun(folder), tags | verdict | family)
        self._params(run_id, folder)
        self._batch(run_id, _points(folder))
        self._files(run_id, folder, folder.name)
        if "model/version" in tags:
            trained = judgement.get("challenger") or tags["model/version"]
            for version in sorted({trained, tags["model/version"]}):
                registry.register(self.client, night, run_id, name, version)
            registry.challenge(self.client, night, name, trained)
        self._end(run_id, "FAILED" if tags.get("status") == "failed" else "FINISHED", _millis(folder))

    def _forget(self, parent: str) -> None:
        """Drop this night's runs of earlier shippings, whole or cut off, and those whose making was not answered.

        Runs whose model versions are still registered stay.
        """
        kept = registry.run_ids(self.client, self.night)
        named = " and ".join(f"tags.{name} = '{value}'" for name, value in self._named().items())
        found = {run.info.run_id for run in self.client.search_runs([self.experiment], named)}
        for run_id in sorted(found - set(self.made)):
            if run_id in kept:
                self._tags(run_id, {PARENT: parent, "superseded": "true"})
            else:
                self.client.delete_run(run_id)
                shutil.rmtree(self.night.home / ARTIFACTS / run_id, ignore_errors=True)

    def _headlines(self, stages: list[Path]) -> "list[Metric]":
        """On the night itself, so that nights compare in MLflow's table: each stage's seconds, the models' measures."""
        from mlflow.entities import Metric

        wanted = [key_of(f"{name}{end}") for name in HEADLINES.values() for end in ("", "_low", "_high")]
        models: dict[str, Metric] = {}
        seconds = []
        for stage in stages:
            for name, value in last_values(stage, "metrics").items():
                if name == "stage/seconds":
                    seconds.append(Metric(key_of(f"seconds/{stage.name}"), value, _millis(stage), 0))
                elif _is_model(stage):
                    models[key_of(name)] = Metric(key_of(name), value, _millis(stage), 0)
        return [models[name] for name in wanted if name in models] + seconds

    def _tags(self, run_id: str, values: Mapping[str, Any]) -> None:
        from mlflow.entities import RunTag

        for chunk in _chunks([RunTag(key_of(name), str(value)[:8000]) for name, value in values.items()], 100):
            self.client.log_batch(run_id, tags=chunk)

    def _params(self, run_id: str, folder: Path) -> None:
        from mlflow.entities import Param

        flat = dict(_flatten(last_values(folder, "params")))
        for chunk in _chunks([Param(key_of(name), value[:6000]) for name, value in flat.items()], 100):
            self.client.log_batch(run_id, params=chunk)

    def _batch(self, run_id: str, points: "list[Metric]") -> None:
        for chunk in _chunks(points, 1000):
            self.client.log_batch(run_id, metrics=chunk)

    def _files(self, run_id: str, folder: Path, stage: str) -> None:
        """Files of a run's folder: Data Docs and verdicts by stage, others at the top."""
        kept = (folder / FILES).iterdir() if (folder / FILES).is_dir() else ()
        loose = () if stage else (path for path in folder.iterdir() if path.name not in {NOTES, MARKER, RUNS, FILES})
        for path in sorted([*loose, *kept]):
            if path.is_dir():
                docs = path.name == "data_docs" and stage
                self.client.log_artifacts(run_id, str(path), f"{path.name}/{stage}" if docs else path.name)
            else:
                self.client.log_artifact(run_id, str(path), f"data_docs/{stage}" if path.stem == "verdicts" else None)


def _is_model(stage: Path) -> bool:
    return stage.name == "encoder" or stage.name.startswith(("fine_tune-", "trial-"))


def _millis(folder: Path) -> int:
    """When a run's record was last written: the same for every shipping of it."""
    path = folder / NOTES
    return path.stat().st_mtime_ns // 1_000_000 if path.exists() else folder.stat().st_mtime_ns // 1_000_000


def _begun(folder: Path) -> int:
    return _millis(folder) - round(1000 * last_values(folder, "metrics").get("stage/seconds", 0))


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def key_of(name: str) -> str:
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
    for line in read_notes(folder):
        if line["kind"] == "metrics" and "step" in line:
            points |= {(name, line["step"]): value for name, value in line["values"].items()}
    return [Metric(key_of(name), value, at, step) for (name, step), value in points.items()]


def _datasets(stages: list[Path]) -> "list[DatasetInput]":
    """The feeds of the night by their digests, with how many rows arrived and stayed."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for stage in stages:
        counts = last_values(stage, "metrics")
        for name, digest in last_values(stage, "tags").items():
            if name.startswith(DATASET):
                feed = name.removeprefix(DATASET)
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
