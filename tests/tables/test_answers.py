"""The answers table: what it is about, in each language, and nothing unsound in it."""

from pipeline.answering.kinds import Kinds
from pipeline.answering.tools import Shop
from pipeline.contracts.tables import ANSWERS
from pipeline.tables import answers
from tests.small_shop import Source, answerer, rows


def made(given=None, most=10):
    return ANSWERS.enforce(answers.rows(Shop(Source(given or rows())), most)).to_pylist()


def test_the_best_sellers_come_first_and_only_what_may_stand_in_a_list():
    shop = Shop(Source(rows()))
    assert [row.key for row in answers.best_sellers(shop, 3)] == ["10001", "10002", "10003"]
    assert "10007" not in {row.key for row in answers.best_sellers(shop, 99)}


def test_each_is_answered_in_each_language():
    told = {(row["asked"], row["subject"], row["answer_language"]): row for row in made(most=2)}
    assert {asked for asked, _, _ in told} == {"price", "stock", "about", "opinion", "campaign", "policy", "popular"}
    for asked, subject, _language in told:
        assert {(asked, subject, "en"), (asked, subject, "zh")} <= set(told)
    row = told["price", "10001", "en"]
    assert row["question"] == "How much is “Tomato paste, private brand, 6 oz”?"
    assert row["answer"] == "“Tomato paste, private brand, 6 oz” costs 0.39 USD."
    assert {fact["shown"] for fact in row["answer_facts"]} == {"Tomato paste, private brand, 6 oz", "0.39 USD"}
    assert row["confidence"] == 1


def test_more_items_add_answers_and_change_none():
    few, many = made(most=1), made(most=3)
    assert all(row in many for row in few)
    assert len(many) > len(few)


def test_hostile_names_reach_no_answer_as_they_are():
    given = rows()
    given["item_facts"][0]["title"] = "Paste ![x](http://evil.example/?q=) <script>"
    told = made(given)
    assert not any("evil.example" in row["answer"] + row["question"] or "<" in row["answer"] for row in told)


def test_a_shop_of_goods_alone_has_answers_about_them():
    assert {row["asked"] for row in made({"item_facts": rows()["item_facts"]})} == {
        "price", "stock", "about", "opinion", "popular"
    }  # fmt: skip


def test_the_chat_is_asked_the_questions_of_best_sellers_in_each_language():
    chat, source = answerer()
    told = answers.tried(answers.rows(Shop(source), 10), chat, most=20).to_pylist()
    asked = [row for row in told if row["is_understood"] is not None]
    assert [row["answer_language"] for row in asked] == ["en"] * 10 + ["zh"] * 10
    assert {row["subject"] for row in asked} == {"10001", "10002", "10003"}
    assert sum(row["is_understood"] for row in asked) >= 18


def test_what_the_chat_takes_for_something_else_is_not_understood():
    chat, source = answerer(kinds=Kinds.learn(["a", "b", "how much is item"], ["hello", "thanks", "stock"]))
    told = answers.tried(answers.rows(Shop(source), 1), chat).to_pylist()
    assert {row["asked"] for row in told if row["is_understood"]} <= {"stock"}
