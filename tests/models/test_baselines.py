"""Baselines against dense arithmetic and a plain sort."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.models import baselines

ALL = slice(0, 40)
COLUMNS = np.array([2, 3, 5, 7])


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


def test_popularity_is_the_same_for_everybody(shoppers):
    scores = baselines.popularity(shoppers, slice(5, 9), COLUMNS)
    assert (scores == np.tile(shoppers.buyers_recent[COLUMNS], (4, 1))).all()


def test_personal_frequency_is_the_users_own_weight(shoppers):
    scores = baselines.personal_frequency(shoppers, slice(5, 9), COLUMNS)
    assert (scores == shoppers.weight.toarray()[5:9][:, COLUMNS]).all()


def test_co_visitation_sums_flows_from_what_was_bought(shoppers):
    flows = sp.random(12, 12, 0.5, "csr", np.float32, random_state=1)
    plain = shoppers.weight.toarray() @ flows.toarray()[:, COLUMNS]
    assert np.allclose(baselines.co_visitation(shoppers, ALL, COLUMNS, flows), plain, atol=1e-5)


def test_popularity_orders_what_the_personal_score_leaves_open(a_history):
    """Every step of popularity counts, not only the upper half of it, and none outweighs a personal score."""
    others = [[[item]] for item in (1, 2, 2, 3, 3, 3, 4, 4, 4, 4) for _ in range(3)]
    history, columns = a_history([[[0]], *others], 6), np.arange(6)
    one = slice(0, 1)
    scores = baselines.filled(baselines.personal_frequency(history, one, columns), history, columns)
    assert baselines.top(scores, 6).tolist() == [[0, 4, 3, 2, 1, 5]]


def test_filling_an_empty_shop_changes_nothing(a_history):
    history, columns = a_history([[[0]]], 2), np.arange(1, 2)
    assert (baselines.filled(np.zeros((1, 1), np.float32), history, columns) == 0).all()
