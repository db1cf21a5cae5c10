"""What is ready is what the whole chat would say, and whatever might mean more than one thing is left to it."""

import pytest

from pipeline.answering.leaving import checked
from pipeline.answering.ready import Ready, spoken
from pipeline.answering.tools import Shop
from pipeline.tables import answers
from tests.small_shop import Source, answerer, item, rows


def ready(given):
    told = answers.rows(Shop(Source(given)), 10).to_pylist()
    source = Source(given | {"answers": told})
    return Ready(source), told, source


@pytest.fixture(scope="module")
def shop():
    return ready(rows())


def test_every_ready_answer_is_that_of_the_whole_chat(shop):
    at_hand, told, source = shop
    chat, _ = answerer(source.rows)
    found = {row["question"]: at_hand.reply(row["question"]) for row in told}
    given = {question: reply for question, reply in found.items() if reply is not None}
    assert len(given) > 0.6 * len(found)
    whole = {question: chat.reply((question,)) for question in given}
    known = {question: reply for question, reply in whole.items() if not reply.abstained}
    assert len(known) > 0.9 * len(given)
    for question, reply in known.items():
        ours = given[question]
        assert (ours.asked, ours.subject, ours.text, ours.facts) == (
            reply.asked,
            reply.subject,
            reply.text,
            reply.facts,
        )
        assert checked(ours, question, None).text == ours.text


def test_marks_and_case_do_not_matter_but_words_do(shop):
    at_hand, _, _ = shop
    assert at_hand.reply("HOW MUCH IS tomato paste, private brand, 6 oz").text.endswith("0.39 USD.")
    assert at_hand.reply("how much is tomato paste, private brand") is None
    assert at_hand.reply("") is None


def test_of_one_name_the_best_seller_is_meant_unless_prices_differ_and_documents_are_left_to_the_chat(shop):
    at_hand, _, _ = shop
    assert at_hand.reply("How much is “Whole milk, private brand, 1 ga”?") is None
    assert at_hand.reply("Is “Whole milk, private brand, 1 ga” in stock?").subject == "10003"
    assert at_hand.reply("“Delivery”") is None
    twin = rows()
    twin["item_facts"].append(item("10009", "Tomato Paste (private brand) 6 oz", 45, buyers_recent=10))
    for price, listed, meant in ((45, True, None), (39, True, "10009"), (45, False, "10001")):
        twin["item_facts"][-1] |= {"price_cents": price, "is_recommendable": listed}
        found = ready(twin)[0].reply("How much is “Tomato paste, private brand, 6 oz”?")
        assert (found and found.subject) == meant


def test_a_point_before_a_number_is_part_of_it():
    goods = [item("10001", "Spices, 18 oz", 39), item("10002", "Spices, .18 oz", 45)]
    at_hand, _, _ = ready({"item_facts": goods})
    assert at_hand.reply("How much is “Spices, 18 oz”?").subject == "10001"
    assert at_hand.reply("How much is “Spices, .18 oz”?").subject == "10002"


@pytest.mark.parametrize(
    ("text", "words"),
    [("Dr. Pepper... .5 l?", "dr pepper .5 l"), ("3.5_oz", "3.5 oz"), ("番茄酱。", "番茄酱"), ("..", "")],
)
def test_marks_part_words(text, words):
    assert spoken(text) == words
