"""Stability: hand-worked nights, brute force over sets, laws of the overlap, and a floor that holds and is tight."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics import stability

PAD = -1
ITEMS = 14


def padded(items: list[int], k: int) -> list[int]:
    return items[:k] + [PAD] * (k - len(items))


@st.composite
def nights(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two nights of a few users' lists, some of them short."""
    k, users = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    one = st.tuples(st.permutations(range(ITEMS)), st.integers(0, k)).map(lambda two: padded(two[0][: two[1]], k))
    lists = st.lists(one, min_size=users, max_size=users)
    return np.array(draw(lists)), np.array(draw(lists))


def overlap_by_hand(a: list[int], b: list[int], p: float) -> float:
    """Depth by depth over sets, the weights written out; empty places are told apart by their number from the top."""
    k, total = len(a), 0.0
    for d in range(1, k + 1):
        weight = p ** (d - 1) * (1 - p) / (1 - p**k)
        one, other = ({item for item in side[:d] if item != PAD} for side in (a, b))
        both_empty = min(d - len(one), d - len(other))
        total += weight * (len(one & other) + both_empty) / d
    return total


def test_weights_are_geometric_and_sum_to_one() -> None:
    weights = stability.rank_weights(5, 0.8)
    assert weights.sum() == pytest.approx(1) and weights[1:] / weights[:-1] == pytest.approx([0.8] * 4)
    for k, p in ((0, 0.9), (5, 0.0), (5, 1.0)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            stability.rank_weights(k, p)


def test_overlap_worked_by_hand() -> None:
    # p = 0.5, K = 2: weights 2/3 and 1/3. A swap shares nothing at depth 1 and all at depth 2.
    a = np.array([[1, 2], [1, 2], [1, 2], [1, -1], [-1, -1]])
    b = np.array([[2, 1], [1, 3], [3, 4], [1, 2], [-1, -1]])
    assert stability.rbo(a, b, 0.5) == pytest.approx([1 / 3, 2 / 3 + 1 / 6, 0, 2 / 3 + 1 / 6, 1])


@given(nights(), st.sampled_from([0.5, 0.9, 0.98]))
def test_overlap_equals_brute_force_and_keeps_its_laws(pair: tuple[np.ndarray, np.ndarray], p: float) -> None:
    a, b = pair
    found = stability.rbo(a, b, p)
    assert found == pytest.approx([overlap_by_hand(*row, p) for row in zip(a.tolist(), b.tolist(), strict=True)])
    assert (found >= 0).all() and (found <= 1).all()
    assert (found == stability.rbo(b, a, p)).all()
    assert ((found == 1) == (a == b).all(axis=1)).all()
    order = np.random.default_rng(0).permutation(len(a))
    assert (stability.rbo(a[order], b[order], p) == found[order]).all()


@given(nights())
def test_churn_equals_brute_force(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pair
    k = a.shape[1]
    new = [len(set(now) - set(then) - {PAD}) for then, now in zip(a.tolist(), b.tolist(), strict=True)]
    assert stability.replaced(a, b).tolist() == new
    assert stability.churn(a, b) == pytest.approx(np.array(new) / k)


def test_idle_churn_leaves_out_the_active_and_the_forced() -> None:
    a = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]])
    b = np.array([[1, 2, 8, 9], [5, 6, 7, 8], [1, 2, 3, 4]])
    forced = np.array([1, 0, 2])  # the third user's two were put back: no credit towards others
    assert stability.voluntary(a, b, forced).tolist() == [1, 4, 0]
    assert stability.idle_churn(a, b, np.array([True, False, True]), forced) == 1 / 8
    assert math.isnan(stability.idle_churn(a, b, np.zeros(3, bool), forced))


def test_floor_of_the_plan() -> None:
    assert doctest.testmod(stability, raise_on_error=True).attempted == 1
    assert stability.rbo_floor(10, 0, 0) == 1 and stability.rbo_floor(10, 10, 0) == pytest.approx(0)
    assert stability.rbo_floor(10, np.arange(5), 10).tolist() == [1] * 5
    with pytest.raises(ValueError, match="negative"):
        stability.rbo_floor(10, -1, 0)


