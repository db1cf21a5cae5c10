"""Shapley values beside all orders of joining, and their laws."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics import shapley


def drawn_game(players: int, seed: int) -> Any:
    """A game whose every coalition has a worth of its own."""
    worth = np.random.default_rng(seed).normal(size=2**players)
    return lambda takes_part: worth[takes_part @ (1 << np.arange(players))]


def brute_force(game: Any, players: int) -> np.ndarray:
    """What each adds when joining, averaged over every order."""
    total, orders = np.zeros(players), list(permutations(range(players)))
    for order in orders:
        joined = np.zeros((1, players), bool)
        before = float(game(joined)[0])
        for player in order:
            joined[0, player] = True
            after = float(game(joined)[0])
            total[player] += after - before
            before = after
    return total / len(orders)


@given(st.integers(1, 5), st.integers(0, 999))
def test_enumeration_is_the_mean_over_all_orders(players: int, seed: int) -> None:
    game = drawn_game(players, seed)
    found = shapley.exact(game, players)
    np.testing.assert_allclose(found.values, brute_force(game, players), atol=1e-12)
    assert found.values.sum() == pytest.approx(found.whole - found.none)
    assert not found.errors.any()


def test_who_adds_nothing_gets_nothing_and_twins_get_the_same() -> None:
    found = shapley.exact(lambda who: 2.0 * (who[:, 0] | who[:, 1]) + 3.0 * who[:, 3], 4)
    np.testing.assert_allclose(found.values, [1, 1, 0, 3])


def test_shares_of_a_sum_of_games_are_sums_of_shares() -> None:
    one, other = drawn_game(4, 1), drawn_game(4, 2)
    both = shapley.exact(lambda who: one(who) + 3 * other(who), 4).values
    np.testing.assert_allclose(both, shapley.exact(one, 4).values + 3 * shapley.exact(other, 4).values)


@given(st.integers(1, 8), st.integers(0, 99))
def test_drawn_orders_share_out_the_whole(players: int, seed: int) -> None:
    game = drawn_game(players, seed)
    found = shapley.sampled(game, players, 4, seed)
    assert found.values.sum() == pytest.approx(found.whole - found.none)


def test_drawn_orders_come_near_within_their_error_bars() -> None:
    errors = []
    for seed in range(40):
        game = drawn_game(6, seed)
        found = shapley.sampled(game, 6, 64, seed)
        errors.append((found.values - shapley.exact(game, 6).values) / found.errors)
    inside = np.mean(np.abs(np.concatenate(errors)) < 2)
    assert 0.9 < inside < 0.99  # 32 pairs: 95 % of values lie within two errors


def test_an_additive_game_is_known_after_any_orders() -> None:
    weights = np.array([1.0, -2.0, 0.5])
    found = shapley.sampled(lambda who: who @ weights, 3, 4, 0)
    np.testing.assert_allclose(found.values, weights)
    np.testing.assert_allclose(found.errors, 0, atol=1e-12)


def test_few_players_are_enumerated_and_many_drawn() -> None:
    asked: list[int] = []

    def game(who: np.ndarray) -> np.ndarray:
        asked.append(len(who))
        return who.sum(1).astype(float)

    shapley.shares(game, shapley.EXACT, 8, 0)
    shapley.shares(game, shapley.EXACT + 1, 8, 0)
    assert asked[0] == 2**shapley.EXACT and asked[1] <= 8 * (shapley.EXACT + 2)


@pytest.mark.parametrize("orders", [0, 2, 5])
def test_an_error_bar_needs_pairs(orders: int) -> None:
    with pytest.raises(ValueError, match="even number"):
        shapley.sampled(drawn_game(3, 0), 3, orders, 0)
