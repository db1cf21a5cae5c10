"""The closed form against a solution by hand, and what it says of sequences."""

import numpy as np
import pytest

from pipeline.features.sequences import Lines
from pipeline.models import linear
from pipeline.models.linear import Linear, Ways
from pipeline.models.next_items import Sequences


def lines(taken: list[list[int]]) -> Lines:
    start = np.cumsum([0, *map(len, taken)])
    return Sequences(np.array([one for line in taken for one in line], np.int64), start).lines


def test_weights_solve_the_ridge_regression_of_every_step() -> None:
    past = np.array([[1, 0, 0], [0.7, 1, 0], [0, 0, 1]])
    after = np.array([[0, 1, 0.6], [0, 0, 1], [1, 0, 0]])
    expected = np.linalg.solve(past.T @ past + linear.RIDGE * np.eye(3), past.T @ after)
    np.fill_diagonal(expected, 0)
    found = Linear.learn(lines([[0, 1, 2], [2, 0], [1], []]), 3, 10)
    np.testing.assert_allclose(found.weights, expected, atol=1e-6)


def test_only_the_most_taken_take_part() -> None:
    learned = Linear.learn(lines([[0, 2, 4], [2, 4], [4, 2]]), 5, 2)
    assert learned.places.tolist() == [2, 4] and learned.weights.shape == (2, 2)
    sequences = Sequences(np.array([2]), np.array([0, 1]))
    scores = Ways(learned, sequences.profile(5, 0.7, 10)).scores(np.array([0]))["linear/next"]
    assert scores[0, 4] > 0 and scores[0, [0, 1, 2, 3]].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("seed", [0, 1])
def test_what_follows_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    taken = [[(begin + step) % 12 for step in range(6)] for begin in rng.integers(12, size=300)]
    sequences = Sequences(np.array([one for line in taken for one in line]), np.arange(0, 1801, 6))
    ways = Ways(Linear.learn(sequences.lines, 12, 12), sequences.profile(12, linear.MEMORY, linear.READ))
    best = ways.scores(np.arange(300))["linear/next"].argmax(1)
    assert np.mean(best == [(line[-1] + 1) % 12 for line in taken]) > 0.9
