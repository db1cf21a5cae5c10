"""The registered models: a version for each trained model's plain files, and who is champion and challenger."""

import logging
from typing import TYPE_CHECKING

from pipeline.errors import ShopkeelError
from pipeline.learning import lineage
from pipeline.settings import Night
from pipeline.warehouse import snapshot

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

log = logging.getLogger(__name__)
FIRST, LAST = "served_first", "served_last"  # business days, on a version
DESCRIPTION = (
    "Alias `champion`: what the current snapshot was scored with; `challenger`: what was trained last. A version's "
    f"tags: the night that trained it, what it grew from, the first and last night it scored (`{FIRST}`, `{LAST}`)."
)
WEIGHTS = ("*.safetensors", "*.json", "*.txt")


def register(client: "MlflowClient", night: Night, run_id: str, model: str, version: str) -> None:
    """Hold a version's plain files and register it, once for each 12-hex version.

    Args:
        client: MLflow.
        night: the night that trained it, or started from it.
        run_id: the run that holds the files.
        model: its name in the shop.
        version: 12 hex digits, a folder of the model store.
    """
    source, name = night.models / model / version, _name(night, model)
    files = sorted(path for pattern in WEIGHTS for path in source.glob(pattern))
    if not files:
        log.warning("%s: no files to register", source)
        return
    found = _versions(client, name).get(version)
    if found and (found.tags["day"], found.tags["run"]) != (str(night.day), night.run):
        return
    for path in files:
        client.log_artifact(run_id, str(path), f"model/{version}")
    at = f"{client.get_run(run_id).info.artifact_uri}/model/{version}"
    learned = lineage.known(night.models).get(f"{model}/{version}")
    tags = {"version": version, "day": str(night.day), "run": night.run}
    tags |= {"grew_from": ", ".join(learned.parents) or "nothing of ours"} if learned else {}
    tags |= {key: found.tags[key] for key in (FIRST, LAST) if found and key in found.tags}
    words = f"{model} {version}, first seen on {night.day}: plain files, read by shopkeel and no MLflow flavour"
    made = client.create_model_version(name, at, run_id, tags, description=words, await_creation_for=0)
    for one in client.search_model_versions(f"name = '{name}'"):
        # Of an earlier shipping of this night, whose run is about to go, or of a call whose answer was lost.
        if one.tags.get("version") == version and one.version != made.version:
            client.delete_model_version(name, one.version)


def challenge(client: "MlflowClient", night: Night, model: str, version: str) -> None:
    """Point `challenger` at what was trained, unless a later night has trained since."""
    name = _name(night, model)
    found = _versions(client, name).get(version)
    if found and str(night.day) >= client.get_registered_model(name).tags.get("challenger_day", ""):
        client.set_registered_model_alias(name, "challenger", found.version)
        client.set_registered_model_tag(name, "challenger_day", str(night.day))


def align(client: "MlflowClient", night: Night) -> None:
    """Champion is what the current snapshot was scored with, whichever night is shipped; versions say when they did."""
    try:
        pinned = snapshot.current(night.warehouse)
        nights = snapshot.history(night.warehouse)
    except ShopkeelError as error:
        log.warning("champion aliases stay as they were: %s", error)
        return
    for name in _models(client, night):
        model, versions = name.rsplit(".", 1)[1], _versions(client, name)
        serves = pinned.manifest.models.get(model) if pinned else None
        found = versions.get(serves) if serves else None
        if found:
            client.set_registered_model_alias(name, "champion", found.version)
        elif "champion" in client.get_registered_model(name).aliases:
            client.delete_registered_model_alias(name, "champion")
        for version, one in versions.items():
            served = [str(manifest.day) for manifest in nights if manifest.models.get(model) == version]
            _note_served(client, one, served)


def _note_served(client: "MlflowClient", version: "ModelVersion", days: list[str]) -> None:
    """Widen what a version says of when it served: older snapshots are gone by and by."""
    for tag, outer in ((FIRST, min), (LAST, max)):
        known = [version.tags[tag]] if tag in version.tags else []
        if days and (day := outer(days + known)) != version.tags.get(tag):
            client.set_model_version_tag(version.name, version.version, tag, day)


def run_ids(client: "MlflowClient", night: Night) -> set[str]:
    """The runs that hold the files of registered versions."""
    return {str(one.run_id) for name in _models(client, night) for one in _versions(client, name).values()}


def _name(night: Night, model: str) -> str:
    return f"shopkeel.{night.shop.name}.{model}"


def _models(client: "MlflowClient", night: Night) -> list[str]:
    ours = _name(night, "")
    return [one.name for one in client.search_registered_models(f"name LIKE '{ours}%'") if one.name.startswith(ours)]


def _versions(client: "MlflowClient", name: str) -> "dict[str, ModelVersion]":
    """A model's registered versions by 12-hex version; the model is registered when it is new."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description=DESCRIPTION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return {one.tags.get("version", ""): one for one in client.search_model_versions(f"name = '{name}'")}
