"""How the last night ended, in two small files beside the warehouse, for readers that know neither Airflow nor MLflow.

`last_night.json` says day, run, status, failed stage, error and the snapshot that readers have; `run_status.parquet`
what each table holds, in the published table's columns. Not here: the night's page (`night`).
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contracts.tables import RUN_STATUS, TABLES
from pipeline.record import last_values
from pipeline.settings import Night
from pipeline.tables import run_status
from pipeline.warehouse import durable, snapshot
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.snapshot import Snapshot

FILE, TABLE = "last_night.json", "run_status.parquet"
FAILED = ("failed", "refused")


def leave(night: Night) -> None:
    """Write both files for a night that has ended, by its record; a night of an earlier day is no news to readers."""
    noted = last_values(night.record, "tags")
    status = noted.get("status", "unknown")
    failure = noted if status in FAILED else {}  # an earlier attempt of the run may have failed
    with durable.locked(night.warehouse):
        told = read(night.root)
        if told and told["day"] > str(night.day):
            return
        current = snapshot.current(night.warehouse)
        facts = {
            "day": str(night.day),
            "run": night.run,
            "status": status,
            "failed_stage": failure.get("failed_stage"),
            "error": failure.get("error"),
            "snapshot": current.id if current else None,
        }
        partial = night.root / f".{TABLE}.partial"
        pq.write_table(RUN_STATUS.enforce(_rows(facts, current)), partial)
        durable.move(partial, night.root / TABLE, Step.LOG)
        durable.put(night.root / FILE, json.dumps(facts, indent=1) + "\n", Step.LOG)


def read(root: Path) -> dict[str, Any]:
    """What `last_night.json` says; empty before the first night ended.

    Args:
        root: the shop's folder.
    """
    path = root / FILE
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return facts


def in_words(facts: dict[str, Any]) -> str:
    """How the night ended, in one sentence."""
    if facts["failed_stage"] is None:
        return f"{facts['status']} {facts['snapshot']}"
    error = " ".join(facts["error"].split())
    keep = f"readers keep {facts['snapshot']}" if facts["snapshot"] else "nothing is published yet"
    return f"{facts['status']} at {facts['failed_stage']}: {error}; {keep}"


def _rows(facts: dict[str, Any], current: Snapshot | None) -> pa.Table:
    if current is None:
        why = in_words(facts)
        names = [name for name in TABLES if name != RUN_STATUS.name]
        return run_status.rows(dict.fromkeys(names, 0), {}, dict.fromkeys(names, why), ())
    last = current.table(RUN_STATUS.name)
    return last if facts["failed_stage"] is None else run_status.kept(last, in_words(facts))
