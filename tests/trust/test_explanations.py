"""Explanations: exact where they say so, and faithful: what they name is what the score hangs on."""

from dataclasses import replace
from itertools import combinations, permutations
from math import factorial
from typing import Any

import lightgbm
import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.features.responses import NAMES
from pipeline.metrics import intervals, shapley
from pipeline.models import recommendations, sequential, what_if
from pipeline.models.audiences import ResponseModel
from pipeline.models.order import Order
from pipeline.models.recommendations import Lesson, taught
from pipeline.models.tree_shares import TreeShares
from pipeline.models.ways import Taste
from pipeline.models.what_if import Case
from tests.models.conftest import make_history
from tests.trust.conftest import Trust, counts

KINDS, PER_KIND, USERS, WEEKS = 6, 5, 120, 9
ITEMS = KINDS * PER_KIND
DELETED, DRAWS = 2, 6
MARGIN = 2.0  # log-odds by which what is named moves a score more than what is drawn


def texts() -> np.ndarray:
    """Goods of one kind are near each other."""
    draw = np.random.default_rng(1)
    vectors = np.repeat(np.eye(KINDS), PER_KIND, axis=0) + draw.normal(scale=0.2, size=(ITEMS, KINDS))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def weeks() -> list[list[list[int]]]:
    """Baskets of users with two goods of habit, a kind that they like, what follows a good, and chance."""
    draw, baskets = np.random.default_rng(2), []
    for _ in range(USERS):
        habit, kind, mine, before = draw.integers(ITEMS, size=2), int(draw.integers(KINDS)), [], None
        for week in range(WEEKS):
            held = {int(habit[week % 2]), kind * PER_KIND + int(draw.integers(PER_KIND))}
            if before is not None and draw.random() < 0.7:
                held.add((before + 1) % ITEMS)
            if draw.random() < 0.4:
                held.add(int(draw.integers(ITEMS)))
            before = int(habit[week % 2])
            mine.append(sorted(held))
        baskets.append(mine)
    return baskets


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Every user of a small shop before an order learned on the week after: habits, kinds and sequels count."""
    baskets, vectors = weeks(), texts()
    history, columns = make_history([mine[:-1] for mine in baskets], ITEMS), np.arange(ITEMS)

    def states(lines: Any) -> np.ndarray:
        user = np.repeat(np.arange(len(lines)), np.diff(lines.start))
        bought = sp.csr_matrix((np.ones(len(user)), (user, lines.item)), shape=(len(lines), ITEMS))
        return np.asarray(bought @ vectors, np.float32)

    known = recommendations.repeated(history, columns)
    read = (sequential.Ways(states(history.lines), vectors), Taste(known.taken, vectors))
    known = replace(known, read=read)
    row = np.repeat(np.arange(USERS), [len(mine[-1]) for mine in baskets])
    truth = sp.csr_matrix((np.ones(len(row), bool), (row, [i for mine in baskets for i in mine[-1]])), (USERS, ITEMS))
    order = Order.learn(*taught([Lesson(known, np.arange(USERS), truth)], 12, 0, 1), 0, 1)
    return [Case(known, states, order, user, 12) for user in range(USERS)]


def first(case: Case) -> int:
    """The item at the head of the list."""
    return int(recommendations.rank(case.known, case.order, np.array([case.user]), case.count, 1).items[0, 0])


def joined(game: Any, players: int) -> np.ndarray:
    """What each player adds when joining, averaged over every order, each coalition asked for alone."""
    worth = {
        who: float(game(np.isin(np.arange(players), who)[None, :])[0])
        for size in range(players + 1)
        for who in combinations(range(players), size)
    }
    total = np.zeros(players)
    for order in permutations(range(players)):
        for place, player in enumerate(order):
            total[player] += worth[tuple(sorted(order[: place + 1]))] - worth[tuple(sorted(order[:place]))]
    return total / factorial(players)


def test_history_items_get_what_all_orders_say(cases: list[Case], trust: Trust) -> None:
    errors = []
    for case in cases[: counts(1, 20)]:
        item = first(case)
        found = what_if.attribute(case, item, 6, places=10)
        player_of = np.zeros(len(case.items), int)
        for player, items in enumerate(found.players):
            player_of[np.isin(case.items, items)] = player

        def game(who: np.ndarray, case: Case = case, item: int = item, player_of: np.ndarray = player_of) -> np.ndarray:
            return case.scores(item, who[:, player_of])

        errors.append(np.abs(found.shares.values - joined(game, len(found.players))).max())
        errors.append(abs(found.shares.values.sum() - (found.shares.whole - found.shares.none)))
    trust.at_most("Shapley of history items, largest error", max(errors), 1e-9, tried=len(errors) // 2,
                  note="beside all 720 orders of joining, log-odds")  # fmt: skip


def test_sampled_values_lie_within_their_error_bars(cases: list[Case], trust: Trust) -> None:
    inside = []
    for case in cases[: counts(4, 30)]:
        item, items = first(case), len(case.items)
        some = min(items, 8)
        player_of = np.minimum(np.arange(items), some - 1)

        def game(who: np.ndarray, case: Case = case, item: int = item, player_of: np.ndarray = player_of) -> np.ndarray:
            return case.scores(item, who[:, player_of])

        drawn, exact = shapley.sampled(game, some, 32, case.user), shapley.exact(game, some)
        inside += (np.abs(drawn.values - exact.values) <= 2.2 * drawn.errors + 1e-9).tolist()
    trust.at_least("sampled Shapley within its error bar, share", float(np.mean(inside)), 0.9, tried=len(inside),
                   note="2.2 standard errors: 96 % of 16 pairs' means")  # fmt: skip


def expected(tree: dict[str, Any], row: np.ndarray, known: frozenset[int]) -> float:
    """A tree's expectation of a row of which some features are known: elsewhere branches count by their rows."""
    if "leaf_value" in tree:
        return float(tree["leaf_value"])
    left, right = tree["left_child"], tree["right_child"]
    if tree["split_feature"] in known:
        return expected(left if row[tree["split_feature"]] <= tree["threshold"] else right, row, known)
    rows = [one.get("leaf_count", one.get("internal_count", 0)) for one in (left, right)]
    return float((rows[0] * expected(left, row, known) + rows[1] * expected(right, row, known)) / sum(rows))


