"""Calibrated re-ranking: place by place by brute force over the published measure, and laws."""

import math

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance.calibrate import calibrate
from pipeline.balance.surfaces import Ranked
from pipeline.metrics.coherence import category_shares
from pipeline.metrics.list_calibration import divergence
from tests.balance.cases import ranked

SEEDS = st.integers(0, 2**32 - 1)
CATEGORIES = 4


def tastes(rng: np.random.Generator, users: int) -> sp.csr_matrix:
    """Shares of categories; some users have none."""
    counts = rng.integers(0, 4, (users, CATEGORIES)) * (rng.random((users, 1)) < 0.9)
    return sp.csr_matrix(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def greedy(
    items: list[int], scores: list[float], category: np.ndarray, taste: sp.csr_matrix, weight: float
) -> list[int]:
    """The re-rank of one user, each candidate tried in each place and the whole list measured anew."""
    chance = {item: 1 / (1 + math.exp(-score)) for item, score in zip(items, scores, strict=True)}
    chosen: list[int] = []
    while len(chosen) < min(3, len(items)):

        def worth(item: int) -> float:
            now = [*chosen, item]
            shown = category_shares(np.array([now]), category, CATEGORIES)
            relevance = sum(chance[one] / chance[items[0]] for one in now)
            return round((1 - weight) * relevance - weight * float(divergence(taste, shown)[0]), 7)

        left = [item for item in items if item not in chosen]
        chosen.append(max(left, key=lambda item: (worth(item), -left.index(item))))
    return chosen + [item for item in items if item not in chosen]


@settings(max_examples=10)
@given(SEEDS, st.sampled_from([0.1, 0.5, 0.9]))
def test_every_place_is_the_best_by_the_published_measure(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    one, taste = Ranked(*ranked(rng, 12, 6, 10, ties=False)), tastes(rng, 12)
    category = rng.integers(0, CATEGORIES, 10)
    result = calibrate(one, category, taste, weight, 3)
    for user in range(12):
        items = [item for item in one.items[user].tolist() if item >= 0]
        known = taste[user].nnz > 0
        expected = greedy(items, one.scores[user].tolist()[: len(items)], category, taste[user], weight)
        assert result.items[user].tolist()[: len(items)] == (expected if known else items)


@settings(max_examples=20)
@given(SEEDS)
def test_the_same_candidates_with_falling_scores_and_a_list_more_like_its_user(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, taste, category = (
        Ranked(*ranked(rng, 60, 12, 30, ties=False)),
        tastes(rng, 60),
        rng.integers(-1, CATEGORIES, 30),
    )
    assert calibrate(one, category, taste, 0.0, 5) is one
    distance = []
    for weight in (0.0, 0.5, 1.0):
        result = calibrate(one, category, taste, weight, 5)
        assert (np.sort(result.items) == np.sort(one.items)).all() and result.scores is one.scores
        assert ((result.items >= 0) == (one.items >= 0)).all()
        distance.append(np.nanmean(divergence(taste, category_shares(result.items[:, :5], category, CATEGORIES))))
    assert distance == sorted(distance, reverse=True)


def test_worked_by_hand() -> None:
    # Half the user's history is of category 1, and the models' first three places show category 0 alone.
    one = Ranked(np.array([[0, 1, 2, 3, -1]]), np.array([[2.0, 1.9, 1.8, 1.7, -np.inf]]))
    taste = sp.csr_matrix([[0.5, 0.5]])
    result = calibrate(one, np.array([0, 0, 0, 1]), taste, 0.5, 2)
    assert result.items.tolist() == [[0, 3, 1, 2, -1]]
    assert result.scores.tolist() == one.scores.tolist()


def test_users_do_not_know_each_other() -> None:
    rng = np.random.default_rng(8)
    one, taste, category = Ranked(*ranked(rng, 40, 8, 12, ties=True)), tastes(rng, 40), rng.integers(0, CATEGORIES, 12)
    whole, moved = calibrate(one, category, taste, 0.4, 6).items, rng.permutation(40)
    other = calibrate(Ranked(one.items[moved], one.scores[moved]), category, taste[moved], 0.4, 6).items
    assert (whole[moved] == other).all()
