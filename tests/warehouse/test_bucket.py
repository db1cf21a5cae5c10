"""Snapshots in a real S3 server: what its readers see, who loses, what stays, and what a lost answer means."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import CommitStateUnknown, ConfigError, DataError, NoData, Refused, Superseded
from pipeline.warehouse import fence, janitor
from pipeline.warehouse.bucket import Bucket, Move
from pipeline.warehouse.commit import mirror, rollback
from pipeline.warehouse.snapshot import current, log, open_snapshot, pointer, verify
from tests.s3 import Server, client, serve
from tests.warehouse.conftest import House


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def bucket(server: Server) -> Iterator[Bucket]:
    with client(server) as empty:
        yield empty


@pytest.fixture
def house(tmp_path: Path, bucket: Bucket) -> House:
    return House(tmp_path / "warehouse", bucket=bucket)


@pytest.fixture
def elsewhere(tmp_path: Path, bucket: Bucket) -> House:
    """Another machine's warehouse with the same bucket."""
    return House(tmp_path / "elsewhere", bucket=bucket)


def kinds(bucket: Bucket) -> list[str]:
    """What moves were made."""
    names = sorted(bucket._names("moves"))
    return [json.loads(bucket.fs.cat_file(f"{bucket.root}/moves/{name}"))["kind"] for name in names]


def test_a_commit_is_what_readers_elsewhere_see(house: House, bucket: Bucket) -> None:
    first = house.publish(1)
    assert bucket.state().current == first
    assert bucket.manifest() == current(house.root).manifest
    read = pq.read_table(bucket.path("prices"), filesystem=bucket.fs)
    assert read.equals(current(house.root).table("prices"))


def test_the_same_commit_again_changes_nothing(house: House, bucket: Bucket) -> None:
    first = house.publish(1)
    before = bucket.state()
    assert house.publish(1) == first
    assert bucket.state() == before


def test_the_object_store_of_an_old_warehouse_gets_what_is_current(house: House, bucket: Bucket) -> None:
    first = replace(house, bucket=None).publish(1)
    assert mirror(house.root, bucket) == first == bucket.state().current
    assert house.publish(2) == bucket.state().current


def test_a_machine_that_lost_everything_gets_it_back(house: House, elsewhere: House, bucket: Bucket) -> None:
    second = [house.publish(1), house.publish(2)][-1]
    assert mirror(elsewhere.root, bucket) == second == pointer(elsewhere.root)
    assert verify(open_snapshot(elsewhere.root)) == []
    assert log(elsewhere.root)[-1]["kind"] == "mirrored"
    assert elsewhere.publish(3) == bucket.state().current


def test_who_has_not_seen_the_last_move_loses(house: House, elsewhere: House, bucket: Bucket) -> None:
    first = house.publish(1)
    mirror(elsewhere.root, bucket)
    second = elsewhere.publish(2)
    with pytest.raises(Superseded, match="readers see"):
        house.publish(2, price=7.0)
    assert (pointer(house.root), bucket.state().current) == (first, second)
    assert mirror(house.root, bucket) == second
    assert house.publish(2, price=7.0) == bucket.state().current


def test_a_backfill_stands_beside_what_is_current(house: House, bucket: Bucket) -> None:
    third = house.publish(3)
    older = house.publish(1)
    assert bucket.state().current == third
    assert bucket.manifest(older).day == house.day(1)
    assert kinds(bucket) == ["commit", "backfill"]


def test_rollback_moves_both(house: House, elsewhere: House, bucket: Bucket) -> None:
    first, second = house.publish(1), house.publish(2)
    assert rollback(house.root, bucket=bucket).snapshot == first == bucket.state().current
    mirror(elsewhere.root, bucket)
    assert pointer(elsewhere.root) == first
    assert not (elsewhere.root / "snapshots" / second).exists()
    assert rollback(elsewhere.root, second, bucket).snapshot == second == bucket.state().current


def test_pins_and_the_newest_stay(house: House, bucket: Bucket) -> None:
    ids = [house.publish(day) for day in range(1, 7)]
    bucket.pin("kept", ids[0])
    assert bucket.sweep(2, grace_hours=0) == sorted(ids[1:4])
    assert sorted(bucket.state().folders) == sorted([ids[0], *ids[4:]])
    with pytest.raises(NoData, match="no snapshot"):
        bucket.manifest(ids[1])
    bucket.unpin("kept")
    assert bucket.sweep(2, grace_hours=0) == [ids[0]]
    assert bucket.state().current == ids[-1]


def test_what_was_current_a_moment_ago_stays_for_its_readers(house: House, bucket: Bucket) -> None:
    ids = [house.publish(day) for day in range(1, 5)]
    assert bucket.sweep(1, grace_hours=1) == []
    assert sorted(bucket.state().folders) == ids


