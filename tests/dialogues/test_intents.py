"""How ways of telling intents are judged: over sets of them, and over turns of one."""

import pytest

from pipeline.dialogues import intents
from pipeline.dialogues.intents import BASELINE, OURS


def test_judged_over_sets_and_over_turns_of_one():
    truth = [("a",), ("b",), ("a", "b"), (), ("a",)] * 20
    told = {
        OURS: [("a",), ("b",), ("a", "b"), ("b",), ("b",)] * 20,
        BASELINE: [("a",), ("a",), ("a",), ("a",), ("a",)] * 20,
    }
    figures, gains = intents.judge(truth, told, seed=0)
    assert figures[OURS]["accuracy"] == pytest.approx(0.75)
    assert figures[OURS]["single_accuracy"] == pytest.approx(2 / 3)
    assert figures[BASELINE]["accuracy"] == pytest.approx(0.5)
    # By hand: F1 of a, b and both: 2/3, 2/3, 1; of the baseline 2/3, 0, 0.
    assert figures[OURS]["macro_f1"] == pytest.approx(7 / 9)
    assert figures[BASELINE]["macro_f1"] == pytest.approx(2 / 9)
    assert gains["accuracy"][0] == pytest.approx(0.25)
    assert gains["accuracy"][1] < 0.25 < gains["accuracy"][2]


def test_without_labels_nothing_is_judged():
    assert intents.judge([()], {OURS: [("a",)]}, 0) == ({}, {})
