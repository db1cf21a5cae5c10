"""The commands that talk."""

import json

import pytest
import uvicorn

from pipeline.chat import tokens
from pipeline.privacy.keys import user_key
from pipeline.settings import Night, load_shop
from tests.cli.conftest import SECRET
from tests.small_shop import ANN, DAY, published


@pytest.fixture
def snapshot(home):
    return published(Night(load_shop("grocer"), DAY, home))


def test_a_question_is_answered_with_its_sources(shopkeel, snapshot):
    said = shopkeel("chat", "--user", ANN, "--ask", "how much is 10001", "--ask", "is it in stock?")
    assert said.exit_code == 0
    assert "“Tomato paste, private brand, 6 oz” costs 0.39 USD." in said.output
    assert "[item_facts 10001: title; item_facts 10001: price_cents]" in said.output
    assert "is in stock." in said.output


def test_answers_for_programs_and_for_guests(shopkeel, snapshot):
    (line,) = shopkeel("chat", "--json", "--ask", "what was in my last order").output.splitlines()
    told = json.loads(line)
    assert (told["abstained"], told["snapshot"]) == (True, snapshot)


def test_a_talk_goes_on_until_an_empty_line(shopkeel, snapshot):
    from typer.testing import CliRunner

    from pipeline.cli import app

    said = CliRunner().invoke(app, ["chat", "--user", ANN], input="how much is 10003\nis it in stock\n\n")
    assert said.exit_code == 0
    assert "costs 2.50 USD" in said.output
    assert "is out of stock" in said.output


def test_who_needs_a_person_is_told_so(shopkeel, snapshot):
    assert "(for a person: asked_for_a_person;" in shopkeel("chat", "--ask", "let me talk to a person").output


def test_before_a_night_there_is_nothing_to_talk_of(shopkeel):
    said = shopkeel("chat", "--ask", "hello")
    assert said.exit_code == 4
    assert "nothing is published yet" in said.output


def test_a_token_is_of_the_user_and_the_current_snapshot(shopkeel, snapshot):
    token = shopkeel("chat-token", "--user", "101").output.strip()
    assert tokens.user_of(SECRET, token, snapshot) == user_key(SECRET, "101")


def test_the_endpoint_listens_on_this_machine_alone(shopkeel, snapshot, monkeypatch):
    run = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **given: run.append(given))
    assert shopkeel("serve-chat").exit_code == 0
    assert (run[0]["host"], run[0]["port"]) == ("127.0.0.1", 8090)
    for host in ("0.0.0.0", "example.org"):
        refused = shopkeel("serve-chat", "--host", host)
        assert refused.exit_code == 2
        assert "add --public" in refused.output
    assert shopkeel("serve-chat", "--host", "0.0.0.0", "--public").exit_code == 0
    assert len(run) == 2


def test_a_talk_is_kept_with_a_thumb_alone(shopkeel, snapshot, tmp_path):
    from typer.testing import CliRunner

    from pipeline.cli import app

    drops = tmp_path / "drops"
    keep = ("--keep-talks", str(drops))
    shopkeel("chat", *keep, "--ask", "how much is 10001")
    CliRunner().invoke(app, ["chat", *keep], input="how much is 10001\n\n\n")
    shopkeel("chat", "--thumb", "up", "--ask", "how much is 10001")
    assert not drops.exists()
    said = shopkeel("chat", *keep, "--user", ANN, "--thumb", "down", "--ask", "how much is 10001")
    assert "kept: " in said.output
    CliRunner().invoke(app, ["chat", *keep], input="how much is 10003\n\nup\n")
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in drops.rglob("*.jsonl")]
    told = {(row["utterance"], row["is_resolved"], row.get("intent")) for row in rows}
    assert told == {("how much is 10001", False, None), ("how much is 10003", True, "price")}
    assert {user_key(SECRET, row["user_id"]) for row in rows if row["user_id"]} == {ANN}


def test_a_thumb_that_nothing_keeps_is_an_error(shopkeel, snapshot):
    said = shopkeel("chat", "--ask", "how much is 10001", "--thumb", "up")
    assert said.exit_code == 2
    assert "--keep-talks" in said.output
