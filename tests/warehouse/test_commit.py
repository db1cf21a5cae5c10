"""The conflict matrix: who may move CURRENT, what a repeated or overtaken commit does, and the way back."""

import errno
import os
import shutil
import time
from dataclasses import replace
from itertools import count

import pytest

from pipeline.errors import CommitStateUnknown, DataError, NoData, Refused, Superseded
from pipeline.warehouse import durable
from pipeline.warehouse.commit import rollback
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.snapshot import current, history, log, newest_before, open_snapshot, pointer, verify
from pipeline.warehouse.staging import Staging


def moves(house) -> list[tuple]:
    """The log without its numbers, which must count up."""
    entries = log(house.root)
    assert [entry["sequence"] for entry in entries] == list(range(1, len(entries) + 1))
    return [(entry["kind"], entry["from"], entry["to"]) for entry in entries]


def test_a_commit_is_what_readers_see(house):
    staging = house.stage(1)
    facts = staging.tables()
    manifest = house.commit(staging, models={"ranker": "v7"})
    seen = current(house.root)
    assert seen.manifest == manifest
    assert (manifest.tables, manifest.models, manifest.run, manifest.parent) == (facts, {"ranker": "v7"}, "night", None)
    assert verify(seen) == []
    assert seen.table("prices").column("item").to_pylist() == ["a", "b", "c"]
    assert moves(house) == [("commit", None, manifest.snapshot)]


def test_without_a_verdict_nothing_is_published(house):
    first = house.publish(1)
    with pytest.raises(Refused, match="audit did not pass"):
        house.commit(house.stage(2), passed=False)
    assert pointer(house.root) == first
    assert len(history(house.root)) == 1


def test_a_missing_table_is_named(house):
    with pytest.raises(DataError, match="no table forecasts, layouts; run"):
        house.commit(house.stage(1), tables=("prices", "layouts", "forecasts"))
    assert pointer(house.root) is None


def test_what_an_attempt_left_that_died_at_work_is_not_published(house):
    staging = house.stage(1)
    (staging.path("users").parent / ".manifest.json.0123abcd.partial").write_text("half")
    assert verify(open_snapshot(house.root, house.commit(staging).snapshot)) == []


@pytest.mark.parametrize("harm", ["cut", "remove"])
def test_a_staged_file_that_is_not_as_written_is_not_published(house, harm):
    staging = house.stage(1)
    path = staging.path("users")
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.unlink()
    with pytest.raises(DataError, match=r"users\.parquet: missing or not of"):
        house.commit(staging)
    assert history(house.root) == []


def test_an_overtaken_run_is_superseded_and_its_rerun_is_not(house):
    seen = house.publish(1)
    slow = house.stage(2, price=5.0, run="slow")
    fast = house.publish(2, price=6.0, run="fast")
    with pytest.raises(Superseded, match=f"CURRENT moved from {seen} to {fast}"):
        house.commit(slow, seen=seen)
    assert pointer(house.root) == fast
    assert house.commit(slow).snapshot == pointer(house.root) != fast


def test_committing_again_changes_nothing(house):
    seen = house.publish(1)
    staging = house.stage(2)
    first = house.commit(staging)
    before = house.files(), log(house.root)
    assert house.commit(staging, seen=seen) == first
    assert house.commit(house.stage(2, run="other"), seen=seen) == first
    assert (house.files(), log(house.root)) == before


def test_a_backfill_is_published_beside_and_never_moves_current(house):
    house.publish(1)
    seen = house.publish(5)
    backfill = house.stage(3, price=3.0)
    latest = house.publish(6)
    beside = house.commit(backfill, seen=seen).snapshot
    assert pointer(house.root) == latest
    assert open_snapshot(house.root, beside).table("prices").column("price").to_pylist() == [2.0, 3.0, None]
    assert newest_before(house.root, house.day(4)).id == beside
    assert moves(house)[-1] == ("backfill", latest, latest)
    house.commit(house.stage(3, price=3.0))
    assert len(log(house.root)) == 4


