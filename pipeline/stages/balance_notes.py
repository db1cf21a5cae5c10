"""What a reviewer asks of the balance, noted in the record: what changed, for whom, why, at what price, by which rule.

Read off the tables as they are staged, no more of them than is told. Not here: those tables (`stages.balance_rows`),
and pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from pipeline import engine
from pipeline.balance.operating_point import WORDS, Chosen
from pipeline.contracts.tables import CAUSES, CHANGE_LEDGER, EXPERIENCE
from pipeline.policy import Policy
from pipeline.record import JsonRecorder
from pipeline.stages.gate import note_json
from pipeline.warehouse.staging import Staging

TOLD = ["user_key", "state", "churn", "voluntary", "forced", "rbo", "rbo_floor", "contradictions", "is_stale"]
SAMPLE = 24  # changes shown, as many of each cause as there are, most telling causes first


@dataclass(frozen=True)
class Night:
    """What the notes are of.

    Attributes:
        staging: the staged experience and ledger.
        connection: an engine to count by.
        points: rows of the operating_point table.
        chosen: tonight's point, and what binds it.
        titles: item names by id.
    """

    staging: Staging
    connection: Backend
    points: Sequence[Mapping[str, Any]]
    chosen: Chosen
    titles: Mapping[str, str]


def leave(night: Night, policy: Policy, recorder: JsonRecorder) -> None:
    """Note it all: figures as metrics, the point and its rule as tags, tables and a sample as one JSON file."""
    staged = (engine.read(night.connection, [night.staging.path(one.name)], one) for one in (CHANGE_LEDGER, EXPERIENCE))
    (serving,) = (row for row in night.points if row["is_chosen"])
    least = policy.audit.least_group
    states = by_state(night.staging.read(EXPERIENCE.name, TOLD).to_pandas())
    lists, changes = (_told(rows, least) for rows in (states, by_cause(*staged)))
    point, reason = night.chosen.point.words, why(night.chosen, replayed=serving["accuracy_ratio"] is not None)
    facts = {
        "point": point,
        "feasible": night.chosen.feasible,
        "binding": list(night.chosen.binding),
        "why": reason,
        "price": night.chosen.price,
        "least_accuracy": policy.bounds.accuracy_lower,
        "points": list(night.points),
        "lists": lists,
        "changes": changes,
        "sample": sample(night.staging, night.titles),
    }
    note_json(recorder, "balance", facts)
    figures = {f"replay/{name}": serving[name] for name in serving if isinstance(serving[name], float)}
    for row in lists:
        figures |= {f"lists/{row['state']}/{name}": value for name, value in row.items() if name != "state"}
    figures |= {f"changes/{row['cause']}": row["items"] for row in changes}
    recorder.metrics({f"balance/{name}": value for name, value in figures.items() if value is not None})
    rules = ", ".join(night.chosen.binding) or "none"
    recorder.tags({"balance/point": point, "balance/binding": rules, "balance/why": reason})


def why(chosen: Chosen, *, replayed: bool) -> str:
    """Why the balance stands where it does, in a sentence."""
    if not replayed:
        return "No baseline yet: nothing was replayed, so the point is the policy's first one, or last night's"
    rules = " and ".join(WORDS[name] for name in chosen.binding)
    if not chosen.feasible:
        return f"No point in reach keeps every bound, so last night's stays; it breaks: {rules}"
    return f"The calmest point in reach that keeps every bound; a calmer one is not taken because {rules}"


def by_state(experience: pd.DataFrame) -> list[dict[str, Any]]:
    """Lists, how many changed, and how alike they are to last night's, by what their users did since."""
    rows = []
    for state, some in experience.groupby("state"):
        was_there = state != "new"
        rows.append(
            {
                "state": str(state),
                "lists": len(some),
                "users": int(some["user_key"].nunique()),
                "changed": int((some["churn"].fillna(0) > 0).sum()) if was_there else None,
                "voluntary": int(some["voluntary"].sum()),
                "forced": int(some["forced"].sum()),
                "overlap": float(some["rbo"].mean()) if was_there else None,
                "least_above_floor": _least(some["rbo"] - some["rbo_floor"]),
                "contradictions": int(some["contradictions"].sum()),
                "stale": int(some["is_stale"].sum()),
            }
        )
    return rows


def by_cause(ledger: ir.Table, experience: ir.Table) -> list[dict[str, Any]]:
    """What entered lists, by cause: items, users, and the surfaces they are on."""
    states = experience.select("user_key", "surface", "state")
    entered = ledger.filter(ledger.change == "entered").left_join(states, ["user_key", "surface"])
    users = entered.group_by("change_cause").agg(users=entered.user_key.nunique()).to_pyarrow().to_pandas()
    users = users.set_index("change_cause")["users"]
    counts = entered.group_by("change_cause", "surface", "state").agg(items=entered.count()).to_pyarrow().to_pandas()
    return [
        {
            "cause": cause,
            "items": int(some["items"].sum()),
            "users": int(users[cause]),
            "surfaces": _sums(some, "surface"),
            "states": _sums(some, "state"),
        }
        for cause in CAUSES
        if len(some := counts[counts["change_cause"] == cause])
    ]


def sample(staging: Staging, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """A few changes of each cause, the same for the same ledger: what entered or left, where, and why in words."""
    cause = staging.read(CHANGE_LEDGER.name, ["change_cause"]).column("change_cause")
    code = np.asarray(pc.index_in(cause, pa.array(CAUSES)))
    there = [np.flatnonzero(code == one) for one in np.unique(code)]
    each = SAMPLE // max(len(there), 1)
    chosen = np.concatenate([np.zeros(0, np.int64), *(one[:: max(1, len(one) // each)][:each] for one in there)])
    in_file = np.sort(chosen)
    told = _rows_at(staging.path(CHANGE_LEDGER.name), in_file)
    numbers = dict[str, int]()
    return [
        {
            # By a number of this page: no part of a key, by which somebody could be looked up.
            "user": f"user {numbers.setdefault(row['user_key'], len(numbers) + 1)}",
            "surface": row["surface"],
            "item": titles.get(row["item_id"]) or row["item_id"],
            "change": row["change"],
            "from": row["rank_before"],
            "to": row["rank_now"],
            "cause": row["change_cause"],
            "reason": row["reason"],
        }
        for row in (told[at] for at in np.searchsorted(in_file, chosen))
    ]


def _rows_at(path: Path, places: np.ndarray) -> list[dict[str, Any]]:
    """Rows of a file by their ascending numbers, of which only the row groups that have some are read."""
    rows: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as file:
        ends = np.cumsum([file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)])
        for number in np.unique(np.searchsorted(ends, places, side="right")).tolist():
            group = file.read_row_group(number)
            here = places - (ends[number] - len(group))
            rows += group.take(pa.array(here[(here >= 0) & (here < len(group))])).to_pylist()
    return rows


def _told(rows: Sequence[dict[str, Any]], least: int) -> list[dict[str, Any]]:
    """Rows about enough users to be told of."""
    return [row for row in rows if row["users"] >= least]


def _sums(counts: pd.DataFrame, column: str) -> dict[str, int]:
    return {str(name): int(items) for name, items in counts.groupby(column)["items"].sum().items()}


def _least(spare: "pd.Series[float]") -> float | None:
    known = spare.dropna()
    return float(known.min()) if len(known) else None
