"""What is noted of the balance, and that a reviewer finds it on the night's page and on the run's page of MLflow."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import engine
from pipeline.balance.operating_point import Measured, choose, facts
from pipeline.balance.point import Point
from pipeline.contracts.tables import CHANGE_LEDGER, EXPERIENCE
from pipeline.policy import load_policy
from pipeline.record import FILES, RUNS, JsonRecorder, last_values
from pipeline.reports import night as page
from pipeline.settings import Night, load_shop
from pipeline.stages import balance_notes
from pipeline.stages.gate import note_json
from pipeline.tracking import note
from pipeline.warehouse.staging import Staging

DEFAULT = load_policy("default")
POLICY = DEFAULT.model_copy(update={"audit": DEFAULT.audit.model_copy(update={"least_group": 1})})
CALM, LIVELY = Point(0.0, 0.5, 0, 5, 3), Point(0.0, 0.5, 1, 5, 3)
KEYS = [f"{user:032x}" for user in range(0xABC00000, 0xABC00003)]


def list_row(user: int, surface: str, state: str, **given: Any) -> dict[str, Any]:
    calm = {
        "list_size": 20, "budget": 1, "pinned": 3, "voluntary": 0, "forced": 0, "voluntary_by_night": [0] * 7,
        "voluntary_7d": 0, "unchanged_nights": 1, "is_stale": False, "rbo": 1.0, "rbo_floor": 0.9, "churn": 0.0,
        "coherence": 0.8, "calibration_kl": 2.0, "contradictions": 0,
    }  # fmt: skip
    return {"user_key": KEYS[user], "surface": surface, "state": state} | calm | given


def change(user: int, surface: str, item: str, cause: str, why: str, **ranks: int) -> dict[str, Any]:
    entered = "rank_now" in ranks
    row = {"user_key": KEYS[user], "surface": surface, "item_id": item, "change": "entered" if entered else "left"}
    return row | {"rank_before": None, "rank_now": None} | ranks | {"change_cause": cause, "reason": why}


@pytest.fixture
def noted(tmp_path: Path) -> Night:
    """A night whose balance left its notes."""
    experience = [
        list_row(0, "home", "idle"),
        list_row(0, "email", "idle", voluntary=1, churn=0.1, rbo=0.95),
        list_row(1, "home", "active", voluntary=2, forced=1, churn=0.15, rbo=0.7, rbo_floor=None),
        list_row(2, "home", "new", rbo=None, rbo_floor=None, churn=None),
    ]
    ledger = [
        change(0, "email", "i1", "model", "Tonight's model | puts it higher.", rank_now=4),
        change(0, "email", "i2", "model", "Made place for one.", rank_before=4),
        change(1, "home", "i1", "user", "You shopped since the last night.", rank_now=2),
        change(1, "home", "i3", "user", "You shopped since the last night.", rank_now=5),
    ]
    replayed = [
        Measured(LIVELY, 0.998, 0.992, 0.95, 0.7, 2.0, (0.9, 1.1), 0.01, 0.9),
        Measured(CALM, 0.985, 0.98, 1.0, 0.7, 2.0, (0.9, 1.1), 0.01, 0.9),
    ]
    chosen = choose(replayed, LIVELY, POLICY.bounds)
    night = Night(load_shop("grocer"), date(2017, 11, 30), tmp_path)
    JsonRecorder(night.record, fresh=True).tags({"status": "published", "provenance": "made up"})
    staging = Staging.open(night.warehouse, night.day, night.run)
    staging.write(EXPERIENCE, pa.Table.from_pylist(experience, EXPERIENCE.schema))
    staging.write(CHANGE_LEDGER, pa.Table.from_pylist(ledger, CHANGE_LEDGER.schema))
    balance_notes.leave(
        balance_notes.Night(
            staging,
            engine.connect(1),
            facts(replayed, chosen, POLICY.bounds),
            chosen,
            {"i1": "Milk | whole", "i2": "Bread"},
        ),
        POLICY,
        JsonRecorder(night.record / RUNS / "balance"),
    )
    return night


def test_who_saw_how_much_change_is_counted_by_what_they_did(noted: Night) -> None:
    facts = json.loads((noted.record / RUNS / "balance" / FILES / "balance.json").read_text())
    lists = {row["state"]: row for row in facts["lists"]}
    idle, active, new = lists["idle"], lists["active"], lists["new"]
    assert (idle["users"], idle["lists"], idle["changed"], idle["voluntary"]) == (1, 2, 1, 1)
    assert idle["overlap"] == pytest.approx(0.975)
    assert idle["least_above_floor"] == pytest.approx(0.05)
    assert (active["forced"], active["least_above_floor"]) == (1, None)
    assert (new["changed"], new["overlap"]) == (None, None)
    changes = {row["cause"]: row for row in facts["changes"]}
    assert (changes["user"]["items"], changes["user"]["users"]) == (2, 1)
    assert changes["user"]["states"] == {"active": 2}
    assert changes["model"]["surfaces"] == {"email": 1}
    assert len(facts["sample"]) == 4
    assert facts["sample"][0] | {"reason": ""} == {
        "user": "user 1", "surface": "home", "item": "Milk | whole", "change": "entered", "from": None, "to": 2,
        "cause": "user", "reason": "",
    }  # fmt: skip
    assert not any(key in json.dumps(facts) for key in KEYS)
    assert {row["user"] for row in facts["sample"]} == {"user 1", "user 2"}


def test_rows_are_found_by_their_numbers_in_whichever_row_group(tmp_path: Path) -> None:
    rows = pa.table({"number": range(23)})
    pq.write_table(rows, tmp_path / "rows", row_group_size=5)
    for places in ([0, 4, 5, 22], [12], [], list(range(23))):
        found = balance_notes._rows_at(tmp_path / "rows", np.array(places, np.int64))
        assert [row["number"] for row in found] == places


def test_few_users_are_not_told_of(noted: Night) -> None:
    facts = json.loads((noted.record / RUNS / "balance" / FILES / "balance.json").read_text())
    assert balance_notes._told(facts["lists"], 2) == [] and len(balance_notes._told(facts["lists"], 1)) == 3


def test_price_and_rule_are_metrics_and_tags(noted: Night) -> None:
    folder = noted.record / RUNS / "balance"
    metrics, tags = last_values(folder, "metrics"), last_values(folder, "tags")
    assert metrics["balance/replay/price_of_consistency"] == pytest.approx(0.002)
    assert metrics["balance/lists/idle/overlap"] == pytest.approx(0.975)
    assert metrics["balance/changes/user"] == 2
    assert tags["balance/binding"] == "accuracy"
    assert "as accurate as the free ones" in tags["balance/why"]


def test_the_run_page_says_what_changed_for_whom_why_at_what_price_and_which_rule_bound(noted: Night) -> None:
    page.render(noted)
    said = note.note(noted, {"status": "published"})
    for words in (
        "Price of consistency: **0.20% of NDCG@10 in the replay**",
        "Binding: **accuracy**",
        "| idle (1) | 2 | 1 | 1 | 0 | 0.975 | 0 |",
        "| user | 2 | 1 | 0, 2 |",
        "Milk / whole",
        "You shopped since the last night.",
        "`plots/front.png`",
    ):
        assert words in said
    assert all(line.count(" | ") == 4 for line in said.splitlines() if line.startswith("| `"))


def test_the_night_page_says_it_too(noted: Night) -> None:
    text = page.render(noted).read_text(encoding="utf-8")
    assert "What changed in lists, and why" in text
    assert "<strong>0.20%</strong>" in text
    assert "Did nothing since last night" in text or "did nothing since last night" in text
    assert "The user&#39;s own new events" in text or "The user's own new events" in text
    assert "Consistency against accuracy" in text
    assert "Milk | whole" in text


def test_promises_and_causes_told_apart_stand_on_both_pages(noted: Night) -> None:
    runs = noted.record / RUNS
    promised = [
        {"promise": "G1_changes", "cases": 1200, "violations": 0, "worst": 0.0, "sentence": "Few <changes> a night."},
        {"promise": "G5_contract", "cases": 34, "violations": 2, "worst": 1.0, "sentence": "No surface contradicts."},
        {"promise": "G3_week", "cases": 0, "violations": 0, "worst": 0.0, "sentence": "No baseline."},
    ]
    note_json(JsonRecorder(runs / "audit"), "promises", promised)
    note_json(JsonRecorder(runs / "balance"), "attribution", {"idle": {"model": [0.1, 0.05, 0.15]}})
    JsonRecorder(runs / "balance").tags({"balance/attribution": "the free home lists of 200 users"})
    text = page.render(noted).read_text(encoding="utf-8")
    for words in (
        "G1 changes", ">kept<", "1,200", "Few &lt;changes&gt; a night.", ">broken<", ">no case<",
        "told apart on the free home lists of 200 users.", "What makes lists change",
    ):  # fmt: skip
        assert words in text, words
    said = note.note(noted, {"status": "published"})
    assert "Promises: broken: **G5_contract**, in 1,234 cases; without a case: G3_week." in said
    assert "`plots/attribution.png`" in said
    note_json(JsonRecorder(runs / "audit"), "promises", promised[:1])
    assert "Promises: 1 kept, in 1,200 cases." in note.note(noted, {"status": "published"})


def test_a_night_without_a_replay_says_no_baseline() -> None:
    chosen = choose([], LIVELY, POLICY.bounds)
    assert "No baseline yet" in balance_notes.why(chosen, replayed=False)
    broken = [Measured(LIVELY, 0.9, 0.8, 0.95, 0.7, 2.0, (0.9, 1.1), 0.01, 0.9)]
    assert "last night's stays" in balance_notes.why(choose(broken, LIVELY, POLICY.bounds), replayed=True)
