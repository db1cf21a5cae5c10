"""What the recommender would say had a user taken less: the user's own history cut, everybody else's as it was.

Coalitions of a user's history items are users who might be: each has the lines of the items that take part and no
others, is read by the same models on the same graphs, and is no neighbour of the user's own. Not here: Shapley's values
(`metrics.shapley`) and words (`explain`). Shapes: C coalitions, N items of the user, V users who
might be, D width of a state.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipeline.features.history import History
from pipeline.features.sequences import Lines
from pipeline.metrics import shapley
from pipeline.models import linear, next_baskets, next_items, recommendations, sequential
from pipeline.models.baskets import Baskets
from pipeline.models.next_items import Sequences
from pipeline.models.order import DIGITS, Order
from pipeline.models.recommendations import Days, Knowledge
from pipeline.models.ways import Taste, Ways, opinions

BLOCK = 64  # coalitions asked at once


@dataclass(frozen=True)
class Case:
    """One user before one order.

    Attributes:
        known: all that scoring reads.
        states: what the transformer makes of lines over the catalogue: float32 [users, D].
        order: that ranks.
        user: place in the history.
        count: candidates a way names.
    """

    known: Knowledge
    states: Callable[[Lines], np.ndarray]
    order: Order
    user: int
    count: int

    @property
    def items(self) -> np.ndarray:
        """Int [N] the user's history items: places in the catalogue, ascending."""
        return np.sort(self.known.history.baskets[[self.user]].indices).astype(np.int64)

    def scores(self, item: int, kept: np.ndarray) -> np.ndarray:
        """The order's log-odds of an item under coalitions: float64 [C].

        Args:
            item: place in the catalogue; has to be one that may be listed.
            kept: bool [C, N] which history items take part.
        """
        if not len(kept):
            return np.zeros(0)
        return np.asarray(self.order.model.predict(self.features(item, kept), raw_score=True))

    def features(self, item: int, kept: np.ndarray) -> np.ndarray:
        """What the order reads of an item under coalitions: float32 [C, F]; arguments as of `scores`."""
        parts = []
        for supposed in self._supposed(kept):
            users = np.arange(len(supposed.history.users))
            place = np.full(len(users), np.searchsorted(supposed.columns, item))
            columns = opinions(supposed.ways.scores(users), users, place) | supposed.ways.facts(users, users, place)
            parts.append(np.stack(list(columns.values()), axis=1).astype(np.float32))
        return np.concatenate(parts)

    def ranks(self, item: int, kept: np.ndarray, k: int) -> np.ndarray:
        """Where an item would stand among the user's k best under coalitions, 1 is best: int [C], 0 where nowhere."""
        parts = [np.zeros(0, np.int64)]
        for supposed in self._supposed(kept):
            users = np.arange(len(supposed.history.users))
            found = recommendations.rank(supposed, self.order, users, self.count, k).items == item
            parts.append(np.where(found.any(1), found.argmax(1) + 1, 0))
        return np.concatenate(parts)

    def _supposed(self, kept: np.ndarray) -> Iterator[Knowledge]:
        """Knowledge of the users who might be, block by block."""
        for start in range(0, len(kept), BLOCK):
            history = _history(self.known.history, self.user, self.items, kept[start : start + BLOCK])
            yield suppose(self.known, history, np.full(len(history.users), self.user), self.states)


@dataclass(frozen=True)
class _Guest:
    """What is asked of: a history of other users, its lines among the columns, and whom each stands for."""

    history: History
    lines: Lines
    whose: np.ndarray
    states: Callable[[Lines], np.ndarray]


@dataclass(frozen=True)
class Attribution:
    """What of an item's score comes from which of the user's history items; P players, the last one may be many items.

    Attributes:
        players: int arrays, places in the catalogue; each item of the history is in one of them.
        shares: Shapley's value of each in log-odds.
        without: int [P] where the item would stand without the player alone, 0 where beyond `places`.
        rank: where it stands.
        places: how many are ranked.
    """

    players: tuple[np.ndarray, ...]
    shares: shapley.Shares
    without: np.ndarray
    rank: int
    places: int


def attribute(case: Case, item: int, most: int, *, places: int, orders: int = 64, seed: int = 0) -> Attribution:
    """Share an item's score out among the user's history items.

    A longer history plays as its strongest items, those whose loss alone moves the score most, and all others as one:
    the values are then those of that smaller game, which share out the same whole.

    Args:
        case: who is asked about.
        item: place in the catalogue.
        most: players at most, from 2.
        places: how far down a rank is told.
        orders: drawn where players are too many to enumerate.
        seed: of the drawing.
    """
    player_of, shares = share_out(lambda kept: case.scores(item, kept), len(case.items), most, orders=orders, seed=seed)
    count = len(shares.values)
    ranks = case.ranks(item, all_and_all_but_one(count)[:, player_of], places)
    players = tuple(case.items[player_of == player] for player in range(count))
    return Attribution(players, shares, ranks[1:], int(ranks[0]), places)


