"""A bucket in a real S3 server whose committers are killed at every step, or come eight at once."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Superseded
from pipeline.warehouse import bucket as buckets
from pipeline.warehouse.bucket import Bucket
from pipeline.warehouse.commit import mirror
from pipeline.warehouse.failpoints import VARIABLE as FAILPOINT
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.snapshot import open_snapshot, pointer, verify
from tests.chaos.conftest import Matrix, counts
from tests.chaos.processes import begin, end, helper
from tests.s3 import Server, client, serve
from tests.warehouse.conftest import House, steps

LOST, WON = 3, 0  # exit codes of a committer
COMMITTERS = 8
STEPS = [Step.MANIFEST, Step.SNAPSHOT, *[Step.UPLOAD] * 3, Step.MOVE, Step.POINTER, Step.LOG, Step.REMOVAL]
PLACES = [
    f"{when}-{step}#{STEPS[: number + 1].count(step)}"
    for number, step in enumerate(STEPS)
    for when in ("before", "after")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def children() -> Any:
    return helper()


def test_every_step_of_the_bucket_is_killed_at() -> None:
    assert set(steps(Path(buckets.__file__))) <= set(STEPS)


def night(root: Path, uri: str, environment: dict[str, str], day: int, price: float) -> None:
    """A night on one machine: look what readers see, stage, commit, sweep the bucket."""
    os.environ |= environment
    house = House(root, bucket=Bucket(uri))
    seen = mirror(root, house.bucket)
    staging = house.stage(day, price)
    _commit(house, staging, seen)
    house.bucket.sweep(1, grace_hours=0)


def commit(root: Path, uri: str, environment: dict[str, str], day: int, price: float, go: Any) -> None:
    """Commit when the others do."""
    os.environ |= environment
    house = House(root, bucket=Bucket(uri))
    staging, seen = house.stage(day, price), pointer(root)
    go.wait()
    _commit(house, staging, seen)


def _commit(house: House, staging: Any, seen: str | None) -> None:
    try:
        house.commit(staging, seen=seen, parent=seen)
    except Superseded:
        os._exit(LOST)


def read(bucket: Bucket, folder: Path) -> str:
    """What a reader gets, each byte checked."""
    now = bucket.state().current
    assert now
    shutil.rmtree(folder, ignore_errors=True)
    bucket.fetch(now, folder)
    return now


def test_killed_at_any_step_readers_see_the_old_or_the_new(
    matrix: Matrix, server: Server, children: Any, tmp_path: Path
) -> None:
    survived, places = 0, PLACES[:: counts(5, 1)]
    try:
        for number, place in enumerate(places):
            with client(server) as bucket:
                house = House(tmp_path / str(number), bucket=bucket)
                old = [house.publish(1), house.publish(2)][-1]
                given = (house.root, bucket.uri, server.environment)
                killed = children.Process(target=night, args=(*given[:2], given[2] | {FAILPOINT: place}, 3, 1.0))
                assert end(begin(killed)) == -signal.SIGKILL, place
                seen = read(bucket, tmp_path / "read")
                assert end(begin(children.Process(target=night, args=(*given, 3, 1.0)))) == WON, place
                new = read(bucket, tmp_path / "read")
                assert seen in (old, new) and new != old, place
                assert pointer(house.root) == new and verify(open_snapshot(house.root)) == []
                named = set(bucket.state().folders.values())
                found = {path.removeprefix(f"{bucket.root}/") for path in bucket.fs.find(f"{bucket.root}/snapshots")}
                files = {path for path in found if path.endswith((".parquet", ".json"))}
                assert {path.rpartition("/")[0] for path in files} == named, place
            survived += 1
    finally:
        matrix.row("object store: killed at a step", len(places), survived, "the same night again; nothing left over")


def test_of_committers_at_once_one_wins(matrix: Matrix, server: Server, children: Any, tmp_path: Path) -> None:
    rounds, survived = counts(2, 100), 0
    try:
        with client(server) as bucket:
            roots = [tmp_path / f"machine-{number}" for number in range(COMMITTERS)]
            for number in range(rounds):
                go = children.Barrier(COMMITTERS)
                running = [
                    begin(
                        children.Process(
                            target=commit, args=(root, bucket.uri, server.environment, 1, 10.0 * number + n, go)
                        )
                    )
                    for n, root in enumerate(roots)
                ]
                codes = [end(one) for one in running]
                assert sorted(codes) == [WON, *[LOST] * (COMMITTERS - 1)]
                now = read(bucket, tmp_path / "read")
                assert pointer(roots[codes.index(WON)]) == now
                assert {mirror(root, bucket) for root in roots} == {now}
                survived += 1
    finally:
        matrix.row("object store: 8 committers at once", rounds, survived, "one wins, 7 are told that they lost")
