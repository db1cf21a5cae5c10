"""Opinion words: what counts for and against, negated, in two scripts; and where a score is cut."""

import numpy as np
import pytest

from pipeline.models import lexicon


@pytest.fixture(autouse=True)
def no_package(monkeypatch):
    monkeypatch.setattr(lexicon, "find_spec", lambda _name: None)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("A great tea, we love it", 1),
        ("Stale and awful", -1),
        ("It is not good", -1),
        ("Never a problem", 1),
        ("It came in a box", 0),
        ("味道不错，送餐快", 1),
        ("难吃，太慢了", -1),
        ("不好吃", -1),
    ],
)
def test_words_for_and_against(text, sign):
    assert np.sign(lexicon.scores([text])[0]) == sign
    assert lexicon.name([text]) == "opinion words"


def test_cuts_give_each_class_its_share():
    score, truth = np.arange(10.0), np.array([0] * 3 + [2] * 5 + [1] * 2)
    cuts = lexicon.cuts(score, truth, 3, order=(0, 2, 1))
    assert np.bincount(np.searchsorted(cuts, score, side="right")).tolist() == [3, 5, 2]
