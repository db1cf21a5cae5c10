"""Ranking measures: hand-computed lists, a brute force over sets, scikit-learn's figures, and laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics import roc_auc_score

from pipeline.metrics import ranking

ITEMS = 12


def truth_of(sets: list[set[int]]) -> csr_matrix:
    matrix = np.zeros((len(sets), ITEMS), dtype=bool)
    for user, items in enumerate(sets):
        matrix[user, list(items)] = True
    return csr_matrix(matrix)


def counts_of(sets: list[set[int]]) -> np.ndarray:
    return np.array([len(items) for items in sets])


def test_hand_computed() -> None:
    sets = [{3, 5}, {0}, {1, 2, 4}]
    ranked = np.array([[3, 7, 5], [1, 2, 0], [9, -1, -1]])
    relevant = ranking.relevance(ranked, truth_of(sets))
    assert relevant.tolist() == [[True, False, True], [False, False, True], [False, False, False]]
    assert ranking.recall_at(relevant, counts_of(sets), 3).tolist() == [1.0, 1.0, 0.0]
    assert ranking.recall_at(relevant, counts_of(sets), 1).tolist() == [0.5, 0.0, 0.0]
    expected = [(1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3)), 1 / math.log2(4), 0.0]
    assert ranking.ndcg_at(relevant, counts_of(sets), 3) == pytest.approx(expected)


def test_ideal_is_bounded_by_k_when_truth_is_longer() -> None:
    sets = [{0, 1, 2, 3, 4}]
    relevant = ranking.relevance(np.array([[4, 2, 9]]), truth_of(sets))
    assert ranking.ndcg_at(relevant, counts_of(sets), 2).tolist() == [1.0]


lists = st.lists(
    st.tuples(st.permutations(range(ITEMS)), st.integers(0, 6), st.sets(st.integers(0, ITEMS - 1), min_size=1)),
    min_size=1,
    max_size=6,
)


@given(lists, st.integers(1, 6))
def test_equals_brute_force(users: list[tuple[list[int], int, set[int]]], k: int) -> None:
    ranked = np.array([order[:length] + [-1] * (6 - length) for order, length, _ in users])
    sets = [items for *_, items in users]
    relevant = ranking.relevance(ranked, truth_of(sets))
    recall, ndcg = (measure(relevant, counts_of(sets), k) for measure in (ranking.recall_at, ranking.ndcg_at))
    for user, (order, length, items) in enumerate(users):
        shown = order[:length][:k]
        gain = sum(1 / math.log2(place + 2) for place, item in enumerate(shown) if item in items)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(items))))
        assert recall[user] == pytest.approx(len(items & set(shown)) / len(items))
        assert ndcg[user] == pytest.approx(gain / ideal)


@given(lists)
def test_laws(users: list[tuple[list[int], int, set[int]]]) -> None:
    ranked = np.array([order[:6] for order, _, _ in users])
    sets = [items for *_, items in users]
    relevant, counts = ranking.relevance(ranked, truth_of(sets)), counts_of(sets)
    recalls = np.stack([ranking.recall_at(relevant, counts, k) for k in range(1, 7)])
    assert (np.diff(recalls, axis=0) >= 0).all()
    hits_first = -np.sort(-relevant.astype(int), axis=1) > 0
    ndcg, best = ranking.ndcg_at(relevant, counts, 6), ranking.ndcg_at(hits_first, counts, 6)
    assert (ndcg <= best + 1e-12).all() and (best <= 1 + 1e-12).all()


def test_wrong_lists_are_refused() -> None:
    truth = truth_of([{1}])
    wrong = (([[1, 1]], "twice"), ([[ITEMS, 0]], "outside"), ([[-2, 0]], "outside"), ([[0], [1]], "one list"))
    for ranked, words in wrong:
        with pytest.raises(ValueError, match=words):
            ranking.relevance(np.array(ranked), truth)


@pytest.mark.parametrize("measure", [ranking.recall_at, ranking.ndcg_at])
def test_empty_truth_and_short_lists_are_refused(measure) -> None:
    relevant = np.zeros((2, 3), dtype=bool)
    with pytest.raises(ValueError, match="at least one true item"):
        measure(relevant, np.array([1, 0]), 2)
    with pytest.raises(ValueError, match="k is 4"):
        measure(relevant, np.array([1, 1]), 4)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_auc_equals_scikit_learn_and_pairs(cases: list[tuple[bool, int]]) -> None:
    labels, scores = np.array([label for label, _ in cases]), np.array([score for _, score in cases])
    if labels.all() or not labels.any():
        with pytest.raises(ValueError, match="both classes"):
            ranking.auc(labels, scores)
        return
    pairs = [(p > n) + (p == n) / 2 for p in scores[labels] for n in scores[~labels]]
    assert ranking.auc(labels, scores) == pytest.approx(np.mean(pairs))
    assert ranking.auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


def test_auc_refuses_what_has_no_order() -> None:
    with pytest.raises(ValueError, match="finite"):
        ranking.auc([0, 1], [0.5, math.nan])


def test_lift_of_the_top_by_hand() -> None:
    labels = [1, 1, 0, 0, 1, 0, 0, 0, 0, 0]
    assert ranking.top_lift(labels, range(10, 0, -1), 0.2) == pytest.approx(1 / 0.3)
    assert ranking.top_lift(labels, range(10), 0.2) == 0
    assert ranking.top_lift(labels, range(10, 0, -1), 1.0) == pytest.approx(1)


def test_lift_of_ties_is_that_of_chance() -> None:
    labels = np.random.default_rng(1).integers(2, size=50)
    assert ranking.top_lift(labels, np.zeros(50)) == pytest.approx(1)
    scores = np.repeat([2.0, 1.0], 25)
    assert ranking.top_lift(labels, scores, 0.1) == pytest.approx(labels[:25].mean() / labels.mean())


@pytest.mark.parametrize(("labels", "share"), [([0, 0], 0.5), ([1, 0, 1], 0.5), ([1, 0], 0.0), ([1, 0], 1.5)])
def test_a_lift_that_means_nothing_is_refused(labels: list[int], share: float) -> None:
    with pytest.raises(ValueError, match="pass equally many"):
        ranking.top_lift(labels, [1, 2], share)
