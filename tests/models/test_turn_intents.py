"""A shop's own intents: the likeliest by all readers, others by margins of their own, kept and read again."""

import numpy as np
import pytest

from pipeline.errors import NoData
from pipeline.models import turn_intents
from pipeline.models.intents import IntentReader
from pipeline.models.turn_intents import Company, Lessons, codes
from pipeline.models.word_counts import Counts
from pipeline.record import JsonRecorder
from pipeline.settings import SentimentSettings, Training

TEXTS = [
    f"{words} {n}" for n in range(40) for words in ("one tea please", "a cake for me", "hello there", "tea and a cake")
]
INTENTS = [("tea",), ("cake",), ("hello",), ("cake", "tea")] * 40
VALID = np.repeat(np.arange(40) % 5 == 0, 4)


def small(checkpoint):
    rates = Training(
        steps=20, warm_steps=2, batch_size=16, learning_rate=3e-3, warm_learning_rate=1e-3, eval_steps=5, patience=2
    )
    return SentimentSettings(checkpoint=f"path:{checkpoint}", max_tokens=16, trained_layers=1, training=rates)


def test_it_learns_and_is_kept(tiny_bert, tmp_path):
    model = turn_intents.learn(
        Lessons(TEXTS, INTENTS, VALID),
        small(tiny_bert),
        home=tmp_path,
        folder=tmp_path / "run",
        seed=0,
        recorder=JsonRecorder(tmp_path / "notes"),
        progress=lambda *_: None,
    )
    asked = ["tea please 99", "hello", "tea and a cake 99"]
    chance = model.probabilities(asked)
    assert model.told(asked, chance) == [("tea",), ("hello",), ("cake", "tea")]
    assert chance[2].max() < 0.8 < chance[1].max()
    reads: IntentReader = model
    assert reads.classes == ["cake", "hello", "tea"]
    kept = tmp_path / "kept"
    kept.mkdir()
    model.save(kept)
    again = turn_intents.load(kept, tmp_path)
    assert np.allclose(again.probabilities(asked), chance, atol=1e-6)
    assert again.told(asked, chance) == model.told(asked, chance)


def test_only_sets_that_were_taught_are_told():
    counts, _rows = Counts.learn(TEXTS, "words")
    intents = [told if told != ("hello",) else ("hello", "tea") for told in INTENTS]
    company = Company.learn(counts, 1.0, TEXTS, intents, ["cake", "hello", "tea"], 0)
    everything = Company(company.weights, company.level, company.known, -9.0)
    for told in everything.told(counts, TEXTS, ["cake"] * len(TEXTS), ["cake", "hello", "tea"]):
        assert told == ("cake",) or told in company.known
    assert company.known == {("cake", "tea"), ("hello", "tea")}


def test_where_nothing_stood_in_company_one_is_told():
    counts, _rows = Counts.learn(TEXTS, "words")
    company = Company.learn(counts, 1.0, TEXTS, [told[:1] for told in INTENTS], ["cake", "hello", "tea"], 0)
    assert company.told(counts, ["tea and a cake"], ["tea"], ["cake", "hello", "tea"]) == [("tea",)]


def test_sets_are_classes_of_their_own():
    first, second = codes([("a",), ("a", "b")], [("a", "b"), ("b",)])
    assert first.tolist() == [0, 1]
    assert second.tolist() == [1, 2]


@pytest.mark.parametrize(("texts", "intents"), [(TEXTS[:8], INTENTS[:8]), (TEXTS, [("tea",)] * 160)])
def test_too_little_is_said(texts, intents):
    with pytest.raises(NoData, match="too few to learn from"):
        Lessons(texts, intents, VALID[: len(texts)]).lesson()


def test_a_turn_of_several_stands_once_for_each():
    lesson = Lessons(TEXTS, INTENTS, VALID).lesson()
    assert len(lesson.all.texts) == 200
    assert not {lesson.all.texts[place] for place in lesson.fit} & {lesson.all.texts[place] for place in lesson.valid}
