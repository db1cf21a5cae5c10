"""Which article is named: by number, quote and words; unknown ones are none, and several are several."""

import numpy as np
import pytest

from pipeline.answering.goods import Goods
from pipeline.answering.tools import Shop
from tests.small_shop import Source, item, rows


@pytest.fixture(scope="module")
def goods():
    return Goods(Shop(Source(rows())))


@pytest.mark.parametrize(
    ("question", "items"),
    [
        ("how much is 10002?", ["10002"]),
        ("how much is tomato paste, national brand, 12 oz", ["10002"]),
        ("price of “Tomato paste, private brand, 6 oz”", ["10001"]),
        ("how much is the tomato paste", ["10001", "10002"]),
        ("Tomato paste 多少钱", ["10001", "10002"]),
        ("is whole milk in stock", ["10003", "10006"]),
        ("how much is dr pepper", ["10005"]),
        ("Tomato paste, national brand, 12 oz: what is the price?", ["10002"]),
        ("what brand is tomato paste, private brand, 6 oz", ["10001"]),
        ("how much is tomatto paste", ["10001", "10002"]),
        ("price of dark chocolatte", ["10004"]),
        ("price of “Wole milk”", []),
    ],
)
def test_articles_are_found(goods, question, items):
    assert [row.key for row in goods.mentioned(question).items] == items


@pytest.mark.parametrize(
    "question", ["how much is an iphone 15", "price of “Golden unicorn food”", "what does caviar cost"]
)
def test_what_the_shop_has_not_is_named_and_not_found(goods, question):
    mention = goods.mentioned(question)
    assert mention.said
    assert not mention.items
    assert mention.coverage < 0.62


@pytest.mark.parametrize("question", ["how much is it", "what do you recommend", "谢谢", ""])
def test_a_question_may_name_nothing(goods, question):
    assert not goods.mentioned(question).said


def test_what_may_stand_in_a_list_comes_before_what_may_not():
    given = [
        item("1" * 5, "Red wine", is_recommendable=False),
        item("2" * 5, "Red wine"),
        item("3" * 5, "Blue soap", is_recommendable=False),
    ]
    goods = Goods(Shop(Source({"item_facts": given})))
    assert [row.key for row in goods.mentioned("red wine").items] == ["22222"]
    assert [row.key for row in goods.mentioned("blue soap").items] == ["33333"]


def test_words_beside_a_name_count(goods):
    assert not goods.mentioned("tomato paste unicorn price").items


@pytest.mark.parametrize(
    ("question", "items"),
    [
        ("what do folks usually grab with tomato paste", ["10001", "10002"]),
        ("yo, dark chocolate now", ["10004"]),
        ("how many calories has the tomato paste", []),  # that is asked of something else
        ("tomato paste unicorn, if u have it", []),
        ("blah blubb foo dark chocolate", []),  # beside a name
        ("now blah, now blubb, now foo, now chocolate", []),  # too much talk for one word
    ],
)
def test_how_people_speak_does_not_count(goods, question, items):
    assert [row.key for row in goods.mentioned(question).items] == items


def test_marks_within_a_name_do_not_part_it():
    goods = Goods(
        Shop(
            Source({"item_facts": [item("1" * 5, "Sw gds:donuts, 30 oz"), item("2" * 5, "Sw gds:donuts, 30 oz/12 ct")]})
        )
    )
    for question in ("Sw gds:donuts, 30 oz: what is the price?", "So what would Sw gds:donuts, 30 oz cost me?"):
        assert [row.key for row in goods.mentioned(question).items] == ["11111"]


def test_a_turn_narrows_down_what_was_spoken_of(goods):
    before = goods.mentioned("10001")
    assert [row.key for row in goods.narrowed("and the 12 oz one?", before).items] == ["10002"]
    assert [row.key for row in goods.narrowed("national, please", before).items] == ["10002"]
    for question in ("and the 7 oz one", "whole milk", "10003", "is it in stock", "“12 oz”"):
        assert goods.narrowed(question, before) is None
    assert goods.narrowed("and the 12 oz one?", goods.mentioned("unicorn")) is None


def test_a_point_before_a_number_is_part_of_it():
    goods = Goods(Shop(Source({"item_facts": [item("1" * 5, "Spices, 18 oz"), item("2" * 5, "Spices, .18 oz")]})))
    for number, name in (("1", "Spices, 18 oz"), ("2", "Spices, .18 oz")):
        assert [row.key for row in goods.mentioned(f"how much is {name}").items] == [number * 5]
        assert [row.key for row in goods.mentioned(f"how much is “{name}”").items] == [number * 5]


def test_equal_names_are_one_article(goods):
    assert goods.mentioned("whole milk, private brand, 1 ga").is_one
    assert not goods.mentioned("tomato paste").is_one


@pytest.mark.parametrize(
    ("question", "masked"),
    [
        ("How much is the tomato paste?", "How much is the item ?"),
        ("How much is “Anything at all”?", "How much is item ?"),
        ("what is in order 900001", "what is in order number"),
        ("price of 10001", "price of item"),
        ("does tomato paste contain nuts", "does item contain nuts"),
        ("Tomato paste, private brand, 6 oz: what is the price?", "item : what is the price ?"),
        ("what brand is tomato paste, private brand", "what brand is item"),
        ("how much is tomatto paste", "how much is item"),
    ],
)
def test_names_are_taken_out(goods, question, masked):
    assert goods.masked(question) == masked


class Meaning:
    """Vectors of items, each its own axis, and of every text one that is given."""

    def __init__(self, vector):
        self.vector = vector

    def items(self, items):
        return np.eye(len(items), dtype=np.float32)

    def __call__(self, texts):
        return np.array([self.vector] * len(texts), np.float32)


def test_meaning_gives_a_guess_and_never_an_answer():
    shop = Shop(Source(rows()))
    axes = np.eye(len(shop.items))
    mention = Goods(shop, Meaning(axes[4])).mentioned("how much is a fizzy drink")
    assert mention.items == ()
    assert mention.guess.key == "10005"
    for vector in (0.3 * axes[4], axes[6]):  # too unlike; stands in no list
        assert Goods(shop, Meaning(vector)).mentioned("how much is a fizzy drink").guess is None
