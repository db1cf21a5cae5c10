"""The night's intermediate files, and whom a night follows."""

from datetime import date, timedelta
from types import SimpleNamespace

import ibis
import pyarrow as pa
import pytest

from pipeline.contracts.features import SEQUENCES
from pipeline.errors import DataError
from pipeline.learning import lineage
from pipeline.record import JsonRecorder, last_values
from pipeline.settings import Night, load_shop
from pipeline.stages import desk
from pipeline.warehouse import snapshot

DAY = date(2017, 3, 31)


@pytest.fixture
def night(tmp_path):
    return Night(load_shop("grocer"), DAY, tmp_path)


def test_tables_and_facts_come_back_as_they_were_kept(night):
    rows = pa.table({"a": [1, 2], "b": ["x", None]})
    assert desk.write(night, "lines", rows) is rows
    assert desk.read(night, "lines").equals(rows)
    desk.note(night, "facts", {"b": [1.5, None], "a": "x"})
    assert desk.noted(night, "facts") == {"a": "x", "b": [1.5, None]}
    assert sorted(path.name for path in night.work.iterdir()) == ["facts.json", "lines.parquet"]


def test_what_has_a_contract_is_held_to_it(night):
    with pytest.raises(DataError, match="sequence"):
        desk.write(night, "sequences", pa.table({"user_key": ["a"]}), SEQUENCES)
    with pytest.raises(DataError, match="from its first stage"):
        desk.read(night, "sequences")


@pytest.mark.parametrize("open_it", [desk.read, desk.noted])
def test_what_no_stage_wrote_says_what_to_do(night, open_it):
    with pytest.raises(DataError, match="from its first stage"):
        open_it(night, "nothing")


def test_texts_are_distinct_and_in_the_order_of_their_hashes():
    catalogue = pa.table({"text_hash": ["b", "a", "b"], "item_text": ["pears", "apples", "pears"]})
    assert desk.text_index(catalogue) == (["a", "b"], ["apples", "pears"])


def shelf(monkeypatch, *days, current=None, parents=None):
    """Snapshots of these days, oldest first, in place of a warehouse; `current` is the last one unless told."""
    made = [SimpleNamespace(day=day, snapshot=f"{day}-{'0' * 12}", parent=(parents or {}).get(day)) for day in days]
    by_day = {one.day: SimpleNamespace(id=one.snapshot, manifest=one) for one in made}
    now = by_day.get(current or (days[-1] if days else None))
    monkeypatch.setattr(snapshot, "history", lambda root: made[::-1])
    monkeypatch.setattr(snapshot, "current", lambda root: now)
    monkeypatch.setattr(snapshot, "pointer", lambda root: now and now.id)
    monkeypatch.setattr(
        snapshot, "newest_before", lambda root, day: next((by_day[d] for d in reversed(days) if d < day), None)
    )
    return {one.day: one.snapshot for one in made}


def ago(days):
    return DAY - timedelta(days)


def followed(night):
    desk.begin(night)
    return desk.noted(night, "start")["parent"]


def test_the_first_night_follows_none(night, monkeypatch):
    shelf(monkeypatch)
    assert followed(night) is None
    assert desk.parent(night) is None
    assert desk.champion(night, "encoder") is None


def test_a_night_follows_the_current_snapshot(night, monkeypatch):
    ids = shelf(monkeypatch, ago(2), ago(1))
    assert followed(night) == ids[ago(1)]
    assert desk.noted(night, "start")["current"] == ids[ago(1)]


def test_a_night_that_was_rolled_back_is_not_followed(night, monkeypatch):
    ids = shelf(monkeypatch, ago(2), ago(1), current=ago(2))
    assert followed(night) == ids[ago(2)]


def test_a_backfill_follows_the_newest_day_before_it(night, monkeypatch):
    ids = shelf(monkeypatch, ago(2), DAY + timedelta(3))
    assert followed(night) == ids[ago(2)]


def test_a_night_run_again_follows_what_it_followed_the_first_time(night, monkeypatch):
    ids = shelf(monkeypatch, ago(5), ago(1), DAY, parents={DAY: f"{ago(5)}-{'0' * 12}"})
    assert followed(night) == ids[ago(5)]


def test_champions_are_those_of_the_snapshot_followed(night, monkeypatch):
    desk.note(night, "start", {"current": None, "parent": "p"})
    before = SimpleNamespace(manifest=SimpleNamespace(models={"encoder": "e" * 12}))
    monkeypatch.setattr(snapshot, "open_snapshot", lambda root, name: before if name == "p" else None)
    assert desk.champion(night, "encoder") == "e" * 12
    assert desk.champion(night, "audiences") is None and desk.left(night) == {}


def test_a_champion_that_learned_of_who_is_erased_is_left(night, monkeypatch):
    desk.note(night, "start", {"current": None, "parent": "p"})
    served = {"encoder": "e1", "recommendations": "r1"}
    monkeypatch.setattr(snapshot, "open_snapshot", lambda *_: SimpleNamespace(manifest=SimpleNamespace(models=served)))
    for model, version in served.items():
        lineage.note(night.models, f"{model}/{version}", lineage.Lesson(DAY))
    lineage.mark(night.models, ["recommendations/r1"])
    assert desk.champion(night, "encoder") == "e1" and desk.champion(night, "recommendations") is None
    assert desk.left(night) == {"recommendations": "r1"}


def test_who_is_active_is_who_an_event_arrived_of_whenever_it_happened(night, monkeypatch):
    table = {"user_key": ["late", "idle", "today", "late"], "ds": [DAY, ago(1), DAY, ago(3)]}
    monkeypatch.setattr(desk, "landed", lambda *_: ibis.memtable(pa.table(table)))
    assert desk.active_since(night, ago(1)).to_pylist() == ["late", "today"]
    assert desk.active_since(night, DAY).to_pylist() == []
    assert desk.active_since(night, ago(5), ago(1)).to_pylist() == ["idle", "late"]
    monkeypatch.setattr(desk, "landed", lambda *_: None)
    assert desk.active_since(night, ago(1)).to_pylist() == []


def test_a_version_says_what_it_learned_from(night, tmp_path):
    recorder = JsonRecorder(tmp_path / "record")
    desk.tell_lesson(recorder, night, "recommendations", "r2", encoder="e1", recommendations=None)
    assert lineage.known(night.models)["recommendations/r2"] == lineage.Lesson(DAY, ("encoder/e1",))
    lineage.mark(night.models, ["recommendations/r2"])
    desk.tell_lesson(recorder, night, "recommendations", "r3", recommendations="r2")
    assert last_values(recorder.folder, "tags") == {
        "lineage/day": str(DAY), "lineage/parents": "recommendations/r2", "lineage/knew_erased": "true",
    }  # fmt: skip
