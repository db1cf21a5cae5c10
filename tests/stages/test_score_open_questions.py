"""The table of open questions by night: without dialogues, and of those that ended without an answer alone."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from pipeline.contracts.tables import OPEN_QUESTIONS
from pipeline.settings import Night, load_shop
from pipeline.stages import desk, dialogue_inputs, score_open_questions
from pipeline.warehouse.staging import Staging

DAY = date(2017, 3, 31)


@pytest.fixture
def night(tmp_path, tiny_bert):
    shop = load_shop("grocer")
    reader = shop.sentiment.model_copy(update={"checkpoint": f"path:{tiny_bert}", "max_tokens": 16})
    night = Night(shop.model_copy(update={"sentiment": reader}), DAY, tmp_path)
    desk.note(night, "judgement", {})
    return night


def staged(night):
    staging = Staging.open(night.warehouse, night.day, night.run)
    facts = score_open_questions.run(night, staging, lambda *_: None)
    rows = staging.read("open_questions")
    assert rows.schema.equals(OPEN_QUESTIONS.schema, check_metadata=False)
    return facts, rows.to_pylist()


def dialogue(name, user, *said, resolved, day=DAY):
    ts = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return [
        {"dialogue_id": name, "turn": turn, "user_key": user, "ts": ts + timedelta(minutes=turn), "day": day,
         "speaker": "bot" if turn % 2 else "user", "utterance": text,
         "is_resolved": resolved if turn == len(said) - 1 else None}
        for turn, text in enumerate(said)
    ]  # fmt: skip


def test_a_shop_without_dialogues_has_an_empty_table(night, monkeypatch):
    monkeypatch.setattr(dialogue_inputs, "turns", lambda _night: None)
    facts, rows = staged(night)
    assert (facts["rows"], rows) == ({"open_questions": 0}, [])


def test_what_many_asked_in_vain_is_told_and_nothing_else(night, monkeypatch):
    rows = [
        row
        for n in range(6)
        for row in (
            *dialogue(f"a{n}", f"u{n}", "hello", "Hi.", f"do you sell gift cards {n}", "No idea.", resolved=False),
            *dialogue(f"b{n}", f"u{n}", "is there parking near the store", "Yes.", resolved=True),
            *dialogue(f"c{n}", f"u{n}", "can i pay by cheque", "Hm.", resolved=False, day=date(2016, 3, 31)),
            *dialogue(f"d{n}", "u0", "who is the owner of the place", "Hm.", resolved=False),
        )
    ]
    monkeypatch.setattr(dialogue_inputs, "turns", lambda _night: pa.Table.from_pylist(rows))
    facts, (row,) = staged(night)
    assert row["example_questions"] == ["do you sell gift cards #"]
    assert row["askers"] == 6
    assert {"sell", "gift", "cards"} <= set(row["common_words"])
    assert "owner" not in row["common_words"]  # one person alone said it, however often
    assert facts["metrics"]["questions/unanswered"] == 12
    _, (same,) = staged(night)
    assert same == row


def test_small_talk_is_no_question_and_what_is_like_no_example_is_no_small_talk(night):
    said = ["hello", "thank you so much", "ok bye", "好的", "is there parking near the store at noon", "qwrtz"]
    rows = [row for n, text in enumerate(said) for row in dialogue(f"d{n}", f"u{n}", text, resolved=False)]
    asked = score_open_questions.unanswered(pa.Table.from_pylist(rows), night)
    assert [row["utterance"] for row in asked] == ["qwrtz", "is there parking near the store at noon"]
    assert score_open_questions.unanswered(pa.Table.from_pylist(rows).slice(0, 0), night) == []
