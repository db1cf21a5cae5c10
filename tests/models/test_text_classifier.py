"""The encoder with a head: how long texts are cut, loss and head against plain sums, tuning that learns, keeping it."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pipeline.models import text_classifier
from pipeline.models.text_classifier import Labelled, TextClassifier
from pipeline.record import JsonRecorder
from pipeline.settings import Training

TEXTS = ["good fresh tea", "stale and bad tea", "tea", "a bad cup, a bad box, a bad day and a bad tea again"]
RATES = Training(
    steps=30, warm_steps=2, batch_size=8, learning_rate=3e-3, warm_learning_rate=1e-3, eval_steps=5, patience=3
)


@pytest.fixture
def model(tiny_bert):
    torch.manual_seed(0)
    return TextClassifier(tiny_bert, 2, 12)


def test_a_text_too_long_keeps_both_its_ends(model):
    short, long = model.ids(["one two three", " ".join(f"{n}" for n in range(30))])
    whole = model.tokenizer(" ".join(f"{n}" for n in range(30)), add_special_tokens=False).input_ids
    assert short == model.tokenizer("one two three").input_ids
    assert long == [short[0], *whole[:8], *whole[-2:], short[-1]]


def test_states_do_not_depend_on_what_stands_beside(model):
    together = model.states(TEXTS)
    alone = np.concatenate([model.states([text]) for text in TEXTS])
    assert np.allclose(together, alone, atol=1e-5)
    assert model.states([]).shape == (0, 32)


def test_the_head_becomes_the_regression_over_states(model):
    states, truth = np.random.default_rng(0).normal(5, 3, (60, 32)).astype(np.float32), np.arange(60) % 2
    model.fit_head(states, truth, 0)
    scaled = (states - states.mean(0)) / (states.std(0) + 1e-6)
    plain = LogisticRegression(C=text_classifier.FROZEN_PENALTY / 32, max_iter=500).fit(scaled, truth)
    logits = model.head_of(states)
    assert np.allclose(logits[:, 1] - logits[:, 0], plain.decision_function(scaled), atol=1e-3)


def test_the_loss_is_the_cross_entropy_of_the_logits(model):
    model.eval().fit_head(model.states(TEXTS), np.array([1, 0, 1, 0]), 0)
    truth = torch.tensor([1, 0, 0, 0])
    loss = model(model.padded(model.ids(TEXTS)), truth)["loss"].item()
    logits = model.logits(TEXTS)
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert loss == pytest.approx(-np.log(chance[np.arange(4), truth.numpy()]).mean(), abs=1e-4)


def test_lower_layers_read_once_and_the_loss_is_that_of_all_layers(model):
    model.tune_top(1)
    assert model.lower_layers == 1
    rows = [{"input_ids": ids} for ids in model.ids(TEXTS)]
    held = model.lower(rows)
    assert [tuple(row["states"].shape) for row in held] == [(len(row["input_ids"]), 32) for row in rows]
    model.eval().fit_head(model.states(TEXTS), np.array([1, 0, 1, 0]), 0)
    truth = torch.tensor([1, 0, 0, 0])
    whole, quick = (model(model.batch(one), truth)["loss"].item() for one in (rows, held))
    assert quick == pytest.approx(whole, abs=1e-3)
    model.tune_top(2)
    assert model.lower_layers == 0
    model.body.requires_grad_(False)
    assert model.lower_layers == 2


def test_tuning_learns_keeps_the_rest_and_is_kept_whole(model, tiny_bert, tmp_path):
    texts = [f"{word} tea {n}" for n in range(16) for word in ("good", "bad")]
    part = Labelled(texts, np.tile([1, 0], 16))
    before = {name: value.clone() for name, value in model.named_parameters()}
    model.tune_top(1)
    model = text_classifier.tune(
        model,
        part,
        part,
        RATES,
        warm=False,
        folder=tmp_path / "run",
        seed=0,
        recorder=JsonRecorder(tmp_path / "notes"),
    )
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith(("body.encoder.layer.1.", "head.")) for name in moved)
    assert model.trained_layers == 1
    kept = tmp_path / "kept"
    kept.mkdir()
    model.save(kept)
    again = TextClassifier(tiny_bert, 2, 12)
    again.read(kept)
    assert np.array_equal(again.logits(texts), model.logits(texts))
    again.body.requires_grad_(False)  # what is carried on is kept whole, though fewer layers are tuned now
    again.save(kept)
    later = TextClassifier(tiny_bert, 2, 12)
    later.read(kept)
    assert np.array_equal(later.logits(texts), model.logits(texts))


def test_effort_counts_the_way_back_through_what_is_trained():
    assert text_classifier.effort(100, 12, 6) == 100 * (12 + 12)


@pytest.mark.parametrize(
    ("texts", "warm", "steps", "every"),
    [
        (80, False, 100, 5),  # ten passes of few texts
        (800, False, 200, 25),  # four, to make LEAST_STEPS
        (1600, False, 200, 50),  # two passes
        (1600, True, 100, 50),  # a champion is carried on by one
    ],
)
def test_few_texts_are_passed_over_more_often(model, monkeypatch, tmp_path, texts, warm, steps, every):
    plans = []
    monkeypatch.setattr(text_classifier.harness, "fine_tune", lambda *_, settings, **__: plans.append(settings))
    part = Labelled(["good tea"] * texts, np.zeros(texts, int))
    rates = RATES.model_copy(update={"steps": 900, "warm_steps": 900, "batch_size": 16 if texts > 80 else 8})
    model.tune_top(1)
    text_classifier.tune(model, part, part, rates, warm=warm, folder=tmp_path, seed=0, recorder=JsonRecorder(tmp_path))
    assert (plans[0].steps, plans[0].warm_steps) == (steps, steps)
    assert plans[0].eval_steps == every


def test_hardened_training_asks_more_than_the_plain_loss_and_evaluation_does_not(model, monkeypatch):
    monkeypatch.setattr(text_classifier, "DROPOUT", 0)
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0
    model.fit_head(model.states(TEXTS), np.array([1, 0, 1, 0]), 0)
    model.tune_top(1)
    truth = torch.tensor([1, 0, 1, 0])
    rows = [{"input_ids": ids} for ids in model.ids(TEXTS)]
    for batch in (model.batch(rows), model.batch(model.lower(rows))):
        model.train()
        model.radius = 0
        plain = model(batch, truth)["loss"].item()
        model.radius = 0.1
        hard = model(batch, truth)["loss"]
        assert hard.item() > plain
        hard.backward()
        assert model.body.encoder.layer[1].output.dense.weight.grad.abs().sum() > 0
        assert model.eval()(batch, truth)["loss"].item() == pytest.approx(plain, abs=1e-5)
