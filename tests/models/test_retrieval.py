"""Exact top-K against sorting every score; filters, ties, short lists; a user's list does not depend on the others."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings

from pipeline.models import retrieval, scan
from pipeline.models.retrieval import Best, Filters, refresh, search


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
        patch.setattr(scan, "BLOCK", 16)
        patch.setattr(scan, "TILE", 32)
        patch.setattr(scan, "SAMPLE", 24)
        equal(search(left, right, k, filters), sorted_whole(left, right, k, filters))


def test_a_bound_that_was_too_high_is_found_out() -> None:
    """The sampled items are all better than the others, and excluded."""
    rng = np.random.default_rng(3)
    items = rng.integers(0, 3, (20_000, 8)).astype(np.float32)
    stride = len(items) // scan.SAMPLE
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
    one = np.ones((2 * scan.BLOCK + 88, 2), np.float32)
    search(one, one[:10], 3, progress=lambda *counts: told.append(counts))
    assert len(told) == 3 and told[-1] == (len(one), len(one)) and told == sorted(told)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    users=st.integers(1, 40),
    items=st.integers(1, 60),
    k=st.integers(1, 6),
    churn=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    filtered=st.booleans(),
)
def test_another_nights_lists_are_what_a_whole_search_gives(
    seed: int, users: int, items: int, k: int, churn: float, filtered: bool
) -> None:
    rng = np.random.default_rng(seed)

    def vectors(rows: int) -> np.ndarray:
        return rng.integers(-2, 3, (rows, 4)).astype(np.float32)

    left, right = vectors(users), vectors(items)
    allowed, bought = rng.random(items) < 0.8, rng.random((users, items)) < 0.1
    filters = Filters(rng.random(users) < 0.9, allowed, sp.csr_matrix(bought)) if filtered else Filters()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "BLOCK", 16)
        patch.setattr(scan, "TILE", 32)
        lists = search(left, right, k + 3, filters)
        for _night in range(3):
            changed_users, changed_items = rng.random(users) < churn, rng.random(items) < churn
            left[changed_users], right[changed_items] = vectors(changed_users.sum()), vectors(changed_items.sum())
            if filtered:
                allowed[changed_items] = rng.random(changed_items.sum()) < 0.8
                bought[changed_users] = rng.random((changed_users.sum(), items)) < 0.1
                filters = Filters(filters.served, allowed.copy(), sp.csr_matrix(bought))
            lists = refresh(lists, left, right, k, changed_users, changed_items, filters)
            expected = sorted_whole(left, right, k, filters)
            equal(Best(lists.items[:, :k], lists.scores[:, :k]), expected)


def test_who_did_not_change_is_not_searched_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    left, right = (rng.normal(size=(rows, 8)).astype(np.float32) for rows in (600, 2000))
    lists = search(left, right, 20)
    users, items = np.arange(600) < 60, np.arange(2000) < 100
    asked = []
    whole = retrieval.search
    monkeypatch.setattr(retrieval, "search", lambda *given, **more: (asked.append(given[3]), whole(*given, **more))[1])
    refresh(lists, left, right, 10, users, items)
    assert asked[0].served.tolist() == users.tolist()
