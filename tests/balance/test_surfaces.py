"""Views of one ranking."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pipeline.balance.surfaces import Ranked, Shopper, at, top_shelves, views
from pipeline.policy import SURFACES

SHELF = np.array([0, 0, 1, 1, 2, 2])
BASE = Ranked(np.array([[5, 2, 0, -1], [1, 4, 3, 2]]), np.array([[3.0, 2.0, 1.0, 0.0], [9.0, 8.0, 7.0, 6.0]]))
CART = Ranked(np.array([[1, -1], [0, 5]]), np.array([[2.0, 0.0], [2.0, 1.0]]))


def shopper() -> Shopper:
    pulled = sp.csr_matrix(np.array([[1, 0, 0.5, 0, 0, 0], [0, 0, 0, 0, 0, 0]]))
    return Shopper(np.array([[True, False, True], [False, True, False]]), pulled, np.array([True, False]))


def test_each_surface_draws_from_its_part_of_the_ranking():
    found = views(BASE, CART, shopper(), SHELF)
    assert tuple(found) == SURFACES
    assert found["home"] is BASE and found["email"] is BASE and found["cart"] is CART
    assert found["category"].items.tolist() == [[5, 0, -1, -1], [3, 2, -1, -1]]
    assert found["product"].items.tolist() == [[2, 0, -1, -1], [-1, -1, -1, -1]]
    assert found["ad"].items.tolist() == [[5, 2, 0, -1], [-1, -1, -1, -1]]
    assert found["category"].scores[0, :2].tolist() == [3.0, 1.0]


def test_what_may_not_be_shown_leaves_in_order():
    barred = sp.csr_matrix(([True], ([1], [4])), shape=(2, 6))
    left = BASE.without(np.array([True, True, False, True, True, True]), barred)
    assert left.items.tolist() == [[5, 0, -1, -1], [1, 3, -1, -1]]


def test_top_shelves_are_those_with_a_share():
    shares = np.array([[0.5, 0.0, 0.5], [0.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    assert top_shelves(shares, 2).tolist() == [[True, False, True], [False] * 3, [False, True, True]]


@given(st.integers(0, 2**32 - 1))
def test_a_view_keeps_order_and_scores(seed):
    rng = np.random.default_rng(seed)
    items = np.stack([rng.permutation(30)[:12] for _ in range(5)])
    items[rng.random(items.shape) < 0.2] = -1
    ranked = Ranked(items, -np.sort(rng.normal(size=items.shape), axis=1))
    allowed = rng.random(items.shape) < 0.5
    left = ranked.only(allowed)
    for row in range(5):
        wanted = [
            (i, s) for i, s, ok in zip(items[row], ranked.scores[row], allowed[row], strict=True) if ok and i >= 0
        ]
        kept = [(i, s) for i, s in zip(left.items[row], left.scores[row], strict=True) if i >= 0]
        assert kept == wanted


def test_values_of_places_are_looked_up_row_by_row():
    matrix = sp.csr_matrix(np.arange(12.0).reshape(2, 6))
    assert at(matrix, np.array([[5, 0], [1, 3]])).tolist() == [[5.0, 0.0], [7.0, 9.0]]