def test_the_later_of_two_backfills_of_a_day_is_its_newest(house):
    house.publish(9)
    prices = [1.0, 2.0, 3.0, 4.0]
    for price in prices:
        beside = house.publish(3, price)
        assert newest_before(house.root, house.day(4)).id == beside
    assert [manifest.day.day for manifest in history(house.root)] == [9, 3, 3, 3, 3]


def test_rollback_goes_to_the_parent_and_back_again(house):
    first, second, third = (house.publish(day) for day in (1, 2, 3))
    assert rollback(house.root).snapshot == second == pointer(house.root)
    assert rollback(house.root).snapshot == first
    with pytest.raises(NoData, match="nothing to roll back to"):
        rollback(house.root)
    assert rollback(house.root, third).snapshot == third == current(house.root).id
    rollback(house.root, third)
    assert moves(house)[3:] == [("rollback", third, second), ("rollback", second, first), ("rollback", first, third)]


def test_a_rollback_supersedes_the_run_under_way(house):
    house.publish(1)
    seen = house.publish(2)
    staging = house.stage(3)
    rollback(house.root)
    with pytest.raises(Superseded):
        house.commit(staging, seen=seen)


def test_the_rolled_back_day_can_be_published_again(house):
    house.publish(1)
    second = house.publish(2)
    rollback(house.root)
    assert house.publish(2) == second == pointer(house.root)


@pytest.mark.parametrize("to", ["2020-01-07-0123456789ab", "../staging", "yesterday"])
def test_rollback_to_nowhere_names_the_choices(house, to):
    first = house.publish(1)
    with pytest.raises(NoData, match=f"no snapshot {to}; choose one of {first}"):
        rollback(house.root, to)
    assert pointer(house.root) == first


def test_rollback_refuses_a_damaged_snapshot(house):
    first, second = house.publish(1), house.publish(2)
    (house.root / "snapshots" / first / "prices.parquet").unlink()
    with pytest.raises(DataError, match="table prices is missing"):
        rollback(house.root)
    assert pointer(house.root) == second


def test_rollback_of_nothing(house):
    with pytest.raises(NoData, match="nothing is published yet"):
        rollback(house.root)


def test_a_damaged_snapshot_is_mended_by_its_remedy(house):
    first = house.publish(1)
    folder = house.root / "snapshots" / first
    (folder / "prices.parquet").unlink()
    with pytest.raises(DataError, match=f"delete {folder} and run its date again"):
        current(house.root)
    shutil.rmtree(folder)
    assert house.publish(1) == first == current(house.root).id
    assert current(house.root).manifest.parent is None


def test_a_disk_that_fails_at_the_pointer_leaves_it_unknown_and_a_rerun_settles_it(house, monkeypatch):
    seen = house.publish(1)
    staging = house.stage(2)

    def fails(folder):
        if folder == house.root:
            raise OSError("no answer from the disk")

    with monkeypatch.context() as patched:
        patched.setattr(durable, "sync", fails)
        with pytest.raises(CommitStateUnknown, match="run the same date again"):
            house.commit(staging, seen=seen)
    settled = house.commit(staging, seen=seen).snapshot
    assert pointer(house.root) == settled
    assert moves(house)[-1] == ("recovered", seen, settled)


def failing(monkeypatch, call: str, nth: int) -> list[str]:
    """Have the nth of these system calls fail; the list fills with the steps begun by then."""
    real, calls, begun = getattr(os, call), count(1), []

    def fails(*words, **named):
        if next(calls) == nth:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*words, **named)

    monkeypatch.setattr(os, call, fails)
    monkeypatch.setattr(durable, "reached", begun.append)
    return begun


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_anywhere_says_whether_the_commit_is_unknown_and_a_rerun_is_the_same(house, call):
    beside = replace(house, root=house.root.with_name("undisturbed"))
    ends = []
    for each in (beside, house):
        seen = each.publish(1)
        staging = each.stage(2)
    wanted = beside.commit(beside.stage(2)).snapshot
    for nth in count(1):
        shutil.rmtree(trial := house.root.with_name("trial"), ignore_errors=True)
        shutil.copytree(house.root, trial)
        here = replace(house, root=trial)
        staging = Staging.open(trial, house.day(2), "night")
        with pytest.MonkeyPatch.context() as patch:
            begun = failing(patch, call, nth)
            try:
                here.commit(staging, seen=seen, parent=seen)
                break
            except (OSError, CommitStateUnknown) as error:
                unknown = isinstance(error, CommitStateUnknown)
        assert unknown == (f"after-{Step.SNAPSHOT}" in begun), (nth, begun)
        assert verify(open_snapshot(trial, seen)) == []
        assert unknown or pointer(trial) == seen
        assert here.commit(staging, seen=seen, parent=seen).snapshot == wanted == pointer(trial)
        assert here.files() == beside.files()
        assert [move[1:] for move in moves(here)] == [move[1:] for move in moves(beside)]
        ends.append(unknown)
    assert {*ends} == {False, True}
    assert len(ends) >= {"fsync": 8, "replace": 4}[call]