def edited(rng: np.random.Generator, users: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lists, some short, and the next night's: at most `budget` places below the pinned ones hold something else."""
    a = rng.permuted(np.tile(np.arange(k + 4), (users, 1)), axis=1)[:, :k]
    a[np.arange(k) >= rng.integers(0, k + 1, (users, 1))] = PAD
    budget, pinned = rng.integers(0, k + 1, users), rng.integers(0, k + 1, users)
    places = np.argsort(rng.random((users, k)) + (np.arange(k) < pinned[:, None]), axis=1)  # pinned ones come last
    edits = np.minimum(budget, k - pinned)
    b = a.copy()
    fresh = 100 + np.arange(k)
    for user in range(users):
        at = places[user, : rng.integers(0, edits[user] + 1)]
        # New items, gaps, and what stood at another of these places are all edits.
        kind = rng.random((2, len(at))) < [[0.2], [0.5]]
        b[user, at] = np.where(kind[0], PAD, np.where(kind[1], rng.permutation(a[user, at]), fresh[: len(at)]))
    return a, b, budget, pinned


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([0.5, 0.9]))
def test_no_budgeted_edit_falls_below_the_floor(seed: int, k: int, p: float) -> None:
    """40 examples of 250 users: 10,000 pairs of nights, compared without a tolerance."""
    a, b, budget, pinned = edited(np.random.default_rng(seed), 250, k)
    assert (stability.rbo(a, b, p) >= stability.rbo_floor(k, budget, pinned, p)).all()


@given(st.integers(1, 12), st.integers(0, 12), st.integers(0, 12))
def test_the_floor_is_attained_right_below_the_pinned(k: int, budget: int, pinned: int) -> None:
    a = np.arange(k)[None]
    b = a.copy()
    b[:, pinned : pinned + budget] += 100
    assert stability.rbo(a, b)[0] == stability.rbo_floor(k, budget, pinned)


def test_lists_that_cannot_be_compared_are_refused() -> None:
    for a, b, why in (([[1, 2]], [[1]], "same users"), ([[1, 1]], [[1, 2]], "twice"), ([[1, 2]], [[3, 3]], "twice")):
        for measure in (stability.rbo, stability.replaced, stability.churn):
            with pytest.raises(ValueError, match=why):
                measure(np.array(a), np.array(b))


def test_a_small_device_shows_the_first_places_of_the_large_one() -> None:
    web = np.array([[1, 2, 3], [4, 5, -1], [7, 8, 9]])
    app, watch = np.array([[1, 2], [4, 5], [8, 7]]), np.array([[1], [5], [8]])
    assert stability.prefix_violations([app, web, watch]).tolist() == [0, 1, 2]
    assert stability.prefix_violations([web]).tolist() == [0, 0, 0]
    for wrong in ([], [web, web[:1]]):
        with pytest.raises(ValueError, match="same users"):
            stability.prefix_violations(wrong)


def test_a_layout_changes_by_what_is_seen_of_it() -> None:
    before = np.array([[1, 2, 3], [1, 2, 3], [1, 2, -1]])
    after = np.array([[1, 2, 3], [1, 3, 2], [4, 2, 5]])
    assert stability.layout_change_rate(before, after, [4, 2, 2]).tolist() == [0, 0.5, 0.75]
    assert stability.anchors_moved(before, after, np.array([True, False, True])).tolist() == [0, 1, 2]
    for visibility in ([1, 1], [1, 0, 1]):
        with pytest.raises(ValueError, match="positive one a slot"):
            stability.layout_change_rate(before, after, visibility)


def test_jaccard_of_an_audience() -> None:
    before, after = np.array([True, True, True, False]), np.array([True, True, False, True])
    assert stability.membership_jaccard(before, after) == 0.5
    assert stability.membership_jaccard(before, before) == 1
    assert stability.membership_jaccard(np.zeros(4, bool), np.zeros(4, bool)) == 1


def test_flaps_worked_by_hand() -> None:
    # Two nights of follow-up: entries on the second and third night of five count.
    users = {
        "in, and out again": [0, 1, 0, 0, 0],
        "in, and out after two": [0, 0, 1, 1, 0],
        "in, and stays": [0, 1, 1, 1, 0],
        "in too late to know": [0, 0, 0, 1, 0],
        "was always in": [1, 1, 1, 0, 0],
    }
    history = np.array(list(users.values()), dtype=bool).T
    assert stability.flap_rate(history, 2) == 2 / 3
    assert math.isnan(stability.flap_rate(history, 4)) and math.isnan(stability.flap_rate(history[:1], 2))
    with pytest.raises(ValueError, match="at least one"):
        stability.flap_rate(history, 0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 7))
def test_flaps_equal_brute_force(seed: int, nights_: int, days: int) -> None:
    history = np.random.default_rng(seed).random((nights_, 6)) < 0.6
    entries = flaps = 0
    for user in range(6):
        for night in range(1, nights_ - days):
            if history[night, user] and not history[night - 1, user]:
                entries += 1
                flaps += not all(history[night + later, user] for later in range(1, days + 1))
    found = stability.flap_rate(history, days)
    assert found == flaps / entries if entries else math.isnan(found)


def test_negative_flips_are_what_got_worse() -> None:
    before, now = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert stability.negative_flip_rate(before, now) == 0.25
    assert math.isnan(stability.negative_flip_rate(before[:0], now[:0]))
    with pytest.raises(ValueError, match="same cases"):
        stability.negative_flip_rate(before, now[:2])