def share_out(
    scores: shapley.Game, items: int, most: int, *, orders: int, seed: int
) -> tuple[np.ndarray, shapley.Shares]:
    """Which player each history item is, int [N], and what each player adds; arguments as of `attribute`."""
    player_of = _players(scores, items, most)
    count = int(player_of.max(initial=-1)) + 1
    return player_of, shapley.shares(lambda who: scores(who[:, player_of]), count, orders, seed)


def _players(game: shapley.Game, count: int, most: int) -> np.ndarray:
    """Int [N] which player each history item is: the strongest one each, the rest the last."""
    if count <= most:
        return np.arange(count)
    scores = game(all_and_all_but_one(count))
    moved = np.abs(np.round(scores[0] - scores[1:], DIGITS))
    strongest = np.sort(np.argsort(-moved, kind="stable")[: most - 1])
    player_of = np.full(count, most - 1)
    player_of[strongest] = np.arange(most - 1)
    return player_of


def all_and_all_but_one(count: int) -> np.ndarray:
    """Bool [count + 1, count]."""
    return np.concatenate([np.ones((1, count), bool), ~np.eye(count, dtype=bool)])


def suppose(known: Knowledge, history: History, whose: np.ndarray, states: Callable[[Lines], np.ndarray]) -> Knowledge:
    """Knowledge of other users, what everybody does being as it was.

    Args:
        known: all that scoring reads.
        history: of the other users [V], over the same items.
        whose: int [V] user whom each stands for.
        states: what the transformer makes of lines.
    """
    lines = history.lines.among(known.columns, history.baskets.shape[1])
    guest = _Guest(history, lines, whose, states)
    counted = tuple(_supposed(way, guest) for way in known.counted)
    filters = known.filters
    if filters.excluded is not None:
        filters = replace(filters, excluded=history.baskets[:, known.columns])
    last = counted[-1]  # what a taste is known by, see `recommendations.repeated` and `once`
    taken = last.profile if isinstance(last, linear.Ways) else history.weight[:, known.columns]
    read = tuple(replace(way, profile=taken) if isinstance(way, Taste) else _supposed(way, guest) for way in known.read)
    return replace(known, history=history, counted=counted, taken=taken, filters=filters, read=read)


def _history(history: History, user: int, items: np.ndarray, kept: np.ndarray) -> History:
    """The user's row once for each coalition, without what does not take part."""
    row, column = np.nonzero(kept)

    def cut(matrix: sp.csr_matrix) -> sp.csr_matrix:
        values = matrix[[user]].toarray()[0, items][column]
        found = sp.csr_matrix((values, (row, items[column])), shape=(len(kept), matrix.shape[1]))
        found.eliminate_zeros()
        return found

    mine = history.lines.only(np.array([user]))
    coalition, place = np.nonzero(kept[:, np.searchsorted(items, mine.item)])
    return replace(
        history,
        users=history.users.take(pa.array(np.full(len(kept), user))),
        baskets=cut(history.baskets),
        weight=cut(history.weight),
        age=cut(history.age),
        gap=cut(history.gap),
        lines=Lines(
            mine.item[place], mine.basket[place], mine.age[place], np.searchsorted(coalition, np.arange(len(kept) + 1))
        ),
    )


@singledispatch
def _supposed(way: Ways, guest: _Guest) -> Ways:
    """A way of one kind for other users than the shop's: what is of a user from them, all else as it is."""
    raise TypeError(f"{type(way).__name__}: say here what of it is the user's own and what is everybody's")


@_supposed.register
def _(way: Days, guest: _Guest) -> Ways:
    return replace(way, history=guest.history)


@_supposed.register
def _(way: next_baskets.Ways, guest: _Guest) -> Ways:
    return way.visited(Baskets.of(guest.lines, way.baskets.shape[1]), guest.whose)


@_supposed.register
def _(way: next_items.Ways, guest: _Guest) -> Ways:
    return way.visited(Sequences(guest.lines.item, guest.lines.start))


@_supposed.register
def _(way: linear.Ways, guest: _Guest) -> Ways:
    steps = Sequences(guest.lines.item, guest.lines.start)
    return replace(way, profile=steps.profile(way.profile.shape[1], linear.MEMORY, linear.READ))


@_supposed.register
def _(way: sequential.Ways, guest: _Guest) -> Ways:
    return replace(way, states=guest.states(guest.history.lines))
