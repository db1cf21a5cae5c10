"""The uplift column is filled where a campaign kept to its hold-out, and empty where it contacted everybody."""

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES, AD_EXPERIMENTS
from pipeline.features.history import Items
from pipeline.features.responses import NAMES, Campaign, Contacts, Lines, day_number
from pipeline.learning import champions
from pipeline.models.audiences import ResponseModel
from pipeline.privacy.floors import is_holdout
from pipeline.privacy.keys import VARIABLE
from pipeline.settings import Night, load_shop
from pipeline.stages import desk
from pipeline.stages import score_audiences as stage
from pipeline.warehouse.staging import Staging

DAY, SHARE, USERS = date(2017, 3, 31), 0.2, 3000
TODAY, START = day_number(DAY), day_number(DAY) - 25
KEYS = pa.array([f"{n:032x}" for n in range(USERS)])
KEPT, SPOILED, NEW = "kept", "spoiled", "new"
GOODS = {KEPT: 0, SPOILED: 1, NEW: 2}


def campaign(name):
    return Campaign(name, name, "A", START - 1, TODAY + 30, np.array([GOODS[name]]), "")


@pytest.fixture
def night(tmp_path, monkeypatch):
    """Contacts of `kept` sell its goods to users of a trait; `spoiled` contacted its hold-out, too; `new` begins."""
    monkeypatch.setenv(VARIABLE, "5a" * 32)
    shop = load_shop("grocer")
    audiences = shop.audiences.model_copy(update={"holdout_share": SHARE})
    night = Night(shop.model_copy(update={"audiences": audiences}), DAY, tmp_path)
    draw, salt = np.random.default_rng(0), stage.holdout_salt(night)
    trait = draw.random(USERS) < 0.5
    held = {name: np.array(is_holdout(KEYS, name, SHARE, salt).to_pylist()) for name in GOODS}
    sends = {KEPT: np.flatnonzero(~held[KEPT]), SPOILED: np.arange(USERS)}
    bought = {KEPT: draw.random(USERS) < 0.1 + 0.4 * trait * ~held[KEPT], SPOILED: draw.random(USERS) < 0.2}
    users, items = (
        np.concatenate([np.flatnonzero(one) for one in bought.values()]),
        np.repeat([0, 1], [*map(sum, bought.values())]),
    )
    none = np.zeros(len(users), np.int64)
    sent = np.concatenate([*sends.values()])
    features = np.zeros((USERS, len(NAMES)))
    features[:, NAMES.index("baskets_90d")] = trait
    enrolled = pa.concat_tables(
        pa.table(
            [
                pa.array([name] * USERS), KEYS, pa.array(held[name]), pa.array([1 - SHARE] * USERS),
                pa.array([DAY - timedelta(25)] * USERS),
            ],
            AD_EXPERIMENTS.schema,
        )
        for name in (KEPT, SPOILED)
    )  # fmt: skip
    row = {"campaign_kind": "A", "starts_on": DAY - timedelta(26), "ends_on": DAY + timedelta(30)}
    inputs = SimpleNamespace(
        night=night, today=TODAY, campaigns=[campaign(name) for name in GOODS],
        campaign_rows=pa.Table.from_pylist([{"campaign_id": name, "campaign_name": name, **row} for name in GOODS]),
        contacts=Contacts(
            np.repeat([*sends], [len(one) for one in sends.values()]).astype(object), sent,
            np.full(len(sent), START + 1), np.zeros(len(sent), bool),
        ),
        lines=Lines(KEYS, users, items, np.full(len(users), START + 5), none, none),
        features=lambda *_: features,
        ranking=SimpleNamespace(space=Items(pa.array(["a", "b", "c"]), *[np.ones(3, bool)] * 2, np.zeros(3, int))),
    )  # fmt: skip
    width = len(NAMES) + 1
    weights = np.full(width, 0.01)
    model = ResponseModel(
        ["A"],
        np.zeros(width),
        np.ones(width),
        weights,
        -1.0,
        np.linspace(0, 1, 21),
        np.tile(np.r_[weights, -1.0], (5, 1)),
    )
    before = SimpleNamespace(manifest=SimpleNamespace(tables=[AD_EXPERIMENTS.name]), table=lambda name: enrolled)
    monkeypatch.setattr(stage, "ResponseInputs", lambda night, encoder: inputs)
    version = champions.keep(night.models, "audiences", lambda folder: model.save(folder, "e"))
    monkeypatch.setattr(stage.consenting, "users", lambda night, *flags: (KEYS, KEYS))
    monkeypatch.setattr(desk, "parent", lambda night: before)
    desk.note(night, "judgement", {"audiences": {"serves": version, "why": "better"}})
    desk.note(night, "measured-audiences", {"value_cents": 500.0})
    return night


def test_uplift_is_filled_where_contacts_kept_to_the_hold_out_and_empty_with_a_reason_elsewhere(night):
    staging = Staging.open(night.warehouse, DAY, "night", fresh=True)
    facts = stage.run(night, staging, lambda *_: None)
    rows, told, enrolled = (staging.read(one.name) for one in (AD_AUDIENCES, AD_AUDIENCE_SUMMARY, AD_EXPERIMENTS))
    summary = {row["campaign_id"]: row for row in told.to_pylist()}
    kept = rows.filter(pc.equal(rows.column("campaign_id"), KEPT))
    assert len(kept) > 2000
    assert kept.column("uplift").null_count == 0
    assert pc.max(kept.column("uplift")).as_py() == pytest.approx(0.4, abs=0.1)
    assert pc.min(kept.column("uplift")).as_py() == pytest.approx(0.0, abs=0.1)
    assert summary[KEPT]["measured_uplift_low"] < 0.2 < summary[KEPT]["measured_uplift_high"]
    assert facts["metrics"]["uplift/qini_low"] > 0
    others = rows.filter(pc.not_equal(rows.column("campaign_id"), KEPT))
    assert others.column("uplift").null_count == len(others)
    assert "users held out were contacted" in summary[SPOILED]["uplift_reason"]
    assert set(enrolled.column("campaign_id").to_pylist()) >= {KEPT, SPOILED}
    if summary[NEW]["is_published"]:
        assert "drawn tonight" in summary[NEW]["uplift_reason"]
        mine = enrolled.filter(pc.equal(enrolled.column("campaign_id"), NEW))
        assert set(mine.column("enrolled_on").to_pylist()) == {DAY}
    assert facts["rows"] == {"ad_audiences": len(rows), "ad_audience_summary": 3, "ad_experiments": len(enrolled)}


def test_a_refused_model_leaves_enrolments_as_they_are(night):
    desk.note(night, "judgement", {"audiences": {"serves": None, "why": "too weak"}})
    staging = Staging.open(night.warehouse, DAY, "night", fresh=True)
    facts = stage.run(night, staging, lambda *_: None)
    assert facts["rows"] == {"ad_audiences": 0, "ad_audience_summary": 0, "ad_experiments": 2 * USERS}
    assert "too weak" in facts["empty"]