def test_an_upload_that_never_ended_goes_after_its_grace(house: House, bucket: Bucket) -> None:
    house.publish(1)
    bucket._upload(open_snapshot(house.root))
    assert bucket.sweep(2, grace_hours=1) == []
    assert len(bucket.sweep(2, grace_hours=0)) == 1
    files = {path.removeprefix(bucket.root) for path in bucket.fs.find(bucket.root)}
    folder = bucket.state().folders[bucket.state().current]
    assert {path.rpartition("/")[0] for path in files if "/snapshots/" in path} <= {f"/{folder}", "/snapshots"}


def test_removal_refuses_what_is_kept(house: House, bucket: Bucket) -> None:
    first, second = house.publish(1), house.publish(2)
    bucket.pin("audit", first)
    for kept in (first, second):
        with pytest.raises(Refused, match="is kept as"):
            bucket.remove([kept])
    bucket.unpin("audit")
    assert bucket.remove([first, "2019-01-01-0123456789ab"]) == [first]


class Answers:
    """What becomes of the answer to a put that may create only."""

    def __init__(self, bucket: Bucket, taken: bool) -> None:
        self.put, self.taken = bucket.fs.pipe_file, taken

    def __call__(self, path: str, data: bytes, mode: str = "overwrite") -> None:
        if "/moves/" not in path:
            return self.put(path, data, mode=mode)
        if self.taken:
            self.put(path, data, mode=mode)
        raise TimeoutError("no answer")


def test_a_lost_answer_to_a_move_that_was_taken_is_a_commit(
    house: House, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.publish(1)
    monkeypatch.setattr(bucket.fs, "pipe_file", Answers(bucket, taken=True))
    assert house.publish(2) == bucket.state().current == pointer(house.root)


def test_a_move_that_was_not_taken_is_none(house: House, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    first = house.publish(1)
    with monkeypatch.context() as patch:
        patch.setattr(bucket.fs, "pipe_file", Answers(bucket, taken=False))
        with pytest.raises(OSError, match="not taken"):
            house.publish(2)
    assert bucket.state().current == first == pointer(house.root)
    assert house.publish(2) == bucket.state().current


@pytest.mark.parametrize("taken", [True, False])
def test_unknown_is_resolved_by_the_same_again(
    house: House, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    first, read = house.publish(1), bucket.fs.cat_file
    staging = house.stage(2)

    def deaf(path: str) -> bytes:
        if path.endswith("2.json"):
            raise TimeoutError("no answer")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(bucket.fs, "pipe_file", Answers(bucket, taken))
        patch.setattr(bucket.fs, "cat_file", deaf)
        with pytest.raises(CommitStateUnknown, match="resolves"):
            house.commit(staging, seen=first, parent=first)
    assert pointer(house.root) == first
    again = house.commit(house.stage(2), seen=first, parent=first).snapshot
    assert again == pointer(house.root) == bucket.state().current
    assert kinds(bucket) == ["commit", "commit"]


def test_a_server_that_does_not_answer_is_the_machines_failure(
    server: Server, house: House, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = house.publish(1)
    with server.frozen(), pytest.raises(OSError):
        house.publish(2)
    assert pointer(house.root) == first == bucket.state().current
    assert house.publish(2) == bucket.state().current


def test_a_damaged_object_is_not_brought(house: House, elsewhere: House, bucket: Bucket) -> None:
    house.publish(1)
    path = bucket.path("prices")
    bucket.fs.pipe_file(path, bucket.fs.cat_file(path)[:-3] + b"xyz")
    with pytest.raises(DataError, match="SHA-256"):
        mirror(elsewhere.root, bucket)
    assert pointer(elsewhere.root) is None
    assert not list(elsewhere.root.rglob("*.parquet"))


def test_a_move_nobody_of_us_wrote_is_named(bucket: Bucket) -> None:
    bucket.fs.pipe_file(f"{bucket.root}/moves/0000000001.json", b"[]")
    with pytest.raises(DataError, match=r"moves/0000000001\.json: not readable"):
        bucket.state()


def test_an_overtaken_attempt_moves_nothing(house: House, bucket: Bucket) -> None:
    first = house.publish(1)
    staging = house.stage(2)
    epoch = fence.begin(house.root, "2020-01-02-night")
    with fence.enter(house.root, "2020-01-02-night", "publish", epoch):
        fence.begin(house.root, "2020-01-02-night")
        with pytest.raises(Superseded):
            house.commit(staging)
    assert bucket.state().current == first


def test_a_store_that_overwrites_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    careless = Bucket(f"memory://{tmp_path.name}")
    put = careless.fs.pipe_file
    monkeypatch.setattr(careless.fs, "pipe_file", lambda path, data, mode="overwrite": put(path, data))
    with pytest.raises(ConfigError, match="overwrites what it was asked not to"):
        House(tmp_path / "warehouse", bucket=careless).publish(1)
    assert careless.state() == Move()


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(ConfigError, match="object_store 'never://x'"):
        Bucket("never://x")


def test_the_local_janitor_leaves_the_bucket_alone(house: House, bucket: Bucket) -> None:
    ids = [house.publish(day) for day in range(1, 5)]
    janitor.sweep(house.root, 1)
    assert sorted(bucket.state().folders) == ids
    assert rollback(house.root, ids[0], bucket).snapshot == ids[0]
