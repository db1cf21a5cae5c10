"""Kinds of questions: as scikit-learn weighs their words, and the same once kept and read again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline.answering import kinds
from pipeline.answering.asking import examples
from pipeline.answering.kinds import Kinds
from pipeline.learning import champions

ASKED = [
    ("how much is item", "price"), ("price of item", "price"), ("hello there", "hello"), ("good morning", "hello"),
    ("thank you", "thanks"),
]  # fmt: skip
QUESTIONS, ABOUT = zip(*ASKED, strict=True)
VECTORS = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, -1]], np.float32)


LEARNED = Kinds.learn(QUESTIONS, ABOUT)
COUNTS = TfidfVectorizer(analyzer=kinds._pieces, sublinear_tf=True).fit(QUESTIONS)


@pytest.fixture(scope="module")
def learned():
    return Kinds.learn(QUESTIONS, ABOUT, VECTORS)


def test_what_was_taught_is_told(learned):
    assert learned.names == ("hello", "price", "thanks")
    assert learned.by_words("how much is it").argmax() == 1
    assert learned.by_words("good evening").argmax() == 0
    assert learned.meaning.chances(np.array([1.0, 0.0])).argmax() == 1


@settings(max_examples=40)
@given(st.text(max_size=40) | st.sampled_from([question for question, _about in examples()]))
def test_words_are_weighed_as_scikit_learn_does(text):
    row = COUNTS.transform([text]).toarray()[0]
    assert np.allclose(LEARNED.by_words(text), LEARNED.words.chances(row), atol=1e-6)


def test_chances_sum_to_one_even_where_nothing_is_known(learned):
    for text in ("", "qwrtz", "how much"):
        assert learned.by_words(text).sum() == pytest.approx(1)


def test_what_is_kept_tells_the_same(learned, tmp_path):
    version = champions.keep(tmp_path, "asking", lambda to: learned.save(to, "abc"))
    folder = champions.folder(tmp_path, "asking", version)
    again = kinds.load(folder)
    assert champions.config(folder)["lessons"] == "abc"
    assert again.names == learned.names
    for text in (*QUESTIONS, "what is the price", "多少钱"):
        assert np.array_equal(again.by_words(text), learned.by_words(text))
    assert np.array_equal(again.meaning.chances(VECTORS[0]), learned.meaning.chances(VECTORS[0]))


def test_without_an_encoder_there_is_no_meaning(tmp_path):
    Kinds.learn(QUESTIONS, ABOUT).save(tmp_path, "abc")
    assert kinds.load(tmp_path).meaning is None
