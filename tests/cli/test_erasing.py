"""The commands about people's keys."""

import pytest

from pipeline.privacy import tombstones
from pipeline.privacy.keys import FILE, VARIABLE
from pipeline.warehouse.snapshot import history, open_snapshot
from tests.cli.conftest import KEYS, SECRET


@pytest.fixture
def root(home):
    return home / "grocer" / "warehouse"


def facts(result):
    """What was printed, by its label."""
    assert result.exit_code == 0, result.stderr
    return {line[: line.index("  ")]: line[line.index("  ") :].strip() for line in result.stdout.splitlines()}


def test_readers_no_longer_see_them_and_what_still_holds_them_is_named(shopkeel, publish, root):
    old = publish("2017-11-30").snapshot
    told = facts(shopkeel("erase", "--user", "101", "--user", "102"))
    now = open_snapshot(root)
    assert set(now.table("recommendations").column("user_key").to_pylist()) == {KEYS["103"]}
    assert now.table("cart_recommendations").column("context").to_pylist() == ["item", "item"]
    assert told["readers see"] == now.id
    assert told["still hold them"].startswith(old)
    assert tombstones.load(root.parent / tombstones.FILE).to_pylist() == sorted([KEYS["101"], KEYS["102"]])


def test_with_gc_the_older_snapshots_go_at_once(shopkeel, publish, root):
    old = [publish(f"2017-11-{day}").snapshot for day in (29, 30)]
    told = facts(shopkeel("erase", "--user", "101", "--gc"))
    assert told["snapshots removed"] == ", ".join(old)
    assert told["still hold them"] == "none"
    assert [one.snapshot for one in history(root)] == [told["readers see"]]


def test_a_snapshot_that_is_pinned_is_not_removed_behind_somebodys_back(shopkeel, publish, root):
    old = publish("2017-11-30").snapshot
    shopkeel("pin", "--name", "audit")
    result = shopkeel("erase", "--user", "101", "--gc")
    assert result.exit_code == 5
    assert "unpin" in result.stderr and old in result.stderr
    shopkeel("unpin", "--name", "audit")
    assert facts(shopkeel("erase", "--user", "101", "--gc"))["snapshots removed"] == old


def test_of_a_stranger_nothing_is_found(shopkeel, publish, root):
    publish("2017-11-30")
    told = facts(shopkeel("erase", "--user", "nobody"))
    assert (told["rows removed"], told["still hold them"]) == ("none had landed", "none")
    assert len(history(root)) == 1


def test_somebody_must_be_named(shopkeel):
    result = shopkeel("erase")
    assert result.exit_code == 2
    assert "--user" in result.stderr


def test_keys_are_rotated_and_users_found_by_their_names_as_before(shopkeel, publish, root, home, monkeypatch):
    old = publish("2017-11-30").snapshot
    refused = shopkeel("rotate-key")
    assert refused.exit_code == 2 and "rotate it there" in refused.stderr
    monkeypatch.delenv(VARIABLE)
    (home / "secrets").mkdir(mode=0o700)
    (home / "secrets" / FILE).write_text(SECRET.hex())
    (home / "secrets" / FILE).chmod(0o600)
    (home / "grocer" / "feeds").mkdir(exist_ok=True)
    told = facts(shopkeel("rotate-key"))
    assert old in told["old keys in"] and told["readers see"] == open_snapshot(root).id != old
    assert not set(open_snapshot(root).table("recommendations").column("user_key").to_pylist()) & set(KEYS.values())
    assert shopkeel("show", "recommendations", "--user", "102").exit_code == 0
