"""Search: shares by brute force, ranks that fuse words and meaning, ties by place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answering.search import Index, words

TEXTS = ["tomato paste", "tomato soup", "whole milk", "milk chocolate bar", "red wine"]
SOME = st.lists(st.sampled_from(["tomato", "paste", "milk", "wine", "unknown", "other"]), max_size=5)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Tomatoes & Berries!", ["tomato", "berry"]), ("glass boxes", ["glass", "box"]),
        ("6.75 oz, 10/12", ["6.75", "oz", "10/12"]),
        ("番茄酱", ["番茄", "茄酱"]), ("茶", ["茶"]), ("Ｍｉｌｋ", ["milk"]), ("", []),
    ],
)  # fmt: skip
def test_words_of_a_text(text, held):
    assert words(text) == held


@given(SOME)
def test_shares_are_those_of_a_plain_count(question):
    index = Index(TEXTS)
    held = [set(words(text)) for text in TEXTS]
    often = {word: sum(word in one for one in held) for one in held for word in one}
    weight = {word: np.log1p(len(TEXTS) / count) for word, count in often.items()}
    unknown = float(np.median(list(weight.values())))
    coverage, filled = index.held(question)
    for place, mine in enumerate(held):
        asked = set(question)
        total = sum(weight.get(word, unknown) for word in asked)
        shared = sum(weight[word] for word in asked & mine)
        assert coverage[place] == pytest.approx(shared / total if total else 0, abs=1e-5)
        assert filled[place] == pytest.approx(shared / sum(weight[word] for word in mine), abs=1e-5)


def test_words_find_the_text_that_holds_them():
    hits = Index(TEXTS).find(["tomato", "paste"])
    assert [TEXTS[hit.place] for hit in hits] == ["tomato paste", "tomato soup"]
    assert hits[0].coverage == pytest.approx(1.0)


def test_meaning_finds_what_no_word_holds_and_agreement_wins():
    vectors = np.eye(5, dtype=np.float32)
    index = Index(TEXTS, vectors)
    assert index.find(["unheard"], vectors[4])[0].place == 4
    assert index.find(["tomato"], vectors[1])[0].place == 1
    assert index.find(["tomato"], vectors[0])[0].place == 0


def test_nothing_is_found_where_nothing_fits():
    assert Index(TEXTS).find(["unheard"]) == []
    assert Index([]).find(["tomato"]) == []
    assert Index([]).held(["tomato"])[0].tolist() == []


def test_equal_texts_come_in_order():
    assert [hit.place for hit in Index(["red wine", "red wine"]).find(["wine"])] == [0, 1]
