"""Users who might be: whole they are the user, and cut they are whom the shop would know had they bought less."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.balance.attribution import own_events
from pipeline.features.sequences import Lines
from pipeline.models import recommendations, sequential, what_if
from pipeline.models.order import Order
from pipeline.models.recommendations import Knowledge, Lesson, taught
from pipeline.models.scoring import dense
from pipeline.models.ways import Taste
from pipeline.models.what_if import Case
from tests.models.conftest import make_history

USERS, ITEMS, COLUMNS = 24, 10, 9
DRAW = np.random.default_rng(8)
BASKETS = [
    [sorted({int(DRAW.integers(3)) + 3 * (user % 3), int(DRAW.integers(ITEMS))}) for _ in range(5)]
    for user in range(USERS)
]
TEXTS = DRAW.normal(size=(ITEMS, 4)).astype(np.float32)
VECTORS = DRAW.normal(size=(COLUMNS, 4)).astype(np.float32)


def states(lines: Lines) -> np.ndarray:
    """A transformer's stand-in: the mean text of a user's lines, nothing for who has none."""
    count = np.diff(lines.start)
    user = np.repeat(np.arange(len(lines)), count)
    bought = sp.csr_matrix((np.ones(len(user)), (user, lines.item)), shape=(len(lines), ITEMS))
    return np.asarray(bought @ TEXTS / np.maximum(count, 1)[:, None], np.float32)


def knowledge(baskets: Any, *, once: bool = False) -> Knowledge:
    history, columns = make_history(baskets, ITEMS), np.arange(COLUMNS)
    known = (
        recommendations.once(history, columns, TEXTS, COLUMNS, 1)
        if once
        else recommendations.repeated(history, columns)
    )
    taste = Taste(known.taken, TEXTS[:COLUMNS])
    return replace(known, read=(sequential.Ways(states(history.lines), VECTORS), taste))


def case(known: Knowledge, order: Any = None, user: int = 4) -> Case:
    return Case(known, states, order, user, 6)


def supposed(known: Knowledge, user: int, kept: np.ndarray) -> Knowledge:
    (found,) = case(known, user=user)._supposed(kept)
    return found


@pytest.fixture(scope="module")
def known() -> Knowledge:
    return knowledge(BASKETS)


@pytest.fixture(scope="module")
def order(known: Knowledge) -> Order:
    most = known.history.weight.toarray()[:, :COLUMNS].argmax(1)
    truth = sp.csr_matrix((np.ones(USERS, bool), (np.arange(USERS), most)), shape=(USERS, ITEMS))
    return Order.learn(*taught([Lesson(known, np.arange(USERS), truth)], 6, 0, 1), 0, 1)


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("user", [0, 4, 23])
def test_with_all_of_the_history_it_is_the_user(user: int, once: bool) -> None:
    known = knowledge(BASKETS, once=once)
    whole = supposed(known, user, np.ones((2, len(case(known, user=user).items)), bool))
    rows, items = np.repeat([0, 1], COLUMNS), np.tile(np.arange(COLUMNS), 2)
    for name, scores in known.ways.scores(np.array([user])).items():
        for mine in dense(whole.ways.scores(np.arange(2))[name], 2):
            np.testing.assert_allclose(mine, dense(scores, 1)[0], rtol=1e-5, atol=1e-7, err_msg=name)
    facts = known.ways.facts(np.array([user, user]), rows, items)
    for name, told in whole.ways.facts(np.arange(2), rows, items).items():
        np.testing.assert_allclose(told, facts[name], err_msg=name)


@pytest.mark.parametrize("once", [False, True])
def test_cut_it_is_the_user_whom_the_shop_would_know_had_they_bought_less(once: bool) -> None:
    """The oracle counts anew from baskets without the items, and takes the graphs of everybody from before."""
    known, user = knowledge(BASKETS, once=once), 4
    items = case(known).items
    draw = np.random.default_rng(0)
    for kept in draw.random((6, len(items))) < 0.6:
        left = set(items[kept].tolist())
        less = [
            held if at != user else [[i for i in one if i in left] for one in held] for at, held in enumerate(BASKETS)
        ]
        truth = own_events(known, knowledge(less, once=once))
        mine, theirs = (
            supposed(known, user, kept[None, :]).ways.scores(np.array([0])),
            truth.ways.scores(np.array([user])),
        )
        for name in theirs.keys() - {"neighbours/rare"}:  # the oracle also counts anew what is rare
            np.testing.assert_allclose(dense(mine[name], 1), dense(theirs[name], 1), rtol=1e-4, atol=1e-6, err_msg=name)


def test_of_nothing_everything_is_finite_and_nothing_is_ones_own(known: Knowledge) -> None:
    nobody = supposed(known, 4, np.zeros((1, len(case(known).items)), bool))
    scores = {way: dense(one, 1) for way, one in nobody.ways.scores(np.array([0])).items()}
    assert all(np.isfinite(one).all() for one in scores.values())
    assert not scores["personal/all"].any() and not scores["co_visitation/next"].any()
    assert scores["popularity/recent"].any()


def test_scores_and_ranks_are_those_of_the_list(known: Knowledge, order: Order) -> None:
    one = case(known, order)
    lists = recommendations.rank(known, order, np.array([one.user]), one.count, 5)
    whole = np.ones((1, len(one.items)), bool)
    for place, (item, score) in enumerate(zip(lists.items[0], lists.scores[0], strict=True), start=1):
        assert one.scores(item, whole)[0] == pytest.approx(score)
        assert one.ranks(item, whole, 5)[0] == place
    assert one.ranks(int(lists.items[0, 4]), whole, 4)[0] == 0


def test_blocks_of_coalitions_make_no_difference(known: Knowledge, order: Order, monkeypatch: Any) -> None:
    one = case(known, order)
    kept = np.random.default_rng(1).random((9, len(one.items))) < 0.5
    item = int(one.items[one.items < COLUMNS][0])
    scores, ranks = one.scores(item, kept), one.ranks(item, kept, 5)
    monkeypatch.setattr(what_if, "BLOCK", 4)
    np.testing.assert_allclose(one.scores(item, kept), scores)
    assert (one.ranks(item, kept, 5) == ranks).all()
    assert one.scores(item, kept[:0]).shape == (0,)


def test_a_score_is_shared_out_among_all_of_the_history(known: Knowledge, order: Order) -> None:
    one = case(known, order)
    item = int(recommendations.rank(known, order, np.array([one.user]), one.count, 1).items[0, 0])
    whole = np.ones((1, len(one.items)), bool)
    for most in (3, len(one.items)):
        found = what_if.attribute(one, item, most, places=5)
        assert len(found.players) == most
        assert np.sort(np.concatenate(found.players)).tolist() == one.items.tolist()
        assert found.shares.values.sum() == pytest.approx(one.scores(item, whole)[0] - one.scores(item, ~whole)[0])
        assert found.rank == 1
        for player, place in zip(found.players, found.without, strict=True):
            assert place == one.ranks(item, ~np.isin(one.items, player)[None, :], 5)[0]


def test_the_strongest_items_play_alone(known: Knowledge, order: Order) -> None:
    one = case(known, order)
    item = int(recommendations.rank(known, order, np.array([one.user]), one.count, 1).items[0, 0])
    scores = one.scores(item, np.concatenate([np.ones((1, len(one.items)), bool), ~np.eye(len(one.items), dtype=bool)]))
    first = one.items[np.abs(scores[1:] - scores[0]).argmax()]
    players = what_if.attribute(one, item, 3, places=5).players
    assert [first] in [player.tolist() for player in players[:2]]
    assert [len(player) for player in players[:2]] == [1, 1]


def test_who_bought_nothing_shares_out_nothing(order: Order) -> None:
    known = knowledge([*BASKETS[:4], [], *BASKETS[5:]])
    found = what_if.attribute(case(known, order), 0, 3, places=5)
    assert found.players == () and found.shares.none == found.shares.whole


def test_a_way_nobody_told_of_is_refused(known: Knowledge) -> None:
    alien = replace(known, counted=(object(),))
    with pytest.raises(TypeError, match="the user's own"):
        supposed(alien, 4, np.ones((1, len(case(known).items)), bool))
