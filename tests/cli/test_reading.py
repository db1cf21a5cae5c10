"""Commands that read published tables."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from pipeline.privacy.keys import user_key

SECRET = bytes(range(32))


@pytest.fixture
def snapshot(publish):
    return publish("2017-11-30").snapshot


def rows(result):
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_tables_lists_rows_bytes_and_grain(shopkeel, snapshot):
    result = shopkeel("tables")
    assert snapshot in result.stdout
    line = next(line for line in result.stdout.splitlines() if line.startswith("recommendations"))
    assert line.split()[1] == "18"
    assert "one user, surface and rank" in line


def test_path_is_one_line_that_a_reader_can_open(shopkeel, snapshot):
    result = shopkeel("path", "user_profiles")
    assert pq.read_table(result.stdout.strip()).num_rows == 3
    assert shopkeel("path").stdout.strip().endswith(snapshot)


def test_show_takes_the_shops_user_id_and_the_key(shopkeel, snapshot):
    key = user_key(SECRET, "102")
    by_id = rows(shopkeel("show", "recommendations", "--user", "102", "--json"))
    assert {row["user_key"] for row in by_id} == {key}
    assert len(by_id) == 6
    assert rows(shopkeel("show", "recommendations", "--user", key, "--json")) == by_id


@pytest.mark.parametrize(
    ("words", "items"),
    [
        (["--item", "i1"], ["i2"]),
        (["--user", "101"], ["i3"]),
        (["--user", "101", "--item", "i3"], ["i3"]),
        (["--limit", "2"], ["i3", "i2"]),
    ],
)
def test_show_of_carts_finds_an_items_complements_and_a_users_basket(shopkeel, snapshot, words, items):
    assert [row["item_id"] for row in rows(shopkeel("show", "cart_recommendations", "--json", *words))] == items


def test_show_of_a_campaign_and_a_limit(shopkeel, snapshot):
    assert [
        row["rank"] for row in rows(shopkeel("show", "ad_audiences", "--campaign", "18", "--limit", "2", "--json"))
    ] == [1, 2]
    assert "2 of 3 rows" in shopkeel("show", "ad_audiences", "--campaign", "18", "--limit", "2").stdout


def test_show_prints_text_as_it_is_and_long_vectors_as_a_count(shopkeel, snapshot):
    assert "[bold] goes well" in shopkeel("show", "recommendations", "--limit", "3").stdout
    pages = shopkeel("show", "page_layouts", "--user", "101", "--json").stdout.splitlines()
    assert [(row["surface"], row["slot"], row["module"]) for row in map(json.loads, pages)] == [
        ("cart", 1, "offers"), ("cart", 2, "buy_again"), ("home", 1, "offers"), ("home", 2, "buy_again"),
    ]  # fmt: skip
    profile = shopkeel("show", "user_profiles", "--user", "101").stdout
    assert "12 numbers" in profile
    assert "tea 0.25 3" in profile


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["show", "user_profile"], 2, "did you mean user_profiles"),
        (["show", "zzz"], 2, "choose one of ad_audience_summary, ad_audiences"),
        (["show", "recommendations", "--user", "999"], 4, "user '999'"),
        (["show", "recommendations", "--user", "f" * 32], 2, "unknown"),
        (["show", "recommendations", "--item", "i9"], 2, "did you mean i"),
        (["show", "ad_audiences", "--campaign", "99"], 2, "choose one of 18"),
        (["show", "recommendations", "--campaign", "18"], 2, "no campaign_id"),
        (["show", "cart_recommendations", "--user", "101", "--item", "i1"], 2, "i3"),
        (["path", "zzz"], 2, "choose one of"),
        (["tables", "--snapshot", "2017-01-01-000000000000"], 4, "choose one of 2017-11-30-"),
        (["tables", "--shop", "butcher"], 2, "choose one of grocer"),
        (["audience", "81", "--format", "csv", "--out", "a.csv"], 2, "did you mean 18?"),
        (["audience", "26", "--format", "csv", "--out", "a.csv"], 5, "61 users, under the floor of 100"),
        (["audience", "18", "--format", "doc", "--out", "a.doc"], 2, "csv, xlsx, parquet"),
        (["audience", "18", "--out", "audience"], 2, "csv, xlsx, parquet"),
        (["audience", "18", "--out", "no/such/a.csv"], 2, "does not exist"),
    ],
)
def test_what_is_not_there_gives_one_clear_error(shopkeel, snapshot, tmp_path, monkeypatch, words, code, says):
    monkeypatch.chdir(tmp_path)
    result = shopkeel(*words)
    assert result.exit_code == code
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert not list(tmp_path.glob("*a.*"))


def test_nothing_published_is_said(shopkeel):
    result = shopkeel("tables")
    assert result.exit_code == 4
    assert "nothing is published" in result.stderr


def test_an_earlier_snapshot_can_be_read(shopkeel, publish):
    first = publish("2017-11-29").snapshot
    publish("2017-11-30")
    now = rows(shopkeel("show", "user_profiles", "--user", "101", "--json"))
    then = rows(shopkeel("show", "user_profiles", "--user", "101", "--json", "--snapshot", first))
    assert (then[0]["recency_days"], now[0]["recency_days"]) == (29, 30)


def test_audience_writes_the_file_and_says_how_many(shopkeel, snapshot, tmp_path):
    result = shopkeel("audience", "18", "--out", tmp_path / "a.csv")
    assert result.stdout.startswith("2 users of campaign 18")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert [row["rank"] for row in csv.DictReader(file)] == ["1", "3"]
    assert shopkeel("audience", "18", "--include-holdout", "--out", tmp_path / "a.csv").stdout.startswith("3 users")


def test_plan_writes_who_is_planned_and_says_what_for(shopkeel, snapshot, tmp_path):
    result = shopkeel("plan", "--out", tmp_path / "plan.csv")
    assert result.exit_code == 0
    assert "18" in result.stdout
    assert f"costs taken off, in {tmp_path / 'plan.csv'}" in result.stdout
    with (tmp_path / "plan.csv").open(newline="", encoding="utf-8") as file:
        assert {row["is_planned"] for row in csv.DictReader(file)} <= {"True"}
    assert "name it .csv" in shopkeel("plan", "--out", tmp_path / "plan.doc").stderr
