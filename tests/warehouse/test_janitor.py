"""What the janitor takes and what it leaves."""

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pipeline.errors import NoData, Refused
from pipeline.settings import Night, load_shop
from pipeline.warehouse import fence
from pipeline.warehouse.commit import rollback
from pipeline.warehouse.janitor import GRACE_HOURS, remove, sweep, tidy
from pipeline.warehouse.pins import pin, unpin
from pipeline.warehouse.snapshot import current, history, newest_before, open_snapshot, pinned, verify
from tests.warehouse.conftest import House


def ids(house):
    return [manifest.snapshot for manifest in history(house.root)]


def age(path: Path, hours: float) -> None:
    then = path.stat().st_mtime - hours * 3600
    os.utime(path, (then, then))


def test_an_empty_warehouse(house):
    assert sweep(house.root, keep=3) == []


@pytest.mark.parametrize("keep", [0, 1, 2, 3, 9])
def test_the_last_snapshots_and_the_way_back_stay(house, keep):
    made = [house.publish(day) for day in (1, 2, 3, 4)]
    sweep(house.root, keep)
    assert ids(house) == made[::-1][: max(keep, 2)]
    assert verify(current(house.root)) == []
    assert rollback(house.root).snapshot == made[2]


def test_current_stays_after_a_rollback_and_so_does_a_pin(house):
    first, second, _, last = (house.publish(day) for day in (1, 2, 3, 4))
    rollback(house.root, first)
    pin(house.root, "sale", second)
    removed = sweep(house.root, keep=1)
    assert ids(house) == [last, second, first]
    assert [path.name[:10] for path in removed if path.parent.name == "snapshots"] == ["2020-01-03"]
    assert not any(path.exists() for path in removed)
    unpin(house.root, "sale")
    sweep(house.root, keep=1)
    assert ids(house) == [last, first]


def test_what_is_being_read_stays_whole(house):
    first, second, third, _ = (house.publish(day) for day in (1, 2, 3, 4))
    with pinned(house.root, first) as read:
        assert read.id not in [path.name for path in sweep(house.root, keep=1)]
        assert verify(read) == []
        with pytest.raises(Refused, match="is being read"):
            remove(house.root, [first, third])
        assert third in ids(house)
    assert remove(house.root, [first, second]) == [house.root / "snapshots" / first]
    assert not house.root.joinpath("staging").joinpath(first).exists()
    with pytest.raises(NoData), pinned(house.root, first):
        pass


def test_a_reader_who_comes_as_its_snapshot_goes_reads_another(house, monkeypatch):
    first, second = house.publish(1), house.publish(2)
    rollback(house.root)
    looks = []

    def look(root, named=None):
        looks.append(named)
        found = open_snapshot(root, named)
        if len(looks) == 1:
            rollback(root, second)
            remove(root, [first])
        return found

    monkeypatch.setattr("pipeline.warehouse.snapshot.open_snapshot", look)
    with pinned(house.root) as read:
        assert read.id == second


@pytest.mark.parametrize("how", ["CURRENT", "sale"])
def test_what_is_kept_is_not_removed(house, how):
    first, second = house.publish(1), house.publish(2)
    pin(house.root, "sale", first)
    kept = second if how == "CURRENT" else first
    with pytest.raises(Refused, match=f"{kept} is kept as '{how}'"):
        remove(house.root, [kept])
    assert ids(house) == [second, first]


def test_staging_of_a_live_run_stays_and_of_a_dead_one_goes(house):
    live, dead = house.stage(1, run="live"), house.stage(1, run="dead")
    with fence.alive(house.root, live.folder.name):
        assert sweep(house.root, keep=1, dry=True) == [dead.folder]
        assert sweep(house.root, keep=1) == [dead.folder]
        assert live.tables() and not dead.folder.exists()
    house.commit(live)
    assert current(house.root).manifest.run == "live"
    sweep(house.root, keep=1)
    assert not live.folder.exists() and not (house.root / "runs" / live.folder.name).exists()


def test_between_two_tasks_a_run_is_young(house):
    staging = house.stage(1)
    with fence.enter(house.root, staging.folder.name, "score"):
        pass
    assert sweep(house.root, keep=1, grace_hours=1) == []
    age(staging.folder, 2)
    assert sweep(house.root, keep=1, grace_hours=1) == []
    age(house.root / "runs" / staging.folder.name, 2)
    assert len(sweep(house.root, keep=1, grace_hours=1)) == 2


def test_partial_files_go_unless_a_run_may_be_writing_them(house):
    house.publish(1)
    partial = house.root / ".CURRENT.0a1b2c3d.partial"
    partial.touch()
    with fence.alive(house.root, "2020-01-01-night"):
        assert sweep(house.root, keep=1) == []
        age(partial, GRACE_HOURS + 1)
        assert sweep(house.root, keep=1) == [partial]


# --- all of a shop's files -------------------------------------------------------------------------------------------


@pytest.fixture
def night(tmp_path):
    return Night(load_shop("grocer"), date(2020, 1, 2), tmp_path)


def version(night, model, name, config="{}"):
    folder = night.models / model / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config)
    return folder


def test_models_and_vectors_stay_with_the_snapshots_that_name_them(night):
    house = House(night.warehouse)
    names = {"old": "a" * 12, "kept": "b" * 12, "inner": "c" * 12, "tonight": "d" * 12}
    house.commit(house.stage(1), models={"recommendations": names["kept"]})
    kept = version(night, "recommendations", names["kept"], f'{{"encoder": "{names["inner"]}"}}')
    old = version(night, "recommendations", names["old"])
    inner, tonight = version(night, "encoder", names["inner"]), version(night, "encoder", names["tonight"])
    for name in names.values():
        (night.embeddings / name).mkdir(parents=True)
    night.work.mkdir(parents=True)
    (night.work / "judgement.json").write_text(f'{{"serves": "{names["tonight"]}"}}')
    with fence.alive(night.warehouse, night.work.name):
        gone = tidy(night, grace_hours=0, dry=True)
        assert tidy(night, grace_hours=0) == gone
    assert {old, night.embeddings / names["old"], night.embeddings / names["kept"]} <= {*gone}
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in (kept, inner, tonight, night.work, night.embeddings / names["inner"]))
    tidy(night, grace_hours=0)
    assert not tonight.exists() and not night.work.exists() and inner.exists()


def test_what_a_run_at_work_follows_stays(night):
    house = House(night.warehouse)
    made = [house.publish(day) for day in (1, 2, 3, 4)]
    night.work.mkdir(parents=True)
    (night.work / "start.json").write_text(f'{{"parent": "{made[0]}"}}')
    tidy(night, keep=1)
    assert ids(house) == [made[3], made[2], made[0]]


def test_what_is_young_stays(night):
    young = version(night, "encoder", "e" * 12)
    assert tidy(night) == []
    age(young, GRACE_HOURS + 1)
    assert tidy(night) == [young]


def test_the_settings_say_how_many_stay(night):
    house, shop = House(night.warehouse), night.shop.model_copy(update={"keep_snapshots": 3})
    made = [house.publish(day) for day in (1, 2, 3, 4)]
    tidy(replace(night, shop=shop))
    assert ids(house) == made[:0:-1]


def test_a_swept_day_can_be_published_and_swept_again(house):
    for _ in range(2):
        house.publish(9)
        early = house.publish(3)
        assert newest_before(house.root, house.day(4)).id == early
        remove(house.root, [early])
        assert newest_before(house.root, house.day(4)) is None
