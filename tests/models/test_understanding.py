"""What a turn leaves unsaid carries over from those before it, and only that."""

from datetime import date

import pytest

from pipeline.models.entities import Names
from pipeline.models.understanding import Turn, Understander

NAMES = Names(["p1", "p2"], ["Pepperoni Pizza", "Diet Coke"])
READS = Understander(NAMES, date(2017, 11, 30))


def understood(*texts):
    speakers = ["user", "bot"] * len(texts)
    return READS.understand([Turn(speaker, text) for speaker, text in zip(speakers, texts, strict=False)])


def test_a_question_by_itself():
    found = understood("where is my order 12345")
    assert found.intent == "order_status"
    assert not found.is_carried
    assert found.slots["order"].value == "12345"
    assert found.ranked[0] == (found.intent, found.confidence)
    assert sum(chance for _, chance in found.ranked) == pytest.approx(1)


def test_the_intent_carries_to_a_turn_that_only_names():
    found = understood("how much is the pepperoni pizza", "It is 9.99.", "and diet coke?")
    assert (found.intent, found.is_carried) == ("price", True)
    assert found.slots["item"].value == "p2"


def test_the_item_carries_to_a_turn_that_only_asks():
    found = understood("how much is the pepperoni pizza", "It is 9.99.", "is it in stock")
    assert (found.intent, found.is_carried) == ("stock", False)
    assert found.slots["item"].value == "p1"
    assert found.slots["item"].turn == 0
    assert found.entities == ()


def test_another_item_forgets_the_pieces_and_the_size_of_the_last():
    found = understood("2 large pepperoni pizza", "Anything else?", "a diet coke")
    assert set(found.slots) == {"item"}
    again = understood("2 pepperoni pizza", "Anything else?", "make it large")
    assert {kind: one.value for kind, one in again.slots.items()} == {"item": "p1", "quantity": "2", "size": "large"}


def test_an_item_the_shop_names_is_spoken_of_and_its_numbers_are_not():
    found = understood("what do you recommend", "The pepperoni pizza, since yesterday. 3 left.", "how much is it")
    assert found.slots["item"].turn == 1
    assert set(found.slots) == {"item"}


def test_the_language_is_that_of_the_last_turn():
    assert understood("hello").language == "en"
    assert understood("hello", "Hi.", "多少钱").language == "zh"


@pytest.mark.parametrize("turns", [[], [Turn("user", "hi"), Turn("bot", "Hello.")]])
def test_the_last_turn_is_the_users(turns):
    with pytest.raises(ValueError, match="last turn"):
        READS.understand(turns)


def test_a_turn_means_the_same_whatever_a_reader_of_it_knows_of_others():
    alone = understood("where is my order")
    later = understood("hello", "Hi.", "where is my order")
    assert alone.intent == later.intent
    assert alone.confidence == pytest.approx(later.confidence)
