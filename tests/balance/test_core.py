"""The common core is what everybody is likely to want, and those of whom little is known get more of it."""

import math

import numpy as np
import pytest

from pipeline.balance.core import common, shrink
from pipeline.balance.surfaces import Ranked


def odds(share: float) -> float:
    return math.log(share / (1 - share))


def test_the_core_is_ranked_by_mean_probability() -> None:
    first = Ranked(np.array([[3, 1], [1, -1]]), np.array([[odds(0.8), odds(0.4)], [odds(0.6), -9.0]]))
    second = Ranked(np.array([[4, 3]]), np.array([[odds(0.3), odds(0.1)]]))
    core = common([first, second], goods=6, count=4)
    assert core.items.tolist() == [[1, 3, 4, -1]]  # 1.0 / 3, 0.9 / 3, 0.3 / 3
    assert core.scores[0, :3].tolist() == pytest.approx([odds(1 / 3), odds(0.3), odds(0.1)])
    assert common([first, second], 6, 2).items.tolist() == [[1, 3]]


def test_blocks_do_not_matter_and_nobody_has_no_core() -> None:
    rng = np.random.default_rng(0)
    items, scores = np.argsort(rng.random((30, 9)))[:, :5], np.sort(rng.normal(size=(30, 5)))[:, ::-1]
    whole = common([Ranked(items, scores)], 9, 9)
    parts = common((Ranked(items[i : i + 7], scores[i : i + 7]) for i in range(0, 30, 7)), 9, 9)
    assert (whole.items == parts.items).all() and whole.scores == pytest.approx(parts.scores)
    assert common([], 3, 2).items.tolist() == [[-1, -1]]


def test_equal_items_stand_by_number() -> None:
    block = Ranked(np.array([[5, 2, 4]]), np.zeros((1, 3)))
    assert common([block], 6, 3).items.tolist() == [[2, 4, 5]]


def test_little_evidence_means_more_of_the_core() -> None:
    own = Ranked(np.tile([1, 2, 3], (4, 1)), np.tile([3.0, 2.0, 1.0], (4, 1)))
    core = Ranked(np.array([[3, 9, 1]]), np.array([[5.0, 4.0, 0.0]]))
    evidence = np.array([0, 5, 95, 1e12])
    shrunk = shrink(own, core, evidence, 5.0)
    assert shrunk.items.tolist() == [[3, 9, 1], [3, 9, 1], [1, 2, 3], [1, 2, 3]]
    assert shrunk.scores[0].tolist() == [5.0, 4.0, 0.0]  # nothing known: the core itself
    assert shrunk.scores[1].tolist() == [3.0, 2.5, 1.5]
    assert shrunk.scores[2].tolist() == pytest.approx([2.85, 1.9, 1.2])
    place_of_9 = [np.flatnonzero(row == 9) for row in shrunk.items]
    assert [len(one) for one in place_of_9] == [1, 1, 0, 0]
    assert shrink(own, core, evidence, 0.0) is own
