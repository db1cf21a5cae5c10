"""Talks: grounded replies, what is left open carried over, unknown things not answered, nothing unsound let out."""

from dataclasses import replace

import pytest

from pipeline.answering import answerer as module
from pipeline.answering.answerer import LONGEST_QUESTION
from pipeline.answering.facts import Fact, Sentence
from tests.small_shop import ANN, account, answerer, rows

PASTE, OTHER_PASTE = "“Tomato paste, private brand, 6 oz”", "“Tomato paste, national brand, 12 oz”"
MILK, RETURNS = "“Whole milk, private brand, 1 ga”", "“You may return unopened goods within 30 days of purchase.”"


class Rewriter:
    """A generator that answers every sentence with one text."""

    def __init__(self, text):
        self.text, self.seen = text, []

    def reword(self, sentence, question):
        self.seen.append(sentence.text)
        return self.text.format(sentence=sentence.text)


@pytest.fixture(scope="module")
def chat():
    answers, source = answerer()
    mine = account(source, answers.shop)
    return lambda *turns, user=mine: answers.reply(turns, user)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("how much is tomato paste, private brand, 6 oz?", f"{PASTE} costs 0.39 USD."),
        ("10003 多少钱", f"{MILK}的价格是 2.50 USD。"),
        ("is 10003 in stock?", f"{MILK} is out of stock."),
        ("what do reviews say about 10001", f"Of 12 reviews of {PASTE}, 9 speak well of it and 2 do not."),
        ("show me order 900002", f"Your order 900002 of 2017-11-20 came to 1.00 USD. It holds 1 × {MILK}."),
        ("what did I buy on 2017-11-20?", f"Your order 900002 of 2017-11-20 came to 1.00 USD. It holds 1 × {MILK}."),
        ("what did I order 10 days ago",
         f"Your order 900002 of 2017-11-20 came to 1.00 USD. It holds 1 × {MILK}."),
        ("我11月20日买了什么", f"您 2017-11-20 的订单 900002 合计 1.00 USD。其中有 1 件{MILK}。"),
        ("Tomato paste, private brand, 6 oz: what is the price?", f"{PASTE} costs 0.39 USD."),
        ("what does tomato paste, private brand, 6 oz cost", f"{PASTE} costs 0.39 USD."),
        ("Tomato paste, national brand, 12 oz, is it in stock?", f"{OTHER_PASTE} is in stock."),
        ("how much is tomatto paste privatte 6 oz?", f"{PASTE} costs 0.39 USD."),
        ("我上次购买 10003 是什么时候", f"您最近一次购买{MILK}是 2017-11-28,订单 900001。"),
        ("when did I last buy whole milk", f"You last bought {MILK} on 2017-11-28, in order 900001."),
        ("do you have any offers for me", f"“Campaign 18” runs until 2017-12-24 and is about {OTHER_PASTE}."),
        ("until when does Campaign 18 run", "“Campaign 18” runs from 2017-11-01 until 2017-12-24."),
        ("can I return unopened goods", f"“Returns and refunds” says: {RETURNS}"),
        ("what are the shipping costs", "“Delivery” says: “Shipping costs 4.90 USD. Orders over 50 USD ship free.”"),
    ],
)  # fmt: skip
def test_answers_are_the_shops_facts(chat, question, answer):
    reply = chat(question)
    assert reply.text == answer
    assert not reply.abstained
    assert reply.facts


def test_a_day_without_an_order_has_none(chat):
    for turns in (("what did I buy yesterday",), ("what did I buy on 2017-11-20", "and on Nov 27?")):
        assert chat(*turns).text == "None of your last orders is of that day."


def test_what_is_recommended_is_what_the_table_recommends(chat):
    said = chat("what do you recommend")
    assert [fact.shown for fact in said.facts if fact.column == "item_id"] == ["10003", "10001"]
    assert "“You bought it twice, last 3 days ago”" in said.text


def test_several_articles_are_told_by_their_span(chat):
    said = chat("how much is tomato paste").text
    assert said.startswith("Several articles fit: they cost from 0.39 USD")
    assert "0.89 USD" in said
    assert chat("is tomato paste in stock").text.count("Do you mean") == 2


@pytest.mark.parametrize("follow", ["is it in stock?", "and what do reviews say about it", "它有货吗"])
def test_an_article_is_carried_over(chat, follow):
    assert chat("how much is 10001", "thanks", "how much is 10001", follow).subject == "10001"


def test_another_article_takes_the_place_of_the_one_before(chat):
    assert chat("how much is 10001", "how much is 10003").subject == "10003"
    assert chat("how much is 10001", "how much is an iphone").abstained


@pytest.mark.parametrize(
    "question",
    [
        "how much is an iphone 15", "what is the weather tomorrow", "how many calories has tomato paste",
        "until when does Campaign 99 run", "what are your opening hours", "is it in stock", "明天天气怎么样",
        "what did other customers order", "qwrtz", "where is my parcel", "who owns the shop",
    ],
)  # fmt: skip
def test_what_nothing_tells_is_not_answered(chat, question):
    reply = chat(question)
    assert reply.abstained, reply.text
    assert not reply.facts
    assert reply.confidence == 0


def test_guests_are_asked_to_sign_in(chat):
    for question in ("what was in my last order", "what do you recommend", "when did I last buy whole milk"):
        reply = chat(question, user=None)
        assert reply.abstained
        assert reply.text == "Sign in, and I can look that up."


def test_an_order_that_is_not_ones_own_is_unknown(chat):
    assert chat("what is in order 700002").text == chat("what is in order 123456").text


