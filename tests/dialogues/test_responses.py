"""Ranks within a context, and figures of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dialogues import responses
from pipeline.dialogues.contexts import Contexts


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2)), min_size=1))
def test_ranks_are_those_of_counting_what_is_as_good_or_better(rows):
    context = np.array(sorted(one for one, _ in rows))
    score = np.array([float(one) for _, one in rows])
    brute = [sum(score[j] >= score[i] for j in range(len(rows)) if context[j] == context[i]) for i in range(len(rows))]
    assert responses.ranks(context, score).tolist() == brute


def test_judged_over_contexts_that_have_an_answer():
    asked = Contexts([("q",)] * 3, np.repeat([0, 1, 2], 3), ["x"] * 9, np.array([1, 0, 0, 0, 1, 0, 0, 0, np.nan]))
    placed = {
        "fused": np.array([1, 2, 3, 2, 1, 3, 1, 2, 3]),
        "BM25": np.array([1, 2, 3, 1, 3, 2, 1, 2, 3]),
    }
    figures, gains = responses.judge(asked, placed, 0)
    assert figures["fused"]["recall_at_1"] == 1
    assert figures["BM25"]["recall_at_1"] == 0.5
    assert figures["BM25"]["recall_at_5"] == 1
    assert figures["BM25"]["mrr"] == pytest.approx((1 + 1 / 3) / 2)
    assert gains["BM25"][0] == 0.5


def test_without_labels_nothing_is_judged():
    asked = Contexts([("q",)], np.array([0]), ["x"], np.array([np.nan]))
    assert responses.judge(asked, {"fused": np.array([1])}, 0) == ({}, {})
