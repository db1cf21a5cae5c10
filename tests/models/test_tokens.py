"""What is said is cut where people would cut it."""

import pytest

from pipeline.models.tokens import GLUE, TOKEN


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Where's my 2.5% milk?", ["Where's", "my", "2.5%", "milk"]),
        ("牛肉干 12,5 oz", ["牛", "肉", "干", "12,5", "oz"]),
        ("naïve_café", ["naïve", "café"]),
        ("… !", []),
    ],
)
def test_words(text, words):
    assert TOKEN.findall(text) == words


def test_words_of_speech_name_nothing():
    assert {"the", "is", "吗"} <= GLUE
    assert not GLUE & {"milk", "parcel", "包"}
