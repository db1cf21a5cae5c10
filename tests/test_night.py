"""Whole nights of a small grocer: published, repeated to the bit, carried on, refused.

One module-wide fixture runs the nights in order; each test reads what one of them left.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from pyarrow.dataset import dataset

from pipeline import gates, nightly, tracking
from pipeline.contracts.tables import TABLES
from pipeline.errors import NoData, Refused
from pipeline.explain import AUDIENCE_WORDS
from pipeline.features.responses import NAMES
from pipeline.learning import lineage
from pipeline.privacy.keys import VARIABLE
from pipeline.record import RUNS, last_values, read_notes
from pipeline.settings import Night, load_shop
from pipeline.stages import features, promised, why
from pipeline.warehouse import snapshot
from pipeline.warehouse.manifest import Manifest

pytestmark = pytest.mark.slow

DAY = date(2017, 3, 31)
NEXT = DAY + timedelta(1)
TEMPLATE = "grocer"
# The grocer hands over neither reviews nor documents nor dialogues.
UNREVIEWED = {"review_sentiment", "item_sentiment", "shop_documents", "open_questions"}


def trial_shop(folder: Path, checkpoint: Path) -> str:
    """The grocer with 300 households, few steps and thresholds that let every model through; its file."""
    raw = load_shop(TEMPLATE).model_dump(mode="json")
    raw.update(name="trial", max_users=300, min_history_days=30, threads=1)
    raw["encoder"].update(
        checkpoint=f"path:{checkpoint}", item_text="{category}", max_tokens=16, trained_layers=1, pairs=200,
        judged_pairs=100,
    )  # fmt: skip
    raw["encoder"]["training"].update(steps=3, warm_steps=2, batch_size=8, eval_steps=2)
    raw["recommender"].update(width=16, history=32, negatives=64, candidates=60, trees=20)
    raw["recommender"]["training"].update(steps=5, warm_steps=3, eval_steps=3)
    raw["cart"].update(min_together=3)
    raw["policy"]["replay"].update(users=60)
    raw["policy"]["grid"] = {
        "calibration": [0.1], "distil": [0.5], "budget_idle": [1, 2], "budget_active": [5], "pinned_idle": [3],
    }  # fmt: skip
    raw["audiences"].update(min_evaluation_sends=10)
    raw["thresholds"] = {
        "recommendations_min_ndcg_gain": -1,
        "recommendations_max_champion_loss": 1,
        "encoder_min_recall_gain": -1,
        "audiences_min_auc_gain": -1,
        "audiences_max_calibration_error": 1,
    }
    path = folder / "trial.yaml"
    path.write_text(yaml.safe_dump(raw))
    return str(path)


def impossible(folder: Path, suite: str) -> Path:
    """The expectations, but for one suite that asks for a billion rows."""
    copied = Path(shutil.copytree(gates.folder(), folder / f"impossible-{suite}"))
    rows = {
        "type": gates.ROW_COUNT, "kwargs": {"min_value": 10**9}, "severity": "critical", "meta": {"why": "a test"},
    }  # fmt: skip
    (copied / f"{suite}.json").write_text(json.dumps({"name": suite, "meta": {}, "expectations": [rows]}))
    return copied


@dataclass
class Nights:
    """What the nights left.

    Attributes:
        first: in one home.
        other: the same date in another home, of the shop with users at rest and models that are not trained at once.
        manifests: by what was run.
        errors: the refusals.
        pointers: what CURRENT named at moments of interest.
        summaries: what the stages of the first night returned.
        page: its report.
        steps: (stage, item, ...) as the first night's progress told.
    """

    first: Night
    other: Night
    manifests: dict[str, Manifest] = field(default_factory=dict)
    errors: dict[str, Refused] = field(default_factory=dict)
    pointers: dict[str, str | None] = field(default_factory=dict)
    summaries: dict[str, Any] = field(default_factory=dict)
    page: str = ""
    steps: list[tuple[Any, ...]] = field(default_factory=list)

    def now(self, night: Night) -> Manifest:
        opened = snapshot.current(night.warehouse)
        assert opened is not None
        return opened.manifest


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Iterator[Nights]:
    base = tmp_path_factory.mktemp("nights")
    shop = load_shop(trial_shop(base, tiny_bert))
    fresh = {part: getattr(shop, part).model_copy(update={"fresh_share": 0.5}) for part in ("encoder", "recommender")}
    rests = shop.model_copy(update={"policy": shop.policy.model_copy(update={"rest_nights": 6}), **fresh})
    first, other = Night(shop, DAY, base / "home"), Night(rests, DAY, base / "other")
    out = Nights(first, other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "5a" * 32)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        out.summaries = nightly.run_night(first, progress=lambda *told: out.steps.append(told))
        out.page = Path(out.summaries["report"]["report"]).read_text(encoding="utf-8")
        out.manifests["first"] = out.now(first)
        nightly.run_night(other, last="answers")
        patch.setenv("SHOPKEEL_EXPECTATIONS", str(impossible(base, "recommendations")))
        with pytest.raises(Refused) as refused:
            nightly.run_night(other, first="audit", last="publish")
        out.errors["audit"] = refused.value
        out.pointers["after the refused audit"] = snapshot.pointer(other.warehouse)
        patch.delenv("SHOPKEEL_EXPECTATIONS")
        with pytest.raises(Refused) as refused:
            nightly.run_stage(other, "publish")
        out.errors["publish"] = refused.value
        nightly.run_night(other, first="audit", last="publish")
        out.manifests["other"] = out.now(other)
        nightly.run_night(replace(other, day=NEXT), last="publish")
        out.manifests["rested"] = out.now(other)

        nightly.run_night(replace(first, day=NEXT), last="publish")
        out.manifests["next"] = out.now(first)

        patch.setenv("SHOPKEEL_EXPECTATIONS", str(impossible(base, "feed_events")))
        with pytest.raises(Refused) as refused:
            nightly.run_night(replace(first, day=NEXT + timedelta(1)))
        out.errors["ingest"] = refused.value
        out.pointers["after the refused ingest"] = snapshot.pointer(first.warehouse)
    yield out
    shutil.rmtree(base, ignore_errors=True)


def published(nights: Nights, name: str, which: str = "first") -> pa.Table:
    return snapshot.open_snapshot(nights.first.warehouse, nights.manifests[which].snapshot).table(name)


# --- one night -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["first", "next"])
def test_every_table_is_published_as_its_contract_says(nights, which):
    opened = snapshot.open_snapshot(nights.first.warehouse, nights.manifests[which].snapshot)
    assert snapshot.verify(opened) == []
    assert set(opened.manifest.tables) == set(TABLES)
    for name in TABLES:
        rows = published(nights, name, which)
        assert rows.schema.equals(TABLES[name].schema), name
        assert TABLES[name].enforce(rows).equals(rows), name
        assert bool(len(rows)) == (name not in UNREVIEWED and (name, which) != ("change_ledger", "first")), name


def test_everybody_gets_full_lists_without_repeats(nights):
    rows = published(nights, "recommendations")
    users = published(nights, "user_profiles").column("user_key")
    sizes = {name: surface.size for name, surface in nights.first.shop.policy.surfaces.items()}
    by_list: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for row in rows.to_pylist():
        by_list.setdefault((row["user_key"], row["surface"]), []).append((row["rank"], row["item_id"]))
    assert {user for user, _ in by_list} == set(users.to_pylist())
    for (_user, surface), entries in by_list.items():
        assert [rank for rank, _ in entries] == list(range(1, len(entries) + 1))
        assert len(entries) == sizes[surface] if surface in ("home", "email", "ad") else len(entries) <= sizes[surface]
        assert len({item for _, item in entries}) == len(entries)


def test_email_leaves_out_what_was_just_bought(nights):
    lines = pq.read_table(nights.first.work / "lines.parquet")
    assert pc.max(lines.column("ds")).as_py() <= DAY
    rested = DAY - timedelta(nights.first.shop.policy.surfaces["email"].rest_days)
    fresh = lines.filter(pc.greater(lines.column("ds"), rested))
    bought = set(zip(fresh.column("user_key").to_pylist(), fresh.column("item_id").to_pylist(), strict=True))
    rows = published(nights, "recommendations")
    rows = rows.filter(pc.and_(pc.equal(rows.column("surface"), "email"), pc.invert(rows.column("is_fallback"))))
    shown = set(zip(rows.column("user_key").to_pylist(), rows.column("item_id").to_pylist(), strict=True))
    assert len(shown) > 100
    assert not shown & bought


def test_the_night_after_keeps_what_it_may_and_says_why_it_changes_the_rest(nights):
    first, rows = published(nights, "experience"), published(nights, "experience", "next")
    assert set(first.column("state").to_pylist()) == {"new"}
    frame, ledger = rows.to_pandas(), published(nights, "change_ledger", "next").to_pandas()
    old = frame[frame.state != "new"]
    assert set(old.state) == {"idle", "active"}
    assert (old.voluntary <= old.budget).all()
    assert (old.rbo.fillna(1) >= old.rbo_floor.fillna(0) - 1e-6).all()
    assert old[old.state == "idle"].rbo.mean() > old[old.state == "active"].rbo.mean() > 0.3
    assert not frame.contradictions.any()
    assert len(published(nights, "change_ledger")) == 0
    assert set(ledger.change_cause) <= {"forced", "user", "data", "model", "explore"}


def test_audiences_are_of_live_campaigns_and_worth_their_cost(nights):
    rows, summary = published(nights, "ad_audiences"), published(nights, "ad_audience_summary")
    assert len(rows)
    assert all(ends >= DAY for ends in summary.column("ends_on").to_pylist())
    assert pc.min(rows.column("expected_value_cents")).as_py() > 0
    held = pc.mean(rows.column("is_holdout").cast(pa.float64())).as_py()
    assert held == pytest.approx(nights.first.shop.audiences.holdout_share, abs=0.04)
    for row in summary.to_pylist():
        mine = rows.filter(pc.equal(rows.column("campaign_id"), row["campaign_id"]))
        contacted = mine.filter(pc.invert(mine.column("is_holdout")))
        assert row["size"] == len(contacted) if row["is_published"] else not len(mine)
        if row["is_published"]:
            assert row["expected_responses"] == pytest.approx(pc.sum(contacted.column("propensity")).as_py(), abs=0.01)


def test_promises_recounted_some_users_at_a_time_are_those_of_all_at_once(nights):
    opened = snapshot.open_snapshot(nights.first.warehouse, nights.manifests["first"].snapshot)
    tables = {name: dataset(opened.path(name)) for name in TABLES}
    whole, parts = (promised.frame(nights.first, tables, [], users) for users in (10**6, 100))
    assert parts.equals(whole)
    assert sum(whole.column("cases").to_pylist()) > 10_000 and sum(whole.column("violations").to_pylist()) == 0


def test_run_status_accounts_for_every_table(nights):
    rows = {row["table_name"]: row for row in published(nights, "run_status").to_pylist()}
    assert set(rows) == {*TABLES} - {"run_status"}
    assert rows["change_ledger"]["status_reason"] == "no list changed since the night before"
    assert {rows[name]["status"] for name in UNREVIEWED} == {"no_input"}
    for name in set(TABLES) - UNREVIEWED - {"run_status", "change_ledger"}:
        assert (rows[name]["status"], rows[name]["rows"]) == ("produced", len(published(nights, name)))


def test_people_stand_in_tables_by_keyed_hash_only(nights):
    raw = pq.read_table(nights.first.work / "lines.parquet").column_names
    assert "user_id" not in raw
    for name in ("recommendations", "ad_audiences", "user_profiles"):
        keys = published(nights, name).column("user_key")
        assert pc.all(pc.match_substring_regex(keys, "^[0-9a-f]{32}$")).as_py()


def test_the_record_tells_the_whole_night(nights):
    night = nights.first
    tags = last_values(night.record, "tags")
    assert (tags["status"], tags["snapshot"]) == ("published", nights.manifests["first"].snapshot)
    mapped = [(stage.name, item) for stage in nightly.STAGES for item in stage.over or ("",)]
    expected = {f"{name}-{item}" if item else name for name, item in mapped}
    assert set(nights.summaries) == expected
    assert json.loads(json.dumps(nights.summaries)) is not None
    assert nights.manifests["first"].snapshot in nights.page
    assert all(name in nights.page for name in TABLES)
    assert nights.summaries["report"]["mlflow_run"]
    for name in expected - {"report"}:  # of the run without a report stage
        facts = last_values(night.record / RUNS / name, "tags")
        assert facts["status"] == "done", name
        assert last_values(night.record / RUNS / name, "metrics")["stage/seconds"] >= 0


def test_an_item_is_explained_from_what_was_published_and_what_was_read(nights, monkeypatch):
    night, published_id = nights.first, nights.manifests["first"].snapshot
    monkeypatch.setenv(VARIABLE, "5a" * 32)
    pinned = snapshot.open_snapshot(night.warehouse, published_id)
    rows = pinned.table("recommendations").to_pylist()
    shown = next(row for row in rows if row["surface"] == "home" and row["reason"].startswith("You bought it"))
    told = why.of_item(night, pinned, shown["user_key"], shown["item_id"], 3)
    assert shown in told.shown and told.words == shown["reason"]
    found = told.shares
    assert found.rank > 0 and len(told.players) == 3
    assert found.shares.values.sum() == pytest.approx(found.shares.whole - found.shares.none)
    monkeypatch.setattr(features, "READ", ("nothing",))  # as if the night's own files were gone
    again = why.of_item(night, pinned, shown["user_key"], shown["item_id"], 3)
    np.testing.assert_allclose(again.shares.shares.values, found.shares.values)
    assert again.parts == told.parts and not replace(night, run=why.RUN).work.exists()
    with pytest.raises(NoData, match="not in the catalogue"):
        why.of_item(night, pinned, shown["user_key"], "no such item", 3)
    stranger = why.of_item(night, pinned, "0" * 32, shown["item_id"], 3)
    assert stranger.shares is None and stranger.shown == []


def test_a_contact_is_explained_by_what_adds_to_its_chance(nights, monkeypatch):
    monkeypatch.setenv(VARIABLE, "5a" * 32)
    pinned = snapshot.open_snapshot(nights.first.warehouse, nights.manifests["first"].snapshot)
    row = pinned.table("ad_audiences").to_pylist()[0]
    told = why.of_campaign(nights.first, pinned, row["user_key"], row["campaign_id"], 3)
    assert told.shown == [row] and set(told.adds) == set(NAMES)
    most = max(told.adds, key=lambda name: told.adds[name])
    assert AUDIENCE_WORDS[most].lower() in row["reason"].lower()
    assert told.shares.values.sum() == pytest.approx(told.shares.whole - told.shares.none)
    assert told.shares.whole == pytest.approx(np.log(told.chance / (1 - told.chance)))


def test_every_model_says_what_it_learned_from(nights):
    told = lineage.known(nights.first.models)
    for name, version in nights.manifests["next"].models.items():
        assert f"{name}/{version}" in told
    served = nights.manifests["next"].models
    lesson = told[f"recommendations/{served['recommendations']}"]
    assert lesson.day == NEXT and f"encoder/{served['encoder']}" in lesson.parents and not lesson.knew_erased


def test_what_moves_a_place_and_a_contact_is_told(nights):
    for stage, features_told in {"balance": "personal/slow.log", "fine_tune-audiences": NAMES[0]}.items():
        path = nights.first.record / RUNS / stage / "files" / "importance.json"
        moved = json.loads(path.read_text())
        assert features_told in moved and min(moved.values()) >= 0 < max(moved.values())


def test_progress_names_every_stage_in_order(nights):
    begun = [told for told in nights.steps if len(told) == 2]
    assert begun == [(stage.name, item) for stage in nightly.STAGES for item in stage.over or (None,)]
    counted = [told for told in nights.steps if len(told) == 4]
    assert all(0 < done <= total for _stage, _item, done, total in counted)
    assert {stage for stage, *_ in counted} == {stage.name for stage in nightly.STAGES}


# --- the same night elsewhere ----------------------------------------------------------------------------------------


def test_in_another_home_every_file_is_the_same_to_the_byte(nights):
    one, two = nights.manifests["first"], nights.manifests["other"]
    assert {name: table.sha256 for name, table in two.tables.items()} == {
        name: table.sha256 for name, table in one.tables.items()
    }
    assert two.models == one.models


# --- the night after -------------------------------------------------------------------------------------------------


def test_the_next_night_follows_and_carries_the_champion_on(nights):
    before, after = nights.manifests["first"], nights.manifests["next"]
    assert (after.day, after.parent) == (NEXT, before.snapshot)
    runs = replace(nights.first, day=NEXT).record / RUNS
    params = {}
    for note in read_notes(runs / "fine_tune-recommendations"):
        params |= note["values"] if note["kind"] == "params" else {}
    assert params["recommender.champion"] == before.models["recommendations"]
    assert params["training.warm"] is True
    measured = last_values(runs / "fine_tune-recommendations", "metrics")
    assert measured["ndcg/champion@10"] > 0
    encoders = last_values(runs / "encoder", "metrics")
    assert "recall/champion@10" in encoders
    assert np.isfinite(list(measured.values())).all()


def test_idle_users_at_rest_keep_their_lists_and_others_are_ranked(nights):
    night = replace(nights.other, day=NEXT)
    resting = set(pq.read_table(night.work / "at-rest.parquet").column("user_key").to_pylist())
    assert last_values(night.record / RUNS / "judge", "metrics")["users/at_rest"] == len(resting) > 50
    before, now = (
        snapshot.open_snapshot(night.warehouse, nights.manifests[which].snapshot) for which in ("other", "rested")
    )
    measured = now.table("experience").to_pandas()
    mine = measured[measured.user_key.isin(resting)]
    assert set(mine.state) == {"idle"} and not mine.voluntary.any() and not mine.contradictions.any()
    stood = mine[mine.forced == 0]
    assert len(stood) > 0.8 * len(mine)
    assert set(stood.unchanged_nights) == {1} and (stood.rbo == 1).all()
    assert measured[measured.state == "active"].voluntary.sum() > 0
    lists = set(zip(stood.user_key, stood.surface, strict=True))
    old, new = ({key: row for key, row in places_of(one).items() if key[:2] in lists} for one in (before, now))
    assert old.keys() == new.keys() and len(old) > 1000
    assert all(one[:2] == new[key][:2] and new[key][3] == "kept" for key, one in old.items())
    told = {(one[2], new[key][2]) for key, one in old.items()}
    assert all(then.split(", last")[0] == now.split(", last")[0] for then, now in told if then.startswith("You bought"))
    assert any(then != now for then, now in told if then.startswith("You bought"))
    assert resting & set(now.table("ad_placements").column("user_key").to_pylist())


def test_models_to_which_little_has_come_serve_on_untrained(nights):
    before, after = nights.manifests["other"], nights.manifests["rested"]
    assert all(after.models[name] == before.models[name] for name in ("encoder", "recommendations"))
    assert after.models["recommendations"] != nights.manifests["next"].models["recommendations"]
    runs = replace(nights.other, day=NEXT).record / RUNS
    why = last_values(runs / "judge", "tags")["verdict/recommendations/why"]
    assert "over" in why and "more purchases have come since one was taught" in why
    measured = last_values(runs / "fine_tune-recommendations", "metrics")
    assert measured["ndcg/fused@10"] > 0 and "ndcg/champion@10" not in measured
    noted = [note["values"] for note in read_notes(runs / "fine_tune-recommendations") if note["kind"] == "params"]
    assert noted and not any(name.startswith("training") for values in noted for name in values)


def places_of(opened):
    """Item, score, reason and cause by user, surface and rank of every list of a snapshot."""
    facts = ("item_id", "score", "reason", "change_cause")
    carts = opened.table("cart_recommendations").to_pandas().query("context == 'basket'")
    lists = opened.table("recommendations").to_pandas()
    both = [
        zip(lists.user_key, lists.surface, lists["rank"], *(lists[name] for name in facts), strict=True),
        zip(carts.context_id, ["cart"] * len(carts), carts["rank"], *(carts[name] for name in facts), strict=True),
    ]
    return {row[:3]: row[3:] for rows in both for row in rows}


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_gate_that_refuses_the_snapshot_lets_no_reader_see_it(nights):
    assert "recommendations" in str(nights.errors["audit"])
    assert nights.pointers["after the refused audit"] is None
    assert "audit did not pass" in str(nights.errors["publish"])


def test_a_refused_night_leaves_the_last_snapshot_and_says_why(nights):
    assert nights.pointers["after the refused ingest"] == nights.manifests["next"].snapshot
    night = replace(nights.first, day=NEXT + timedelta(1))
    tags = last_values(night.record, "tags")
    assert (tags["status"], tags["failed_stage"]) == ("refused", "ingest")
    assert "feed_events" in tags["error"]
    assert last_values(night.record / RUNS / "ingest", "tags")["status"] == "failed"
    assert (night.record / "report.html").exists()


@pytest.mark.parametrize("day", [date(2016, 12, 31), date(2018, 1, 1)])
def test_a_date_without_data_says_which_dates_have_some(nights, tmp_path, monkeypatch, day):
    monkeypatch.setattr(tracking, "ship", lambda night: None)
    with pytest.raises(NoData, match="2017-01-01 to 2017-12-31"):
        nightly.run_night(replace(nights.first, day=day, home=tmp_path))