def race(house, nights: list[tuple]) -> list[str]:
    """Nights in processes of their own, staged first and let go at once; how each ended."""
    gate = house.root / "go"
    gate.unlink(missing_ok=True)
    runners = [house.process(*night, gate) for night in nights]
    ready = [house.root / f"ready-{run}" for _, _, run in nights]
    deadline = time.monotonic() + 60
    while not all(path.exists() for path in ready):
        assert time.monotonic() < deadline
        assert all(runner.poll() is None for runner in runners), [runner.communicate() for runner in runners]
        time.sleep(0.01)
    gate.touch()
    ends = [runner.communicate(timeout=60) for runner in runners]
    assert [runner.returncode for runner in runners] == [0] * len(nights), ends
    for path in ready:
        path.unlink()
    return [out.strip() for out, _ in ends]


def test_of_runs_that_differ_exactly_one_wins(house):
    house.publish(1)
    for day in (2, 3):
        ends = race(house, [(day, price, f"run{price}") for price in (1, 2, 3)])
        assert sorted(ends) == ["committed", "superseded", "superseded"]
        assert current(house.root).manifest.run == f"run{ends.index('committed') + 1}"
    assert len(log(house.root)) == 3


def test_runs_that_agree_publish_once(house):
    house.publish(1)
    assert race(house, [(2, 1, "one"), (2, 1, "two"), (2, 1, "three")]) == ["committed"] * 3
    assert (len(history(house.root)), len(log(house.root))) == (2, 2)


def test_an_orphan_that_wakes_after_its_retry_changes_nothing(house):
    """Both are one run's task: the orphan has staged and stands still, the retry does it all."""
    seen, gate = house.publish(1), house.root / "go"
    orphan = house.process(2, 5.0, "night", gate)
    while not (house.root / "ready-night").exists():
        assert orphan.poll() is None, orphan.communicate()
        time.sleep(0.01)
    retry = house.process(2, 6.0, "night")
    assert retry.communicate(timeout=60)[0].strip() == "committed"
    before = house.files(), log(house.root)
    gate.touch()
    assert orphan.communicate(timeout=60)[0].strip() == "superseded"
    assert (house.files(), log(house.root)) == before
    assert [move["to"] for move in log(house.root)] == [seen, pointer(house.root)]


def test_one_run_started_by_many_at_once_moves_current_once(house):
    seen = house.publish(1)
    runners = [house.process(2, 5.0, "night") for _ in range(6)]
    ends = [runner.communicate(timeout=60) for runner in runners]
    assert {runner.returncode for runner in runners} == {0}, ends
    said = [out.strip() for out, _ in ends]
    assert {*said} <= {"committed", "superseded"} and "committed" in said
    assert [move["to"] for move in log(house.root)] == [seen, pointer(house.root)]


def test_a_backfill_beside_a_nightly_does_not_hold_it_up(house):
    house.publish(5)
    assert race(house, [(6, 1, "night"), (3, 1, "backfill")]) == ["committed", "committed"]
    assert current(house.root).manifest.day == house.day(6)


def test_publishing_again_after_the_commit_finds_the_outcome(house):
    house.publish(1)
    manifest = house.commit(house.stage(2))
    reopened = Staging.open(house.root, house.day(2), "night")
    assert house.commit(reopened) == manifest
