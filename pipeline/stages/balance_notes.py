"""What a reviewer asks of the balance, noted in the record: what changed, for whom, why, at what price, by which rule.

Read off the tables as they are staged. Not here: those tables (`stages.balance_rows`), and pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline.balance.operating_point import WORDS, Chosen
from pipeline.contracts.tables import CAUSES
from pipeline.policy import Policy
from pipeline.record import JsonRecorder
from pipeline.stages.gate import note_json

SAMPLE = 24  # changes shown, as many of each cause as there are, most telling causes first


@dataclass(frozen=True)
class Night:
    """What the notes are of.

    Attributes:
        experience: rows of the table.
        ledger: rows of the table.
        points: rows of the operating_point table.
        chosen: tonight's point, and what binds it.
        titles: item names by id.
    """

    experience: pa.Table
    ledger: pa.Table
    points: Sequence[Mapping[str, Any]]
    chosen: Chosen
    titles: Mapping[str, str]


def leave(night: Night, policy: Policy, recorder: JsonRecorder) -> None:
    """Note it all: figures as metrics, the point and its rule as tags, tables and a sample as one JSON file."""
    experience = night.experience.to_pandas()
    entered = night.ledger.to_pandas().query("change == 'entered'")
    (serving,) = (row for row in night.points if row["is_chosen"])
    least = policy.audit.least_group
    lists, changes = (_told(rows, least) for rows in (by_state(experience), by_cause(entered, experience)))
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
        "sample": sample(night.ledger.to_pandas(), night.titles),
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


def by_cause(entered: pd.DataFrame, experience: pd.DataFrame) -> list[dict[str, Any]]:
    """What entered lists, by cause: items, users, and the surfaces they are on."""
    states = experience.set_index(["user_key", "surface"])["state"]
    known = entered.join(states, on=["user_key", "surface"])
    rows = []
    for cause in CAUSES:
        some = known[known["change_cause"] == cause]
        if len(some):
            surfaces = some["surface"].value_counts()
            rows.append(
                {
                    "cause": cause,
                    "items": len(some),
                    "users": int(some["user_key"].nunique()),
                    "surfaces": {str(name): int(count) for name, count in sorted(surfaces.items())},
                    "states": {str(name): int(count) for name, count in sorted(some["state"].value_counts().items())},
                }
            )
    return rows


def sample(ledger: pd.DataFrame, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """A few changes of each cause, the same for the same ledger: what entered or left, where, and why in words."""
    causes = [cause for cause in CAUSES if (ledger["change_cause"] == cause).any()]
    each = SAMPLE // max(len(causes), 1)
    rows, numbers = [], dict[str, int]()
    for cause in causes:
        some = ledger[ledger["change_cause"] == cause]
        step = max(1, len(some) // each)
        for row in some.iloc[::step].head(each).to_dict("records"):
            rows.append(
                {
                    # By a number of this page: no part of a key, by which somebody could be looked up.
                    "user": f"user {numbers.setdefault(row['user_key'], len(numbers) + 1)}",
                    "surface": row["surface"],
                    "item": titles.get(row["item_id"]) or row["item_id"],
                    "change": row["change"],
                    "from": _rank(row["rank_before"]),
                    "to": _rank(row["rank_now"]),
                    "cause": cause,
                    "reason": row["reason"],
                }
            )
    return rows


def _told(rows: Sequence[dict[str, Any]], least: int) -> list[dict[str, Any]]:
    """Rows about enough users to be told of."""
    return [row for row in rows if row["users"] >= least]


def _rank(value: float | None) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def _least(spare: "pd.Series[float]") -> float | None:
    known = spare.dropna()
    return float(known.min()) if len(known) else None
