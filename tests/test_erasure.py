"""After an erasure it is as if the user had never been there: in feeds, in what readers see, and in later arrivals."""

import shutil
import threading
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.erasure import erase, erase_for_good
from pipeline.errors import Refused, Superseded
from pipeline.feeds import partitions
from pipeline.learning import lineage
from pipeline.privacy import tombstones
from pipeline.privacy.keys import VARIABLE
from pipeline.stages import desk
from pipeline.warehouse import durable, fence, janitor, pins, snapshot
from tests.feeds.conftest import FIRST
from tests.light import SECRET, Drop, LightShop, killed_at, published_lists

GOODS = ("soap", "milk")
DAY = FIRST + timedelta(2)


def bought(user: str, item: str, day: int, cents: int = 100) -> Drop:
    on = FIRST + timedelta(day)
    at = datetime(on.year, on.month, on.day, 17, tzinfo=UTC)
    row = {"event_id": f"{user}-{item}-{day}", "user_id": user, "item_id": item, "ts": at, "amount_cents": cents}
    return Drop(on, (row,))


STORY = [
    bought("ann", "soap", 0), bought("bob", "milk", 0), bought("ann", "soap", 1, cents=0), bought("ann", "milk", 2),
    bought("bob", "never", 1), bought("bob", "soap", 2),
]  # fmt: skip


