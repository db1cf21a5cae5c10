"""What answers is put together from the models that served, and does without those that are not at hand."""

from datetime import date

import pytest

from pipeline.answering import served
from pipeline.answering.kinds import Kinds
from pipeline.learning import champions
from pipeline.models import turn_intents
from pipeline.settings import Night, load_shop
from tests.small_shop import ANN, Source, account, rows


@pytest.fixture
def night(tmp_path):
    return Night(load_shop("grocer"), date(2017, 11, 29), tmp_path)


def test_without_models_words_alone_are_read_and_the_nights_day_is_today(night):
    source = Source(rows())
    for models in ({}, {"encoder": "0" * 12, "asking": "0" * 12, "answers": "0" * 12}):
        chat = served.answerer(night, source, models)
        assert chat.goods.vectors is None
        said = chat.reply(("what did I buy yesterday",), account(source, chat.shop, ANN))
        assert "900001" in said.text


def test_what_is_at_hand_has_its_say(night, monkeypatch):
    taught = Kinds.learn(["how much is item", "hi", "other"], ["thanks", "hello", "person"])
    kept = {
        "asking": champions.keep(night.models, "asking", lambda to: taught.save(to, "")),
        "answers": champions.keep(night.models, "answers", lambda to: champions.write_json(to / "some.json", {})),
    }
    opened = []
    monkeypatch.setattr(turn_intents, "load", lambda folder, _home: opened.append(folder.name))
    chat = served.answerer(night, Source(rows()), kept)
    assert chat.understood("how much is 10001").asked == "thanks"
    assert opened == [kept["answers"]]
