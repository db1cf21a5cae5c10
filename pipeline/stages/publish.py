"""Commit the staged night as one snapshot, then clean up behind it."""

import json
import logging
from typing import Any

from pipeline.contracts.tables import TABLES
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.stages.gate import note_json
from pipeline.version import code_version
from pipeline.warehouse import janitor
from pipeline.warehouse.bucket import Bucket
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.staging import Staging

log = logging.getLogger(__name__)


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Publish, if the audit passed and nobody else has published since the night began."""
    before = desk.parent(night)
    judgements = desk.noted(night, "judgement")
    models = {name: judgement["serves"] for name, judgement in judgements.items() if judgement["serves"]}
    manifest = commit(
        night.warehouse,
        Staging.open(night.warehouse, night.day, night.run),
        shop=night.shop.name,
        day=night.day,
        parent=before.id if before else None,
        models=models,
        policy_hash=night.shop.policy_hash,
        code_version=code_version(),
        requires=Requirements(
            desk.noted(night, "start")["current"], desk.noted(night, "verdict")["passed"], frozenset(TABLES)
        ),
        bucket=Bucket.of(night.shop),
    )
    note_json(recorder, "manifest", json.loads(manifest.to_json()))
    JsonRecorder(night.record).tags(
        {"snapshot": manifest.snapshot, "parent_snapshot": manifest.parent or "none", "status": "published"}
    )
    _clean_up(night)
    progress(1, 1)
    return {"snapshot": manifest.snapshot, "shop": night.shop.name, "day": str(night.day)}


def _clean_up(night: Night) -> None:
    """Let the janitor in; what ails him does not ail the night."""
    try:
        gone: list[object] = [*janitor.tidy(night)]
        if bucket := Bucket.of(night.shop):
            gone += bucket.sweep(night.shop.keep_snapshots, grace_hours=janitor.GRACE_HOURS)
        log.info("%s: the janitor removed %d leftovers", night.shop.name, len(gone))
    except Exception as error:  # the night is published
        log.warning("%s: nothing was cleaned up: %s; see `shopkeel gc`", night.shop.name, error)
