"""Judge the staged night as a whole before any reader may see it."""

from collections.abc import Mapping
from typing import Any

from pyarrow.dataset import Dataset

from pipeline import gates
from pipeline.audit import answers
from pipeline.audit.finding import Finding
from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.tables import ANSWERS, AUDITS, CHANGE_LEDGER, ITEM_EXPOSURE, PROMISES, RUN_STATUS, TABLES
from pipeline.feeds import partitions
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import audit_audiences, audited, desk, promised
from pipeline.stages.audited import Audited
from pipeline.stages.gate import judge_frames, note_json
from pipeline.tables import run_status
from pipeline.warehouse.compact import opened
from pipeline.warehouse.staging import Staging

SCORED = (
    "recommendations",
    "cart_recommendations",
    "ad_audiences",
    "user_profiles",
    "page_layouts",
    "review_sentiment",
    "open_questions",
)
OWN = (ITEM_EXPOSURE.name, RUN_STATUS.name)  # staged here
QUIET = "no list changed since the night before"


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Stage what the audit itself makes, recount promises, audit, run all expectations, and note the verdict."""
    desk.note(night, "verdict", {"passed": False})
    facts = {name: desk.noted(night, f"scored-{name}") for name in SCORED} | {
        "balance": desk.noted(night, "balanced"),
        "place": desk.noted(night, "placed"),
        "answers": desk.noted(night, "answered"),
    }
    rows = {table: count for scored in facts.values() for table, count in scored["rows"].items()}
    fallbacks = {name: scored["fallback"] for name, scored in facts.items() if "fallback" in scored}
    empties = {table: scored["empty"] for scored in facts.values() if "empty" in scored for table in scored["rows"]}
    empties[CHANGE_LEDGER.name] = QUIET
    feeds = [name for name in FEEDS if partitions.days(night.feeds, name, night.day)]
    staging = Staging.open(night.warehouse, night.day, night.run)
    frames = {name: opened(staging, name) for name in TABLES if name not in OWN}
    audits = Audited(night, frames)
    rows[ITEM_EXPOSURE.name] = staging.write(ITEM_EXPOSURE, audits.item_exposure).rows
    staging.write(RUN_STATUS, run_status.rows(rows, fallbacks, empties, feeds))
    frames = {name: frames.get(name) or opened(staging, name) for name in TABLES}
    breaches = audit_audiences.breaches_of(night, frames)
    kept = promised.frame(night, frames, [audit_audiences.finding(frames, breaches), *_answered(night, frames)])
    note_json(recorder, PROMISES.name, kept.to_pylist())
    found = audited.frame(audits.findings())
    audited.leave(found, audits, recorder)
    progress(1, 2)
    full = {name: frame for name, frame in frames.items() if frame.count_rows() or name not in empties}
    verdicts = judge_frames(full | {PROMISES.name: kept, AUDITS.name: found}, recorder)
    audit_audiences.require(breaches)
    gates.require(verdicts)
    desk.note(night, "verdict", {"passed": True})
    progress(2, 2)
    return {"rows": rows, "fallbacks": fallbacks}


def _answered(night: Night, frames: Mapping[str, Dataset]) -> list[Finding]:
    """Whether answers rest on tonight's tables, and are those of last night where nothing changed."""
    before, read = desk.parent(night), (ANSWERS.name, *answers.READ)
    now = {name: frames[name].to_table() for name in read}
    last = {name: before.table(name) for name in read if before and name in before.manifest.tables}
    most = night.shop.policy.audit.answer_flips
    return [answers.rests(now), answers.flips(now, last, most), answers.understood(now, last, most)]
