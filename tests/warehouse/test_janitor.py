"""What the janitor takes and what it leaves."""

import pytest

from pipeline.warehouse.commit import rollback
from pipeline.warehouse.janitor import sweep
from pipeline.warehouse.snapshot import current, history, newest_before, verify


def test_an_empty_warehouse(house):
    assert sweep(house.root, keep=3) == []


@pytest.mark.parametrize("keep", [0, 1, 3, 9])
def test_the_last_snapshots_and_current_stay(house, keep):
    ids = [house.publish(day) for day in (1, 2, 3, 4)]
    sweep(house.root, keep)
    left = [manifest.snapshot for manifest in history(house.root)]
    assert left == ids[::-1][: max(keep, 1)]
    assert verify(current(house.root)) == []


def test_current_stays_after_a_rollback_and_so_does_a_pin(house):
    first, second, _, last = (house.publish(day) for day in (1, 2, 3, 4))
    rollback(house.root, first)
    removed = sweep(house.root, keep=1, pinned={second})
    assert [manifest.snapshot for manifest in history(house.root)] == [last, second, first]
    assert [path.name[:10] for path in removed if path.parent.name == "snapshots"] == ["2020-01-03"]
    assert not any(path.exists() for path in removed)


def test_live_staging_stays_and_leaked_staging_goes(house):
    live, dead = house.stage(1, run="live"), house.stage(1, run="dead")
    assert sweep(house.root, keep=1, live={live.folder.name}) == [dead.folder]
    assert live.tables() and not dead.folder.exists()
    house.commit(live)
    assert current(house.root).manifest.run == "live"


def test_a_swept_day_can_be_published_and_swept_again(house):
    for _ in range(2):
        house.publish(9)
        early = house.publish(3)
        assert newest_before(house.root, house.day(4)).id == early
        sweep(house.root, keep=1)
        assert newest_before(house.root, house.day(4)) is None