@pytest.fixture(scope="module")
def homes(connection: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights of a shop, `whole`, and of the same shop that ann never entered, `never`."""
    homes = tmp_path_factory.mktemp("homes")
    for name in ("whole", "never"):
        shop = LightShop(
            connection, homes / name, [one for one in STORY if name == "whole" or one.rows[0]["user_id"] != "ann"]
        )
        shop.open(GOODS)
        for day in (FIRST + timedelta(1), DAY):
            shop.run(day)
    return homes


@pytest.fixture
def shop(connection: Any, homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LightShop:
    """Two nights of two users have been published."""
    monkeypatch.setenv(VARIABLE, SECRET)
    return LightShop(connection, shutil.copytree(homes / "whole", tmp_path / "home"), list(STORY))


@pytest.fixture
def never(connection: Any, homes: Path) -> LightShop:
    """The same shop that ann never entered."""
    return LightShop(connection, homes / "never")


def landed(shop: LightShop) -> dict[str, bytes]:
    root = shop.night(DAY).feeds / "events"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.parquet"))}


def traces(shop: LightShop, user: str) -> list[Path]:
    """Files that hold a user's id or key, in raw bytes or in decoded values; the tombstone alone may hold the key."""
    words = [user.encode(), shop.key(user).encode()]
    found = []
    for path in sorted(path for path in shop.home.rglob("*") if path.is_file() and path.name != tombstones.FILE):
        held = path.read_bytes()
        if path.suffix == ".parquet":
            held += str(pq.read_table(path, partitioning=None).to_pylist()).encode()
        found += [path] if any(word in held for word in words) else []
    return found


def test_erasing_a_user_equals_never_having_had_them(shop: LightShop, never: LightShop) -> None:
    assert traces(shop, "ann")
    done = erase(shop.night(DAY), ["ann"])
    assert done.rows == {"events": 3} and done.models == {"counting": ("v1",)}
    assert landed(shop) == landed(never)
    assert done.snapshot == snapshot.pointer(shop.root) == snapshot.pointer(never.root)
    counts = partitions.counts(shop.night(DAY).feeds, "events", DAY)
    assert counts == partitions.counts(never.night(DAY).feeds, "events", DAY)


def test_models_that_learned_of_them_are_named_and_what_grows_from_those_knows(shop: LightShop) -> None:
    store = shop.night(DAY).models
    for name, day, parents in (
        ("encoder/before", FIRST - timedelta(1), ()), ("encoder/then", FIRST, ()), ("ranker/gone", DAY, ()),
        ("ranker/grown", FIRST - timedelta(1), ("encoder/then",)), ("counting/v1", FIRST - timedelta(1), ()),
    ):  # fmt: skip
        lineage.note(store, name, lineage.Lesson(day, parents))
        if name != "ranker/gone":
            (store / name).mkdir(parents=True)
    done = erase(shop.night(DAY), ["ann"])
    assert done.models == {"encoder": ("then",), "ranker": ("grown",)}
    knew = {name for name, lesson in lineage.known(store).items() if lesson.knew_erased}
    assert knew == {"encoder/then", "ranker/grown", "ranker/gone"}
    assert lineage.note(store, "ranker/new", lineage.Lesson(DAY + timedelta(1), ("ranker/grown",))).knew_erased


@pytest.mark.parametrize(("noted", "serves"), [(FIRST - timedelta(1), "v1"), (DAY, None), (None, None)])
def test_the_night_after_starts_from_no_version_that_learned_of_them(
    shop: LightShop, noted: date | None, serves: str | None
) -> None:
    later = shop.night(DAY + timedelta(1))
    if noted:
        lineage.note(later.models, "counting/v1", lineage.Lesson(noted))
    erase(shop.night(DAY), ["ann"])
    desk.begin(later)
    assert desk.champion(later, "counting") == serves
    assert desk.left(later) == ({} if serves else {"counting": "v1"})


def test_for_good_the_old_snapshots_go_too_unless_somebody_keeps_them(shop: LightShop) -> None:
    before = shop.root / "snapshots"
    pins.pin(shop.root, "kept", None)
    with pytest.raises(Refused, match="unpin"):
        erase_for_good(shop.night(DAY), ["ann"])
    pins.unpin(shop.root, "kept")
    done = erase_for_good(shop.night(DAY), ["ann"])
    assert done.holding == () and len(done.removed) == 2
    assert [path.name for path in before.iterdir()] == [done.snapshot] and traces(shop, "ann") == []


def test_no_file_holds_them_once_the_old_snapshots_are_gone(shop: LightShop) -> None:
    done = erase(shop.night(DAY), ["ann"])
    assert len(done.holding) == 2 and traces(shop, "ann")
    janitor.remove(shop.root, done.holding)
    assert traces(shop, "ann") == [] and traces(shop, "bob")
    assert [one.snapshot for one in snapshot.history(shop.root)] == [done.snapshot]
    assert not snapshot.verify(snapshot.open_snapshot(shop.root))


def test_a_tombstone_stops_later_arrivals(shop: LightShop) -> None:
    erase(shop.night(DAY), ["ann"])
    shop.drops += [bought("ann", "milk", 3), bought("bob", "milk", 3)]
    shop.run(DAY + timedelta(1))
    lists = published_lists(snapshot.open_snapshot(shop.root).table("recommendations"))
    assert set(lists) == {shop.key("bob")}
    counts = partitions.counts(shop.night(DAY).feeds, "events", date.max)
    assert counts["reason/erased"] == 1
    assert counts["arrived"] == counts["published"] + counts["quarantined"] + counts["deduplicated"]
    assert not [path for path in traces(shop, "ann") if "snapshots" not in path.parts]


def test_again_or_for_a_stranger_it_changes_nothing(shop: LightShop) -> None:
    once = erase(shop.night(DAY), ["ann"])
    moves = snapshot.log(shop.root)
    for user in ("ann", "stranger"):
        again = erase(shop.night(DAY), [user])
        assert again.rows == {} and again.snapshot == once.snapshot
    assert snapshot.log(shop.root) == moves
    assert len(tombstones.load(shop.night(DAY).root / tombstones.FILE)) == 2


@pytest.mark.parametrize("step", ["tombstone", "partition", "table", "facts", "manifest", "snapshot", "pointer", "log"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_anywhere_and_done_again_it_ends_the_same(
    shop: LightShop, never: LightShop, step: str, when: str
) -> None:
    with killed_at(f"{when}-{step}", 1):
        erase(shop.night(DAY), ["ann"])
        raise AssertionError("not reached")
    erase(shop.night(DAY), ["ann"])
    assert landed(shop) == landed(never)
    assert snapshot.pointer(shop.root) == snapshot.pointer(never.root)


def test_a_night_at_work_is_waited_for(shop: LightShop) -> None:
    night = shop.night(DAY)
    with fence.alive(night.warehouse, night.work.name), pytest.raises(Refused, match="at work"):
        erase(night, ["ann"])
    assert len(tombstones.load(night.root / tombstones.FILE)) == 0


def test_before_anything_is_published_feeds_and_tombstone_are_enough(
    connection: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    shop = LightShop(connection, tmp_path, list(STORY))
    shop.open(GOODS)
    shop.land(DAY)
    done = erase(shop.night(DAY), ["ann", "bob"])
    assert done.snapshot is None and done.holding == () and done.rows == {"events": 6}
    assert traces(shop, "ann") == traces(shop, "bob") == []


@pytest.mark.parametrize("place", ["before-tombstone", "after-tombstone", "before-partition", "before-table"])
def test_a_night_that_begins_meanwhile_does_not_bring_them_back(
    shop: LightShop, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    shop.drops += [bought("ann", "soap", 3), bought("bob", "milk", 3)]
    nights: list[threading.Thread] = []

    def reached(name: str) -> None:
        if name == place and not nights:
            nights.append(threading.Thread(target=night))
            nights[0].start()
            time.sleep(0.2)  # as far as it gets

    def night() -> None:
        with suppress(Superseded):
            shop.run(DAY + timedelta(1))

    monkeypatch.setattr(durable, "reached", reached)
    done = erase(shop.night(DAY), ["ann"])
    nights[0].join(60)
    assert done.snapshot is not None
    for one in snapshot.history(shop.root):
        lists = published_lists(snapshot.open_snapshot(shop.root, one.snapshot).table("recommendations"))
        assert shop.key("bob") in lists and (shop.key("ann") in lists) == (one.snapshot in done.holding)
    assert len(done.holding) == 2 and not [path for path in traces(shop, "ann") if "snapshots" not in path.parts]
