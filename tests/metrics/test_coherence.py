"""Category shares and coherence: hand-worked users, a dense brute force, scipy's divergence, and laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.spatial.distance import jensenshannon

from pipeline.metrics.coherence import category_shares, coherence

ITEMS, CATEGORIES, K = 12, 4, 5
CATEGORY = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3, 3, -1, -1])

one_list = st.tuples(st.permutations(range(ITEMS)), st.integers(0, K)).map(
    lambda two: two[0][: two[1]] + [-1] * (K - two[1])
)
surfaces = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(
        st.lists(one_list, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)


def shares_by_hand(items: list[int]) -> list[float]:
    weights = [0.0] * CATEGORIES
    for place, item in enumerate(items):
        if item != -1 and CATEGORY[item] != -1:
            weights[CATEGORY[item]] += 1 / math.log2(2 + place)
    total = sum(weights)
    return [weight / total if total else 0.0 for weight in weights]


def entropy(shares: list[float]) -> float:
    return -sum(share * math.log2(share) for share in shares if share)


def coherence_by_hand(lists: list[list[int]]) -> float:
    shares = [q for q in map(shares_by_hand, lists) if sum(q)]
    if len(shares) < 2:
        return math.nan
    mean = [sum(column) / len(shares) for column in zip(*shares, strict=True)]
    return 1 - (entropy(mean) - sum(map(entropy, shares)) / len(shares)) / math.log2(len(shares))


def measured(lists: list[list[list[int]]]) -> np.ndarray:
    return coherence([category_shares(np.array(surface), CATEGORY, CATEGORIES) for surface in lists])


def test_shares_worked_by_hand() -> None:
    shares = category_shares(np.array([[0, 3, 1], [10, 5, -1], [-1, -1, -1], [10, 11, -1]]), CATEGORY, CATEGORIES)
    second, third = 1 / math.log2(3), 1 / 2
    whole = 1 + second + third
    assert shares.toarray()[0] == pytest.approx([(1 + third) / whole, second / whole, 0, 0])
    assert shares.toarray()[1:].tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert shares.has_canonical_format and shares.nnz == 3


@given(surfaces)
def test_equals_brute_force_and_keeps_its_laws(lists: list[list[list[int]]]) -> None:
    shares = category_shares(np.array(lists[0]), CATEGORY, CATEGORIES).toarray()
    assert shares == pytest.approx(np.array([shares_by_hand(items) for items in lists[0]]))
    found = measured(lists)
    by_user = list(zip(*lists, strict=True))
    assert found == pytest.approx([coherence_by_hand(list(user)) for user in by_user], nan_ok=True)
    assert (np.isnan(found) | ((found >= 0) & (found <= 1))).all()
    assert measured(lists[::-1]) == pytest.approx(found, nan_ok=True)
    turned = measured([surface[::-1] for surface in lists])[::-1]
    assert turned == pytest.approx(found, nan_ok=True)


def test_two_surfaces_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.dirichlet(np.ones(6), (2, 50))
    # scipy's is the root of the divergence.
    assert coherence([csr_matrix(one), csr_matrix(other)]) == pytest.approx(
        1 - jensenshannon(one, other, base=2, axis=1) ** 2
    )


def test_equal_shares_are_coherent_and_disjoint_ones_are_not() -> None:
    same = [[[0, 3]], [[1, 4]], [[2, 3]]]
    apart = [[[0, 1]], [[3, 4]], [[5, 6]]]
    assert measured(same) == pytest.approx([1]) and measured(apart) == pytest.approx([0])
    # The third surface shows nothing: two are compared.
    assert measured([[[0, 1]], [[3, 4]], [[-1, -1]]]) == pytest.approx([0])
    assert np.isnan(measured([[[0, 1]], [[-1, -1]]])).all() and np.isnan(measured(same[:1])).all()


def test_surfaces_are_left_as_they_were() -> None:
    given_shares = [csr_matrix([[0.5, 0.5], [0, 1]]), csr_matrix([[0.25, 0.75], [0, 0]])]
    before = [shares.toarray() for shares in given_shares]
    coherence(given_shares)
    coherence(given_shares[:1])
    assert all((shares.toarray() == was).all() for shares, was in zip(given_shares, before, strict=True))


def test_what_is_no_share_is_refused() -> None:
    good = csr_matrix([[0.5, 0.5]])
    for wrong in ([[0.5, 0.4]], [[1.5, -0.5]], [[0.5, 0.5, 0]]):
        with pytest.raises(ValueError, match="equal shapes"):
            coherence([good, csr_matrix(wrong)])
    with pytest.raises(ValueError, match="no surfaces"):
        coherence([])
