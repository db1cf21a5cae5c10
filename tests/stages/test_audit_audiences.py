"""A night whose staged audiences break their promise is refused."""

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.dataset import dataset

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES
from pipeline.errors import Refused
from pipeline.privacy.floors import is_holdout
from pipeline.privacy.keys import VARIABLE
from pipeline.settings import Night, load_shop
from pipeline.stages import audit_audiences as stage

KEYS = [f"{n:032x}" for n in range(150)]


@pytest.fixture
def night(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "5a" * 32)
    monkeypatch.setattr(stage.desk, "parent", lambda night: None)
    monkeypatch.setattr(stage.consenting, "users", lambda night, *flags: (pa.array(KEYS), pa.array(KEYS)))
    return Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)


def frames(night, keys):
    drawn = is_holdout(pa.array(keys), "18", night.shop.audiences.holdout_share, stage.holdout_salt(night)).to_pylist()
    planned = [not held for held in drawn]
    rows = {"campaign_id": ["18"] * len(keys), "user_key": keys, "is_holdout": drawn, "is_planned": planned}
    told = {
        "campaign_id": ["18"], "is_published": [True], "size": [drawn.count(False)], "planned": [sum(planned)],
        "budget_cents": [None], "spent_cents": [0.0], "cost_per_contact_cents": [5.0],
    }  # fmt: skip
    return {AD_AUDIENCES.name: dataset(pa.table(rows)), AD_AUDIENCE_SUMMARY.name: dataset(pa.table(told))}


def judge(night, keys):
    stage.require(stage.breaches_of(night, frames(night, keys)))


def test_the_promise_has_its_row(night):
    kept, broken = (stage.finding(frames(night, KEYS), found) for found in ([], ["audience 18: too few"]))
    assert (kept.cases, kept.violations, broken.violations) == (1, 0, 1)
    none = stage.finding({AD_AUDIENCE_SUMMARY.name: dataset(pa.table({"campaign_id": pa.array([], pa.string())}))}, [])
    assert (none.cases, none.sentence) == (0, "No input: no campaign is live.")


def test_a_promise_kept_lets_the_night_go_on(night):
    judge(night, KEYS)


@pytest.mark.parametrize("keys", [KEYS[:99], [*KEYS, "f" * 32]], ids=["too few", "without consent"])
def test_a_promise_broken_refuses_the_night(night, keys):
    with pytest.raises(Refused, match=r"audience 18: .* from score"):
        judge(night, keys)


def test_last_night_is_looked_at(night, monkeypatch):
    last = night.home / "audiences.parquet"
    pq.write_table(frames(night, KEYS[:-1])[AD_AUDIENCES.name].to_table(), last)
    before = SimpleNamespace(manifest=SimpleNamespace(tables=[AD_AUDIENCES.name]), path=lambda name: last)
    monkeypatch.setattr(stage.desk, "parent", lambda night: before)
    with pytest.raises(Refused, match="18 of last night: 1 users are in one of them alone"):
        judge(night, KEYS)


def test_contacts_under_the_cap_are_counted_from_the_feed(night, monkeypatch):
    sends = [(KEYS[0], "send", 31), (KEYS[0], "send", 1), (KEYS[0], "response", 31), (KEYS[1], "send", 2)]
    rows = [{"user_key": key, "contact_kind": kind, "ds": date(2017, 3, day)} for key, kind, day in sends]
    feed = ibis.memtable(pa.Table.from_pylist(rows))
    monkeypatch.setattr(stage.desk, "landed", lambda *_: feed)
    shop = night.shop.model_copy(
        update={"audiences": night.shop.audiences.model_copy(update={"contact_cap": 2, "contact_days": 30})}
    )
    room = stage._room(replace(night, shop=shop))
    assert [room[key] for key in KEYS[:3]] == [1, 1, 2]
    assert stage._room(night) is None
