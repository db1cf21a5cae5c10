"""What a search found and proposes for the night to judge: a trained version, and the settings it was trained by.

A proposal is judged once: by the night that follows a snapshot of its day or an earlier one. So it is no older than the
reviews that night's champion was judged by, and a night run again meets the same proposal.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from pipeline.learning import champions, lineage
from pipeline.models.sentiment import Sentiment
from pipeline.settings import Night, SentimentSettings
from pipeline.stages import desk
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

FOLDER = "tuning"
SEARCHED = "searched.json"  # beside a version's weights: settings that differ from the shop's own


def leave(night: Night, model: str, facts: dict[str, Any]) -> Path:
    """Leave the day's proposal; a later one of the same day replaces it."""
    path = night.root / FOLDER / model / f"{night.day}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.put(path, json.dumps(facts, indent=1, sort_keys=True), Step.NOTE)
    return path


def due(night: Night, model: str) -> str | None:
    """The version that waits for this night's judgement; none that learned from users who have been erased."""
    before = desk.parent(night)
    since = str(before.manifest.day) if before else ""
    known = sorted((night.root / FOLDER / model).glob("????-??-??.json"))
    waiting = [path for path in known if since <= path.stem < str(night.day)]
    version = str(champions.read_json(waiting[-1])["version"]) if waiting else None
    return None if lineage.knew_erased(night.models, f"{model}/{version}") else version


def settings(night: Night, version: str | None) -> SentimentSettings:
    """How reviews are read from here on: as the shop says, but for what a search found that led to a version."""
    path = champions.folder(night.models, "sentiment", version) / SEARCHED if version else None
    reader = night.shop.reader
    if path is None or not path.exists():
        return reader
    found = champions.read_json(path)
    return reader.model_copy(update=found | {"training": reader.training.model_copy(update=found["training"])})


def save(model: Sentiment, before: Path | None, folder: Path) -> None:
    """Write a model, and what a search found for the one before it: its settings outlive its weights."""
    model.save(folder)
    if before and (before / SEARCHED).exists():
        shutil.copyfile(before / SEARCHED, folder / SEARCHED)
