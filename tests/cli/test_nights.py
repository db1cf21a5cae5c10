"""Commands about nights; the nights themselves are tested where they are made."""

import os
from datetime import date

import pytest

from pipeline import nightly
from pipeline.errors import Refused
from pipeline.record import JsonRecorder


@pytest.fixture
def asked(monkeypatch, publish):
    """Nights whose stages do nothing but publish; a list of the stages run. The last day of 2017 is refused."""
    calls = []

    def run_stage(night, name, item=None, progress=None, epoch=None):
        calls.append((str(night.day), night.run, name))
        note = JsonRecorder(night.record)
        if name == "features" and night.day == date(2017, 12, 31):
            raise Refused("gate features: 1 of 3 expectations failed; mend the data")
        if name == "publish":
            note.tags({"status": "published", "snapshot": publish(str(night.day)).snapshot})
        if name == "report":
            (night.record / "report.html").write_text("report")

    monkeypatch.setattr(nightly, "run_stage", run_stage)
    return calls


def days(asked):
    return list(dict.fromkeys(day for day, *_ in asked))


def facts(result):
    assert result.exit_code == 0, result.stderr
    return dict(line.split(maxsplit=1) for line in result.stdout.splitlines())


def test_run_says_where_everything_is(shopkeel, asked, home):
    end = facts(shopkeel("run", "--date", "2017-11-30"))
    assert {call[:2] for call in asked} == {("2017-11-30", "night")}
    assert end["snapshot"].startswith("2017-11-30-")
    assert end["tables"] == str(home / "grocer" / "warehouse" / "snapshots" / end["snapshot"])
    assert end["report"] == str(home / "grocer" / "nights" / "2017-11-30-night" / "report.html")
    assert end["mlflow"]


def test_run_passes_stages_and_run_on_and_says_when_nothing_was_published(shopkeel, asked):
    end = facts(shopkeel("run", "--date", "2017-11-30", "--from", "features", "--to", "fine_tune", "--run", "trial"))
    assert set(asked) == {("2017-11-30", "trial", name) for name in ("features", "encoder", "fine_tune")}
    assert end["snapshot"].startswith("none")
    assert "tables" not in end


def test_run_shows_each_stage_on_stderr_only(shopkeel, asked):
    result = shopkeel("run", "--date", "2017-12-31")
    assert result.exit_code == 5
    assert not result.stdout
    first, second, error = result.stderr.splitlines()
    assert first.startswith("ingest: done in ")
    assert second.startswith("features: failed in ")
    assert error == "error: gate features: 1 of 3 expectations failed; mend the data"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--date", "yesterday"], "YYYY-MM-DD"),
        (["--date", "2017-11-30", "--from", "ingset"], "choose one of ingest"),
        (["--date", "2017-11-30", "--to", "zzz"], "choose one of"),
        (["--date", "2017-11-30", "--from", "score", "--to", "ingest"], "stands before"),
        (["--date", "2017-11-30", "--shop", "butcher"], "grocer"),
    ],
)
def test_run_of_what_cannot_be_run_is_one_error_and_runs_nothing(shopkeel, asked, words, says):
    result = shopkeel("run", *words)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert not asked


def test_backfill_runs_every_day_in_order(shopkeel, asked):
    result = shopkeel("backfill", "--from", "2017-11-29", "--to", "2017-12-01")
    assert result.exit_code == 0
    assert days(asked) == ["2017-11-29", "2017-11-30", "2017-12-01"]
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["2017-11-29", "2017-11-30", "2017-12-01"]


def test_backfill_stops_at_the_first_day_that_fails(shopkeel, asked):
    result = shopkeel("backfill", "--from", "2017-12-30", "--to", "2018-01-02")
    assert result.exit_code == 5
    assert days(asked) == ["2017-12-30", "2017-12-31"]
    assert "continue with --from 2017-12-31" in result.stderr


def test_backfill_of_older_days_leaves_current_where_it_is(shopkeel, asked, publish):
    current = publish("2017-12-05").snapshot
    assert shopkeel("backfill", "--from", "2017-11-29", "--to", "2017-11-30").exit_code == 0
    assert shopkeel("path").stdout.strip().endswith(current)


def test_backfill_backwards_is_an_error(shopkeel, asked):
    assert shopkeel("backfill", "--from", "2017-12-01", "--to", "2017-11-30").exit_code == 2
    assert not asked


def test_report_gives_the_last_or_the_asked_for(shopkeel, asked):
    assert shopkeel("report").exit_code == 4
    for day in ("2017-11-30", "2017-11-29"):
        shopkeel("run", "--date", day)
    assert shopkeel("report").stdout.strip().endswith("2017-11-30-night/report.html")
    assert shopkeel("report", "--date", "2017-11-29").stdout.strip().endswith("2017-11-29-night/report.html")
    assert shopkeel("report", "--date", "2017-11-28").exit_code == 4


def test_report_of_a_day_is_its_last_written_unless_a_run_is_named(shopkeel, asked, home):
    nights = home / "grocer" / "nights"
    for second, run in enumerate(("scheduled-1a2b3c4d", "night", "backfill-5e6f7081")):
        shopkeel("run", "--date", "2017-11-30", "--run", run)
        os.utime(nights / f"2017-11-30-{run}" / "report.html", (second, second))
    assert "-backfill-" in shopkeel("report", "--date", "2017-11-30").stdout
    assert shopkeel("report", "--run", "night").stdout.strip().endswith("2017-11-30-night/report.html")
    assert shopkeel("report", "--run", "nobody").exit_code == 4
