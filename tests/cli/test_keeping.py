"""Commands about what stays."""

import pytest

from pipeline.warehouse.snapshot import history


@pytest.fixture
def ids(home):
    return lambda: [manifest.snapshot for manifest in history(home / "grocer" / "warehouse")]


def test_a_pin_keeps_a_snapshot_from_gc_until_it_is_unpinned(shopkeel, publish, ids):
    first, second, third, fourth = (publish(f"2017-11-0{day}").snapshot for day in (1, 2, 3, 4))
    assert f"sale  {first}" in shopkeel("pin", "--name", "sale", first).stdout
    result = shopkeel("gc", "--keep", 1)
    assert (result.exit_code, result.stdout) == (0, f"warehouse/snapshots/{second}\n1 removed\n")
    assert ids() == [fourth, third, first]
    assert first in shopkeel("unpin", "--name", "sale").stdout
    assert shopkeel("gc", "--keep", 1).exit_code == 0
    assert ids() == [fourth, third]


def test_a_dry_run_removes_nothing(shopkeel, publish, ids):
    made = [publish(f"2017-11-0{day}").snapshot for day in (1, 2, 3)]
    result = shopkeel("gc", "--keep", 1, "--dry-run")
    assert result.stdout == f"warehouse/snapshots/{made[0]}\n1 would be removed\n"
    assert ids() == made[::-1]


def test_what_dead_runs_left_goes_when_it_is_old_enough(shopkeel, publish, home):
    publish("2017-11-01")
    left = home / "grocer" / "work" / "2017-11-01-night"
    left.mkdir(parents=True)
    shopkeel("gc")
    assert left.exists()
    assert "work/2017-11-01-night" in shopkeel("gc", "--grace-hours", 0).stdout
    assert not left.exists()


@pytest.mark.parametrize("words", [("pin", "2017-11-01-0123456789ab"), ("unpin", "--name", "sale")])
def test_what_is_not_there_is_said(shopkeel, publish, words):
    publish("2017-11-30")
    result = shopkeel(*words)
    assert result.exit_code == 4
    assert "choose one of" in result.stderr
