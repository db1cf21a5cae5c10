"""After a rotation nothing of today knows an old key, and everything else is as it was, whatever cut it off."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.erasure import erase
from pipeline.errors import ConfigError, Refused
from pipeline.privacy import tombstones
from pipeline.privacy.keys import FILE, VARIABLE, load_secret, user_key
from pipeline.rotation import rotate
from pipeline.warehouse import fence, janitor, snapshot
from tests.feeds.conftest import FIRST
from tests.light import SECRET, LightShop, killed_at, published_lists
from tests.test_erasure import DAY, GOODS, STORY, bought

USERS = ("ann", "bob")


@pytest.fixture(scope="module")
def whole(connection: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights of two users."""
    shop = LightShop(connection, tmp_path_factory.mktemp("homes") / "whole", list(STORY))
    shop.open(GOODS)
    for day in (FIRST + timedelta(1), DAY):
        shop.run(day)
    (shop.home / "secrets").mkdir(mode=0o700)
    (shop.home / "secrets" / FILE).write_text(SECRET)
    (shop.home / "secrets" / FILE).chmod(0o600)
    return shop.home


@pytest.fixture
def shop(connection: Any, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LightShop:
    monkeypatch.delenv(VARIABLE, raising=False)
    return LightShop(connection, shutil.copytree(whole, tmp_path / "home"), list(STORY))


def lists(shop: LightShop) -> dict[str, list[str]]:
    return published_lists(snapshot.open_snapshot(shop.root).table("recommendations"))


def by_name(shop: LightShop) -> dict[str, list[str]]:
    """What users are shown, by their own names; everybody is known."""
    secret, found = load_secret(shop.home / "secrets"), lists(shop)
    return {name: found.pop(user_key(secret, name)) for name in USERS if user_key(secret, name) in found} | found


def holding(shop: LightShop, key: str) -> list[str]:
    found = []
    for path in sorted(path for path in shop.home.rglob("*") if path.is_file() and path.name != tombstones.FILE):
        held = path.read_bytes()
        if path.suffix == ".parquet":
            held += str(pq.read_table(path, partitioning=None).to_pylist()).encode()
        found += [str(path.relative_to(shop.home))] if key.encode() in held else []
    return found


def test_every_key_is_new_and_every_list_is_its_users(shop: LightShop) -> None:
    old, before = {name: shop.key(name) for name in USERS}, lists(shop)
    told = rotate([shop.night(DAY)])["light"]
    assert by_name(shop) == {name: before[key] for name, key in old.items()}
    assert not set(lists(shop)) & set(old.values()) and told.snapshot == snapshot.pointer(shop.root)
    assert holding(shop, old["ann"]), "older snapshots hold it"
    janitor.remove(shop.root, told.holding)
    assert [holding(shop, key) for key in old.values()] == [[], []]
    assert not snapshot.verify(snapshot.open_snapshot(shop.root))


def test_the_next_night_goes_on_as_if_nothing_had_been(shop: LightShop, whole: Path, tmp_path: Path) -> None:
    same = LightShop(shop.connection, shutil.copytree(whole, tmp_path / "same"), list(STORY))
    rotate([shop.night(DAY)])
    rotate([shop.night(DAY)])
    shop.secret = load_secret(shop.home / "secrets")
    for one in (shop, same):
        one.drops += [bought("ann", "milk", 3), bought("bob", "milk", 3), bought("ann", "milk", 4)]
        one.run(DAY + timedelta(2))
    assert by_name(shop) == by_name(same) and set(by_name(shop)) == set(USERS)
    parents = [snapshot.open_snapshot(one.root).manifest.parent is not None for one in (shop, same)]
    assert parents == [True, True]


@pytest.mark.parametrize(
    ("step", "nth"),
    [("partition", 1), ("partition", 2), ("partition", 5), ("table", 2), ("manifest", 1), ("pointer", 1), ("log", 1)],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_cut_off_anywhere_and_done_again_it_ends_the_same(shop: LightShop, step: str, nth: int, when: str) -> None:
    before = by_name(shop)
    with killed_at(f"{when}-{step}", nth):
        rotate([shop.night(DAY)])
        raise AssertionError("not reached")
    with pytest.raises(Refused, match="rotate-key"):
        load_secret(shop.home / "secrets")
    rotate([shop.night(DAY)])
    assert by_name(shop) == before and set(before) == set(USERS)
    shop.secret = load_secret(shop.home / "secrets")
    assert len(shop.secret.later) == 1
    assert set(shop.landed_lists(DAY)) == set(lists(shop))


def test_who_was_erased_stays_so(shop: LightShop) -> None:
    erase(shop.night(DAY), ["ann"])
    rotate([shop.night(DAY)])
    shop.secret = load_secret(shop.home / "secrets")
    shop.drops.append(bought("ann", "milk", 3))
    shop.drops.append(bought("bob", "milk", 3))
    shop.run(DAY + timedelta(1))
    assert set(lists(shop)) == {user_key(shop.secret, "bob")}


def test_it_waits_for_nights_at_work_and_asks_for_every_shop(shop: LightShop) -> None:
    night = shop.night(DAY)
    with fence.alive(night.warehouse, night.work.name), pytest.raises(Refused, match="at work"):
        rotate([night])
    assert load_secret(shop.home / "secrets").later == ()
    (shop.home / "other" / "feeds").mkdir(parents=True)
    with pytest.raises(ConfigError, match="other"):
        rotate([night])
