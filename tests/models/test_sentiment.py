"""The whole reader of reviews: how it draws its parts, weighs its readers, and is kept."""

from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import NoData
from pipeline.metrics import calibration
from pipeline.models import sentiment
from pipeline.models.sentiment import Lesson, Mix
from pipeline.models.text_classifier import Labelled
from pipeline.record import JsonRecorder
from pipeline.settings import SentimentSettings, Training

TEXTS = [f"{words} number {n}" for n in range(60) for words in ("a good and fresh tea", "a stale and bad tea")]
TRUTH = np.tile([1, 0], 60)


def small(checkpoint):
    rates = Training(
        steps=20, warm_steps=2, batch_size=16, learning_rate=3e-3, warm_learning_rate=1e-3, eval_steps=5, patience=2
    )
    return SentimentSettings(checkpoint=f"path:{checkpoint}", max_tokens=16, trained_layers=1, training=rates)


def learned(folder, checkpoint, **more):
    return sentiment.learn(
        Lesson.of(Labelled(TEXTS, TRUTH)),
        ["bad", "good"],
        small(checkpoint),
        home=folder,
        folder=folder / "run",
        seed=0,
        recorder=JsonRecorder(folder / "notes"),
        progress=lambda *_: None,
        **more,
    )


def test_it_learns_carries_on_and_is_kept(tiny_bert, tmp_path):
    seen = []
    model = learned(
        tmp_path, tiny_bert, frozen=lambda _encoder, states, truth: seen.append((*states.shape, len(truth)))
    )
    assert seen == [(120, 32, 120)]
    asked = ["a stale tea", "fresh and good", ""]
    chance = model.probabilities(asked)
    assert chance[:2].argmax(1).tolist() == [0, 1]
    assert np.allclose(chance.sum(1), 1)
    kept = tmp_path / "kept"
    kept.mkdir()
    model.save(kept)
    assert np.allclose(sentiment.load(kept, tmp_path).probabilities(asked), chance, atol=1e-6)
    assert model.probabilities([]).shape == (0, 2)
    carried = learned(tmp_path / "next", tiny_bert, champion=kept)
    assert carried.probabilities(asked)[:2].argmax(1).tolist() == [0, 1]


def test_parts_are_drawn_by_the_text_and_share_none():
    lesson = Lesson.of(Labelled([*TEXTS, *(text.upper() for text in TEXTS)], np.tile(TRUTH, 2)))
    assert not set(lesson.fit) & set(lesson.valid)
    assert len(lesson.fit) + len(lesson.valid) == 240
    lower = {lesson.all.texts[place].lower() for place in lesson.valid}
    assert not lower & {lesson.all.texts[place].lower() for place in lesson.fit}
    assert set(lesson.all.truth[lesson.valid]) == {0, 1}


@pytest.mark.parametrize(("texts", "truth"), [(TEXTS[:10], TRUTH[:10]), (TEXTS, np.zeros(120, int))])
def test_too_little_is_said(texts, truth):
    with pytest.raises(NoData, match="too few to learn from"):
        Lesson.of(Labelled(texts, truth))


def test_what_knows_nothing_gets_no_weight_and_too_sure_a_reader_is_cooled():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 2000)
    log_odds = rng.normal(0, 2, 2000)
    truth = (rng.random(2000) < 1 / (1 + np.exp(-log_odds))).astype(int)
    knows, noise = np.stack([-log_odds, log_odds], 1) * 5, rng.normal(0, 1, (2000, 2))
    mix = Mix.learn([knows, noise], truth)
    assert mix.weights[1] < 0.1
    assert mix.weights[0] == pytest.approx(0.1, rel=0.15)  # half the log-odds each way, five times too sure
    logits = mix.logits([knows, noise])
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert calibration.expected_calibration_error(chance[:, 1], truth) < 0.03


@given(st.text(max_size=8))
def test_the_draw_is_of_the_words_alone(text):
    assert 0 <= sentiment.drawn(text) < 1
    assert sentiment.drawn(f"  {text} ") == sentiment.drawn(text)


def test_some_texts_teach_once_more_as_they_are_wrongly_written():
    plain = Labelled(TEXTS[:20], TRUTH[:20])
    more = sentiment.with_noise(plain, 0.25, 0)
    assert more.texts[:20] == plain.texts
    assert len(more.texts) == len(more.truth) == 25
    assert not set(more.texts[20:]) & set(plain.texts)
    for text, truth in zip(more.texts[20:], more.truth[20:], strict=True):
        assert (
            truth == TRUTH[max(range(20), key=lambda place: SequenceMatcher(None, TEXTS[place], text.lower()).ratio())]
        )
    assert sentiment.with_noise(plain, 0, 0).texts == plain.texts