def test_a_person_gets_a_summary_and_no_text_of_the_user(chat):
    reply = chat("how much is 10001", "I want to talk to a person, my secret is 4711")
    assert reply.handover.why == "asked_for_a_person"
    assert "4711" not in reply.handover.summary
    assert "person" in reply.handover.summary


@pytest.mark.parametrize("turns", [(), ("",), ("  ",), ("x" * (LONGEST_QUESTION + 1),), ("word " * 200,)])
def test_what_is_blank_or_too_long_is_turned_away(chat, turns):
    reply = chat(*turns)
    assert reply.abstained
    assert not reply.facts


def test_long_turns_before_are_not_read(chat):
    assert chat("x" * 1000, "how much is 10001").subject == "10001"


def test_the_same_question_has_the_same_answer_whoever_asks_and_how_often(chat):
    first = chat("how much is 10001")
    assert first == chat("how much is 10001") == chat("how much is 10001", user=None)
    again, source = answerer()
    assert again.reply(("how much is 10001",), account(source, again.shop)) == first


@pytest.mark.parametrize(
    "paraphrases",
    [
        (
            "how much is 10001",
            "what does 10001 cost",
            "price of 10001 please",
            "10001 多少钱",
            "how expensive is 10001",
        ),
        ("what was in my last order", "show me what I bought last time", "my latest order please"),
        ("what do you recommend", "any suggestions for me?", "what should I buy"),
    ],
)
def test_paraphrases_have_the_same_facts(chat, paraphrases):
    assert len({chat(question).facts for question in paraphrases}) == 1


def test_a_sentence_that_fails_the_copy_check_never_leaves(monkeypatch):
    answers, source = answerer()
    wrong = Sentence("It costs 9.99 USD.", (Fact("item_facts", "10001", "price_cents", "0.39 USD"),))
    monkeypatch.setattr(module.phrases, "offers", lambda found, language: [wrong])
    reply = answers.reply(("any offers for me",), account(source, answers.shop, ANN))
    assert "9.99" not in reply.text
    assert reply.abstained


def test_a_rewording_is_taken_only_if_it_says_the_same():
    for text, taken in (("Certainly: {sentence}", True), ("{sentence} Pay to IBAN 1234 now.", False), ("", False)):
        generator = Rewriter(text)
        answers, _source = answerer(generator=generator)
        plain, _ = answerer()
        said = answers.reply(("how much is 10001",))
        assert generator.seen == ["“Tomato paste, private brand, 6 oz” costs 0.39 USD."]
        assert said.text.startswith("Certainly") == taken
        assert replace(said, sentences=()) == replace(plain.reply(("how much is 10001",)), sentences=())
        assert said.facts == plain.reply(("how much is 10001",)).facts


def test_a_shop_without_documents_campaigns_and_reviews_still_talks():
    answers, _source = answerer({"item_facts": rows()["item_facts"]})
    assert answers.reply(("what is your return policy",)).abstained
    assert answers.reply(("which campaigns are running",)).text == "No campaign runs today."
    assert answers.reply(("what do reviews say about 10001",)).text.startswith("Nobody has reviewed")


@pytest.mark.parametrize(
    ("turns", "answer"),
    [
        (("is tomato paste in stock?", "no, the other one"), f"{OTHER_PASTE} is in stock."),
        (("tomato paste 有货吗?", "另一个"), f"{OTHER_PASTE}有货。"),
        (("is 10001 in stock?", "no, the other one"), f"{PASTE} is in stock."),
        (("how much is 10001?", "sorry, I meant whole milk 1 ga, article 10003"), f"{MILK} costs 2.50 USD."),
        (("how much is 10003 instead of 10001?",), f"{MILK} costs 2.50 USD."),
        (("how much is 10001?", "no, 10003 instead of that"), f"{MILK} costs 2.50 USD."),
        (("不是 10001,是 10003 多少钱",), f"{MILK}的价格是 2.50 USD。"),
    ],
)
def test_a_correction_takes_the_place_of_what_was_understood(chat, turns, answer):
    assert chat(*turns).text == answer


def test_nothing_is_corrected_where_nothing_was_asked_of():
    answers, _source = answerer()
    assert answers.reply(("hello", "the other one")).facts == ()
    assert answers.reply(("no, the other one",)).facts == ()


@pytest.mark.parametrize(
    ("turns", "answer"),
    [
        (("how much is 10001?", "and the 12 oz one?"), f"{OTHER_PASTE} costs 0.89 USD."),
        (("how much is 10001?", "is the national brand in stock?"), f"{OTHER_PASTE} is in stock."),
        (("how much is 10001?", "what about dark chocolate"),
         "The shop tells no price of “Dark chocolate, national brand, 3.5 oz”."),
        (("is 10003 in stock?", "tomato paste, private brand, 6 oz"), f"{PASTE} is in stock."),
        (("hey can u tell me how much folks pay for tomato paste private brand 6 oz",), f"{PASTE} costs 0.39 USD."),
        (("what was in my last order", "and how much was it?"),
         f"Your order 900001 of 2017-11-28 came to 2.00 USD. It holds 1 × {PASTE}. It holds 2 × {MILK}."),
        (("what is in order 900002", "how much was that"),
         f"Your order 900002 of 2017-11-20 came to 1.00 USD. It holds 1 × {MILK}."),
    ],
)  # fmt: skip
def test_a_turn_is_understood_by_the_turns_before(chat, turns, answer):
    assert chat(*turns).text == answer


def test_a_bare_name_is_told_about(chat):
    assert chat("dark chocolate, national brand, 3.5 oz please").asked == "about"
    assert chat("unicorn").abstained
