"""Documents: passages of whole sentences, and one only where it surely answers."""

import numpy as np
import pytest

from pipeline.answering.facts import is_harmless
from pipeline.answering.library import PASSAGE, Library, passages
from pipeline.answering.search import words
from pipeline.answering.tools import Shop
from tests.small_shop import Source, rows


@pytest.fixture(scope="module")
def library():
    return Library(Shop(Source(rows())).documents)


@pytest.mark.parametrize(
    ("question", "document", "piece"),
    [
        ("return unopened goods", "returns", "within 30 days"),
        ("shipping costs", "delivery", "4.90 USD"),
        ("refund to my card", "returns", "5 working days"),
    ],
)
def test_the_passage_that_answers_is_found(library, question, document, piece):
    found = library.find(question, words(question))
    assert found.document.key == document
    assert piece in found.text
    assert (found.fact.column, found.fact.shown) == ("document_text", found.text)


@pytest.mark.parametrize("question", ["opening hours on Sunday", "weather tomorrow", "jobs"])
def test_where_none_does_none_is_given(library, question):
    assert library.find(question, words(question)) is None


def test_a_shop_without_documents_has_none():
    assert Library([]).find("returns", ["return"]) is None


def test_passages_are_whole_sentences_that_lose_nothing():
    text = " ".join(f"Sentence number {n} is here." for n in range(40))
    found = passages(text)
    assert " ".join(found) == text
    assert all(one.endswith(".") and len(one) <= PASSAGE + 30 for one in found)


def test_numbers_with_points_are_not_cut():
    assert passages("It costs 4.90 USD. Free over 50.") == ["It costs 4.90 USD. Free over 50."]
    assert passages("满50元包邮。七天无理由退货。") == ["满50元包邮。七天无理由退货。"]


def test_passages_are_harmless():
    (one,) = passages("Write to <b>us</b> at http://evil.example/ or a@b.example now.")
    assert is_harmless(one)


def test_meaning_finds_too_and_is_asked_when_there_is_something_to_find():
    asked = []

    def encode(texts):
        asked.append(len(texts))
        return np.array([[float("Refunds" in text or "money" in text), 0.1] for text in texts], np.float32)

    documents = Shop(Source(rows())).documents
    library = Library(documents, encode)
    assert asked == []
    found = library.find("is my money safe", ["money", "safe"])
    assert "Refunds" in found.text
    assert sorted(asked) == [1, 3]
    assert Library([], encode).find("money", ["money"]) is None
