"""A list of one way of scoring against a plain sort."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.models import baselines


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=st.sampled_from([0, 1, 2.5, -1])),
    st.integers(1, 14),
)
def test_top_is_the_head_of_a_stable_sort(scores, k):
    plain = [sorted(range(scores.shape[1]), key=lambda column: (-row[column], column))[:k] for row in scores]
    assert baselines.top(scores, k).tolist() == plain


def test_top_of_k_begins_top_of_more():
    scores = np.random.default_rng(0).integers(0, 4, size=(20, 30)).astype(np.float32)
    assert (baselines.top(scores, 12)[:, :5] == baselines.top(scores, 5)).all()


def test_popularity_orders_what_the_score_leaves_open() -> None:
    """Every step of popularity counts, not only the upper half of it, and none outweighs a score."""
    scores = np.array([[1.0, 0, 0, 0, 0, 0]], np.float32)
    popular = np.array([[1, 3, 6, 9, 12, 0]], np.float32)
    assert baselines.top(baselines.filled(scores, popular), 6).tolist() == [[0, 4, 3, 2, 1, 5]]


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(9)), elements=st.sampled_from([0, 0, 0, 1, 2.5, -1])),
    hnp.arrays(np.float32, (1, 9), elements=st.sampled_from([0, 1, 2, 250])),
    st.integers(1, 11),
)
def test_sparse_scores_give_the_lists_that_dense_ones_give(scores, popular, k):
    whole = baselines.top(baselines.filled(scores, popular), k)
    assert baselines.lists(sp.csr_matrix(scores), popular, k).tolist() == whole.tolist()
    assert baselines.lists(scores, popular, k).tolist() == whole.tolist()


def test_filling_an_empty_shop_changes_nothing() -> None:
    nothing = np.zeros((1, 1), np.float32)
    assert (baselines.filled(nothing, nothing) == 0).all()
