"""Commands about what is published and when."""

import os
import time

import pytest

from pipeline.contracts.tables import TABLES
from pipeline.record import JsonRecorder
from pipeline.reports import last_night
from pipeline.settings import open_night


@pytest.fixture
def warehouse(home):
    return home / "grocer" / "warehouse"


@pytest.fixture
def note(home):
    """Put a night on record."""

    def _note(day, status, **stages):
        folder = home / "grocer" / "nights" / f"{day}-night"
        failed = {
            "failed_stage": next((stage for stage in stages if stages[stage]), ""),
            "error": "".join(stages.values()),
        }
        JsonRecorder(folder).tags({"day": day, "status": status, "snapshot": f"{day}-abc"} | failed)
        for stage in stages:
            JsonRecorder(folder / "runs" / stage).metrics({"stage/seconds": 30})

    return _note


def test_status_of_a_fresh_snapshot_is_fine(shopkeel, publish):
    snapshot = publish("2017-11-30").snapshot
    result = shopkeel("status")
    assert result.exit_code == 0
    assert snapshot in result.stdout
    assert "fresh" in result.stdout


@pytest.mark.parametrize(("hours", "code"), [(25, 0), (27, 1)])
def test_status_is_stale_when_the_pointer_has_not_moved_for_longer_than_asked(
    shopkeel, publish, warehouse, hours, code
):
    publish("2017-11-30")
    then = time.time() - hours * 3600
    os.utime(warehouse / "CURRENT", (then, then))
    assert shopkeel("status").exit_code == code
    assert shopkeel("status", "--max-age-hours", hours + 1).exit_code == 0


@pytest.mark.parametrize(("as_of", "code"), [("2017-11-30", 0), ("2017-12-01", 0), ("2017-12-02", 1)])
def test_status_against_a_day_does_not_look_at_the_clock(shopkeel, publish, warehouse, as_of, code):
    publish("2017-11-30")
    os.utime(warehouse / "CURRENT", (0, 0))
    assert shopkeel("status", "--as-of", as_of).exit_code == code


def test_status_without_a_snapshot_fails_and_still_shows_the_nights(shopkeel, note):
    note("2017-11-29", "published", ingest="", features="")
    note("2017-11-30", "refused", ingest="", audit="recommendations: 3 of 40 expectations failed")
    result = shopkeel("status")
    assert result.exit_code == 4
    assert "nothing is published" in result.stderr
    published, refused = [
        line.strip().split(maxsplit=4) for line in result.stdout.splitlines() if line.startswith("2017")
    ]
    assert published == ["2017-11-29", "night", "published", "60", "2017-11-29-abc"]
    assert refused == ["2017-11-30", "night", "refused", "60", "audit: recommendations: 3 of 40 expectations failed"]


@pytest.mark.parametrize("before", [[], ["2017-11-29"]], ids=["first night", "later night"])
def test_status_says_which_night_failed_and_what_readers_keep(shopkeel, publish, home, note, before):
    kept = [publish(day).snapshot for day in before]
    note("2017-11-30", "refused", audit="recommendations: 3 of 40 expectations failed")
    last_night.leave(open_night("grocer", "2017-11-30"))
    result = shopkeel("status")
    assert result.exit_code == (0 if kept else 4)
    said = f"readers keep {kept[0]}" if kept else "nothing is published yet"
    assert f"2017-11-30 refused at audit: recommendations: 3 of 40 expectations failed; {said}\n" in result.stdout


def test_status_lists_the_last_nights_only(shopkeel, publish, note):
    publish("2017-11-30")
    for day in range(10, 20):
        note(f"2017-11-{day}", "published")
    listed = [line for line in shopkeel("status", "--nights", "3").stdout.splitlines() if line.startswith("2017")]
    assert [line[:10] for line in listed] == ["2017-11-17", "2017-11-18", "2017-11-19"]
    assert not any(line.startswith("2017") for line in shopkeel("status", "--nights", "0").stdout.splitlines())


def test_status_of_a_day_that_is_none_is_an_error(shopkeel, publish):
    publish("2017-11-30")
    result = shopkeel("status", "--as-of", "30.11.2017")
    assert result.exit_code == 2
    assert "YYYY-MM-DD" in result.stderr


def test_history_stars_the_current_and_rollback_moves_the_star(shopkeel, publish):
    older, newer = publish("2017-11-29").snapshot, publish("2017-11-30").snapshot

    def starred():
        return [line.split()[1] for line in shopkeel("history").stdout.splitlines() if line.startswith("*")]

    assert starred() == [newer]
    assert older in shopkeel("history").stdout
    assert shopkeel("rollback").exit_code == 0
    assert starred() == [older]
    assert newer in shopkeel("rollback", "--to", newer).stdout
    assert starred() == [newer]


def test_rollback_without_anything_before_is_an_error(shopkeel, publish):
    publish("2017-11-30")
    assert shopkeel("rollback").exit_code == 4
    result = shopkeel("rollback", "--to", "2017-01-01-000000000000")
    assert result.exit_code == 4
    assert "choose one of 2017-11-30-" in result.stderr


def test_history_of_nothing_is_an_error(shopkeel):
    assert shopkeel("history").exit_code == 4


def test_verify_finds_one_changed_byte(shopkeel, publish, warehouse):
    snapshot = publish("2017-11-30").snapshot
    assert shopkeel("verify").stdout == f"{snapshot}: {len(TABLES)} tables are what the manifest says\n"
    path = warehouse / "snapshots" / snapshot / "recommendations.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result = shopkeel("verify")
    assert result.exit_code == 3
    assert "recommendations.parquet" in result.stderr
