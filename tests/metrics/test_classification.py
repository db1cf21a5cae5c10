"""Classes told apart: figures worked out by hand, and scikit-learn's as an oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from pipeline.metrics import classification

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


def test_figures_by_hand():
    truth, told = [0, 0, 1, 1], [0, 1, 1, 1]
    assert classification.accuracy(truth, told) == 0.75
    # precision and recall: class 0 is 1 and 1/2, class 1 is 2/3 and 1
    assert classification.macro_f1(truth, told) == pytest.approx((2 / 3 + 4 / 5) / 2)


@given(PAIRS)
def test_both_agree_with_another_library(pairs):
    truth, told = map(np.array, zip(*pairs, strict=True))
    assert classification.accuracy(truth, told) == accuracy_score(truth, told)
    assert classification.macro_f1(truth, told) == pytest.approx(f1_score(truth, told, average="macro"))


def test_a_flip_counts_only_what_was_right():
    truth, before, now = [0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 0, 1]
    assert classification.negative_flip_rate(truth, before, now) == 0.5
    assert classification.negative_flip_rate(truth, truth, truth) == 0


@pytest.mark.parametrize(("truth", "told"), [([], []), ([0], [0, 1]), ([[0]], [[0]])])
def test_what_cannot_be_measured_is_refused(truth, told):
    with pytest.raises(ValueError, match="true classes"):
        classification.accuracy(truth, told)
