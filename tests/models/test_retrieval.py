"""Exact top-K against sorting every score; filters, ties, short lists; a user's list does not depend on the others."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings

from pipeline.models import retrieval
from pipeline.models.retrieval import Best, Filters, search


def sorted_whole(users: np.ndarray, items: np.ndarray, k: int, filters: Filters) -> Best:
    """The same by sorting all users × items; whole numbers, so that sums are exact."""
    scores = (users.astype(np.float64) @ items.T.astype(np.float64)).astype(np.float32)
    fits = np.ones(scores.shape, bool)
    fits &= True if filters.served is None else filters.served[:, None]
    fits &= True if filters.allowed is None else filters.allowed
    if filters.excluded is not None:
        fits &= ~filters.excluded.toarray().astype(bool)
    out = Best(np.full((len(users), k), -1, np.int32), np.zeros((len(users), k), np.float32))
    for user in range(len(users)):
        order = [item for item in np.argsort(-scores[user], kind="stable") if fits[user, item]][:k]
        out.items[user, : len(order)], out.scores[user, : len(order)] = order, scores[user, order]
    return out


def equal(found: Best, expected: Best) -> None:
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_array_equal(found.scores, expected.scores)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    users=st.integers(0, 40),
    items=st.integers(1, 90),
    k=st.integers(1, 12),
    filtered=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_it_is_what_sorting_everything_gives(
    seed: int, users: int, items: int, k: int, filtered: tuple[bool, bool, bool]
) -> None:
    rng = np.random.default_rng(seed)
    left = rng.integers(-2, 3, (users, 4)).astype(np.float32)
    right = rng.integers(-2, 3, (items, 4)).astype(np.float32)
    filters = Filters(
        rng.random(users) < 0.8 if filtered[0] else None,
        rng.random(items) < 0.7 if filtered[1] else None,
        sp.csr_matrix(rng.random((users, items)) < 0.2) if filtered[2] else None,
    )
    with pytest.MonkeyPatch.context() as patch:  # several blocks, several tiles, a bound that is sampled
        patch.setattr(retrieval, "BLOCK", 16)
        patch.setattr(retrieval, "TILE", 32)
        patch.setattr(retrieval, "SAMPLE", 24)
        equal(search(left, right, k, filters), sorted_whole(left, right, k, filters))


def test_a_bound_that_was_too_high_is_found_out() -> None:
    """The sampled items are all better than the others, and excluded."""
    rng = np.random.default_rng(3)
    items = rng.integers(0, 3, (20_000, 8)).astype(np.float32)
    stride = len(items) // retrieval.SAMPLE
    items[::stride] += 10
    users = rng.integers(1, 3, (5, 8)).astype(np.float32)
    sampled = np.zeros((5, len(items)), bool)
    sampled[:, ::stride] = True
    for filters in (Filters(), Filters(excluded=sp.csr_matrix(sampled))):
        equal(search(users, items, 10, filters), sorted_whole(users, items, 10, filters))


def test_a_users_list_does_not_depend_on_who_else_is_asked_for() -> None:
    rng = np.random.default_rng(5)
    users, items = (rng.standard_normal((count, 64)).astype(np.float32) for count in (700, 30_000))
    whole = search(users, items, 20, threads=2)
    some = rng.permutation(len(users))[:333]
    part = search(users[some], items, 20)
    equal(part, Best(whole.items[some], whole.scores[some]))
    equal(search(users, items, 20, Filters(served=np.isin(np.arange(700), some))), Best(
        np.where(np.isin(np.arange(700), some)[:, None], whole.items, -1),
        np.where(np.isin(np.arange(700), some)[:, None], whole.scores, 0),
    ))  # fmt: skip


def test_a_longer_list_begins_with_the_shorter() -> None:
    rng = np.random.default_rng(7)
    users, items = (rng.standard_normal((count, 16)).astype(np.float32) for count in (50, 9000))
    longer = search(users, items, 30)
    equal(search(users, items, 10), Best(longer.items[:, :10], longer.scores[:, :10]))


def test_progress_counts_users() -> None:
    told: list[tuple[int, int]] = []
    one = np.ones((600, 2), np.float32)
    search(one, one[:10], 3, progress=lambda *counts: told.append(counts))
    assert told == [(256, 600), (512, 600), (600, 600)]
