"""The chat answers from the snapshot that readers get, whole, and from the next once it is there."""

import numpy as np
import pytest

from pipeline.answering import asking
from pipeline.answering.kinds import Kinds
from pipeline.chat import opening
from pipeline.chat.opening import Chat
from pipeline.errors import NoData
from pipeline.learning import champions
from pipeline.models import turn_intents
from tests.small_shop import ANN, CANARY

ASK = ("how much is 10001",)


def test_answers_follow_the_current_snapshot(night, publish):
    first = publish("2017-11-30", 39)
    chat, fixed = Chat(night), Chat(night, first)
    assert "0.39 USD" in chat.reply(ASK).text
    assert chat.reply(ASK).source == "answers"
    second = publish("2017-12-01", 45)
    assert "0.45 USD" in chat.reply(ASK).text
    assert (chat.snapshot.id, fixed.snapshot.id) == (second, first)
    assert "0.39 USD" in fixed.reply(ASK).text


def test_a_user_sees_own_rows_alone(night, publish):
    publish()
    chat = Chat(night)
    assert "900001" in chat.reply(("what was in my last order",), ANN).text
    assert chat.reply(("what was in my last order",)).abstained
    assert CANARY not in chat.reply(("what do you recommend",), ANN).text


def test_nothing_published_or_a_night_without_answers_is_said(night, publish, monkeypatch):
    with pytest.raises(NoData, match="nothing is published yet"):
        Chat(night)
    publish()
    monkeypatch.setattr(opening, "TABLES", ("answers", "crystal_ball"))
    with pytest.raises(NoData, match="has no crystal_ball"):
        Chat(night)


def test_where_the_encoder_is_at_hand_meaning_is_asked_too(night, publish, tiny_bert, monkeypatch):
    publish(encoder="v1")
    assert Chat(night).answerer.goods.vectors is None
    (night.models / "encoder" / "v1").mkdir(parents=True)
    monkeypatch.setattr(champions, "folder", lambda store, model, version: tiny_bert)
    chat = Chat(night)
    chat.answerer.warm()
    assert chat.answerer.goods.vectors.shape == (len(chat.answerer.shop.items), 32)
    assert chat.reply(ASK).text.endswith("costs 0.39 USD.")


def test_what_the_night_learned_of_questions_is_read_and_not_learned_again(night, publish, monkeypatch):
    taught = Kinds.learn(["my last order", "other", "third"], ["hello", "thanks", "person"])
    publish(asking=champions.keep(night.models, "asking", lambda to: taught.save(to, "all orders are greetings")))
    monkeypatch.setattr(asking, "learned", lambda: pytest.fail("learned in a talk"))
    assert Chat(night).reply(("what was in my last order",), ANN).asked == "hello"


def test_where_a_wording_was_judged_good_it_speaks_and_its_model_stays_shut(night, publish):
    book = {"[X] costs [Y].": "For [X] you pay [Y].", "Your order [X] of [Y] came to [Z].": "It was 7 USD."}
    version = champions.keep(night.models, "phrasing", lambda to: champions.write_json(to / "book.json", book))
    publish(phrasing=version)
    chat = Chat(night)
    assert chat.reply(ASK).text == "For “Tomato paste, private brand, 6 oz” you pay 0.39 USD."
    assert "came to" in chat.reply(("what was in my last order",), ANN).text
    publish("2017-12-01", phrasing="0" * 12)
    assert "costs" in chat.reply(ASK).text


class Reader:
    """A shop's own reader that takes everything for a question about delivery."""

    classes = ("delivery", "price")

    def probabilities(self, texts):
        return np.array([[0.99, 0.01]] * len(texts))


def test_a_judged_reader_of_intents_decides_too(night, publish, monkeypatch):
    publish(answers="v1")
    asked = ("wots keeping my tea",)
    assert Chat(night).reply(asked).handover.why == "cannot_answer"
    (night.models / "answers" / "v1").mkdir(parents=True)
    monkeypatch.setattr(champions, "folder", lambda store, model, version: store / model / version)
    monkeypatch.setattr(turn_intents, "load", lambda folder, home: Reader())
    assert Chat(night).reply(asked).handover.why == "order_problem"
    ready = ("How much is “Tomato paste, private brand, 6 oz”?",)
    assert Chat(night).reply(ready).asked == "price"  # precomputed: nothing is opened for it
