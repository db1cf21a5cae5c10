"""Shapley values: what each player of a cooperative game adds, on average over all orders of joining (Shapley 1953).

Exact by enumeration where players are few; else drawn orders, each with its reverse (Mitchell et al. 2022), and error
bars. Both share out exactly what all players are worth above none. Not here: what the players are and what a coalition
is worth (`models.what_if`). Shapes: P players, C coalitions, M orders.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np

EXACT = 10  # players up to which all 2^P coalitions are asked for

Game = Callable[[np.ndarray], np.ndarray]  # bool [C, P] who takes part -> float64 [C] what that is worth


@dataclass(frozen=True)
class Shares:
    """What each player adds, in the unit of the worth.

    Attributes:
        values: float64 [P]; they sum to `whole - none`.
        errors: float64 [P] standard errors of the values; 0 where they are exact.
        none: worth of nobody.
        whole: worth of all.
    """

    values: np.ndarray
    errors: np.ndarray
    none: float
    whole: float


def shares(game: Game, players: int, orders: int, seed: int) -> Shares:
    """Exact for up to EXACT players, else from so many drawn orders.

    Args:
        game: worth of coalitions; asked for many at once.
        players: how many there are.
        orders: drawn when there are more than EXACT, an even number from 4.
        seed: of the drawing.
    """
    return exact(game, players) if players <= EXACT else sampled(game, players, orders, seed)


def exact(game: Game, players: int) -> Shares:
    """By all coalitions."""
    number = np.arange(2**players)
    takes_part = (number[:, None] >> np.arange(players)) & 1 > 0
    worth, size = np.asarray(game(takes_part), np.float64), takes_part.sum(1)
    weight = np.array([factorial(s) * factorial(max(players - s - 1, 0)) for s in range(players + 1)]) / factorial(
        players
    )
    values = np.zeros(players)
    for player in range(players):
        others = number[~takes_part[:, player]]
        values[player] = (weight[size[others]] * (worth[others | 1 << player] - worth[others])).sum()
    return Shares(values, np.zeros(players), float(worth[0]), float(worth[-1]))


def sampled(game: Game, players: int, orders: int, seed: int) -> Shares:
    """By drawn orders of joining, every second the reverse of the one before; errors from the spread of pairs.

    Raises:
        ValueError: too few orders for an error bar.
    """
    if orders < 4 or orders % 2:
        raise ValueError(f"{orders} orders: an even number from 4 is needed")
    draw = np.random.default_rng(seed)
    drawn = draw.permuted(np.tile(np.arange(players), (orders // 2, 1)), axis=1)
    order = np.stack([drawn, drawn[:, ::-1]], axis=1).reshape(orders, players)
    place = np.argsort(order, axis=1)
    takes_part = place[:, None, :] < np.arange(players + 1)[:, None]  # [M, P + 1, P] who has joined after each step
    each, back = np.unique(takes_part.reshape(-1, players), axis=0, return_inverse=True)
    worth = np.asarray(game(each), np.float64)[back.ravel()].reshape(orders, players + 1)
    added = np.take_along_axis(np.diff(worth, axis=1), place, axis=1)
    pairs = added.reshape(orders // 2, 2, players).mean(1)
    errors = pairs.std(0, ddof=1) / np.sqrt(len(pairs))
    return Shares(pairs.mean(0), errors, float(worth[0, 0]), float(worth[0, -1]))
