"""Word counts with a linear model: what it finds, that keeping loses nothing, two classes against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pipeline.models import word_counts

GOOD = [f"the tea number {n} is good and fresh" for n in range(20)]
BAD = [f"the tea number {n} is stale and not good" for n in range(20)]
TEXTS, TRUTH = GOOD + BAD, np.repeat([1, 0], 20)


@pytest.fixture(scope="module")
def model():
    return word_counts.learn(TEXTS[::2], TRUTH[::2], TEXTS[1::2], TRUTH[1::2], 2, "margin", 0)


def test_it_tells_what_it_was_taught(model):
    assert (model.logits(TEXTS[1::2]).argmax(1) == TRUTH[1::2]).all()


def test_kept_and_read_again_it_gives_the_same(model, tmp_path):
    model.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".json"}
    asked = ["tea, fresh and good!", "味道不错", ""]
    assert np.allclose(word_counts.load(tmp_path).logits(asked), model.logits(asked), atol=1e-5)


def test_two_classes_share_the_log_odds_of_a_plain_regression(model):
    rows = model.counts.of(TEXTS)
    weights, intercept = word_counts.linear(rows, TRUTH, 2, "logistic", 2.0, 0)
    plain = LogisticRegression(C=2.0, max_iter=500).fit(rows, TRUTH)
    logits = rows @ weights + intercept
    assert np.allclose(logits[:, 1] - logits[:, 0], plain.decision_function(rows), atol=1e-6)


def test_kinds_chosen_together_are_those_chosen_alone(model):
    parts = (TEXTS[::2], TRUTH[::2], TEXTS[1::2], TRUTH[1::2], 2)
    both = word_counts.learn_each(*parts, ("logistic", "margin"), 0)
    assert both["margin"].penalty == model.penalty
    assert both["margin"].counts.view == model.counts.view
    assert np.array_equal(both["margin"].weights, model.weights)
    assert both["logistic"].penalty in word_counts.PENALTIES["logistic"]


def test_three_classes_and_chinese_without_spaces():
    texts = ["很好吃，下次再来"] * 5 + ["一般般吧，还行"] * 5 + ["太难吃了，不会再买"] * 5
    truth = np.repeat([2, 1, 0], 5)
    model = word_counts.learn(texts, truth, texts, truth, 3, "logistic", 0)
    assert model.logits(["难吃，不会再来"]).argmax() == 0
    refitted = word_counts.again(model, texts, truth, 3, 0)
    assert np.array_equal(refitted.weights, model.weights)


def test_a_class_that_no_text_is_of_is_never_told():
    model = word_counts.learn(TEXTS, TRUTH * 2, TEXTS, TRUTH * 2, 4, "margin", 0)
    logits = model.logits(TEXTS)
    assert logits.shape == (40, 4)
    assert (logits.argmax(1) == TRUTH * 2).all()
    assert (logits[:, [1, 3]] == word_counts.NEVER).all()