def test_features_of_an_order_get_what_their_trees_expect(trust: Trust) -> None:
    draw = np.random.default_rng(3)
    table = draw.normal(size=(400, 5)).astype(np.float32)
    hit = (table[:, 0] * table[:, 1] + table[:, 2] > 0).astype(int)
    settings = {"objective": "binary", "num_leaves": 8, "min_data_in_leaf": 10, "verbosity": -1, "num_threads": 1}
    order = Order(lightgbm.train(settings, lightgbm.Dataset(table, hit), num_boost_round=6))
    trees = [one["tree_structure"] for one in order.model.dump_model()["tree_info"]]
    nightly, errors = TreeShares(order.model, threads=1), []
    for row in table[: counts(4, 40)]:

        def game(who: np.ndarray, row: np.ndarray = row) -> np.ndarray:
            known = [frozenset(np.flatnonzero(one).tolist()) for one in who]
            return np.array([sum(expected(tree, row, one) for tree in trees) for one in known])

        truth = shapley.exact(game, 5).values
        errors += [np.abs(one.contributions(row[None, :])[0] - truth).max() for one in (order, nightly)]
    trust.at_most("TreeSHAP of a list's features, largest error", max(errors), 1e-9, tried=len(errors),
                  note="beside the trees' own expectations under all 32 sets")  # fmt: skip


def test_features_of_a_contact_get_what_all_sets_say(trust: Trust) -> None:
    draw, some = np.random.default_rng(4), 8
    count = len(NAMES)
    model = ResponseModel(
        ["a"], draw.normal(size=count + 1), draw.random(count + 1) + 0.5, draw.normal(size=count + 1), -2.0,
        np.linspace(0, 1, 21), np.zeros((0, count + 2)),
    )  # fmt: skip
    errors = []
    for _ in range(counts(5, 50)):
        row, kind = draw.normal(scale=3, size=(1, count)), np.array(["a"], dtype=object)

        def game(who: np.ndarray, row: np.ndarray = row, kind: np.ndarray = kind) -> np.ndarray:
            asked = np.tile(row, (len(who), 1))
            asked[:, :some] = np.where(who, asked[:, :some], model.mean[:some])
            chance = model.propensity(asked, np.repeat(kind, len(who)))
            return np.log(chance / (1 - chance))

        errors.append(np.abs(model.contributions(row, kind)[0, :some] - shapley.exact(game, some).values).max())
    trust.at_most("Shapley of a contact's features, largest error", max(errors), 1e-6, tried=len(errors),
                  note="beside all 256 sets of eight features against the mean contact")  # fmt: skip


def test_what_is_named_is_what_the_score_hangs_on(cases: list[Case], trust: Trust) -> None:
    """Deletion: without the items named first a score falls further than without as many drawn ones."""
    draw, gains = np.random.default_rng(5), []
    for case in cases[: counts(12, USERS)]:
        item, items = first(case), len(case.items)
        found = what_if.attribute(case, item, 8, places=10)
        single = [
            (-value, one[0]) for value, one in zip(found.shares.values, found.players, strict=True) if len(one) == 1
        ]
        named = [at for _, at in sorted(single)[:DELETED]]
        kept = np.ones((DRAWS + 1, items), bool)
        kept[0, np.isin(case.items, named)] = False
        for row in kept[1:]:
            row[draw.choice(items, DELETED, replace=False)] = False
        score = case.scores(item, kept)
        gains.append(score[1:].mean() - score[0])
    mean, low, high = intervals.bootstrap_mean(np.array(gains), seed=0)
    trust.at_least("deletion: named items beat drawn ones, log-odds", low, MARGIN, tried=len(gains),
                   note=f"lower 95 % bound of {mean:.2f} [{low:.2f}, {high:.2f}]; {DELETED} items each")  # fmt: skip
