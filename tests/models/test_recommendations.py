"""Knowledge of a day, the order learned on the week after, and the lists of it."""

from collections.abc import Iterator

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.features.history import History
from pipeline.models import recommendations
from pipeline.models.order import Candidates, Order, blocks
from pipeline.models.recommendations import SOURCES, Days, Knowledge, Lesson, taught
from pipeline.models.scoring import dense
from pipeline.models.ways import candidates

EVERYBODY = np.arange(40)
COUNT = 6


@pytest.fixture
def bought(known: Knowledge) -> sp.csr_matrix:
    """The week after: everybody buys what they bought most before."""
    most = known.history.weight.toarray()[:, :11].argmax(1)
    return sp.csr_matrix((np.ones(40, bool), (np.arange(40), most)), shape=(40, 12))


@pytest.fixture
def order(known: Knowledge, bought: sp.csr_matrix) -> Order:
    return Order.learn(*taught([Lesson(known, EVERYBODY, bought)], COUNT, 0, 1), 0, 1)


def test_days_tell_sales_of_late_and_when_a_user_took_an_item(shoppers: History) -> None:
    days, users = Days(shoppers, np.arange(1, 12)), np.array([3, 7])
    scores = {way: dense(one, 2) for way, one in days.scores(users).items()}
    assert scores["popularity/recent"][1].tolist() == shoppers.buyers_recent[1:].tolist()
    np.testing.assert_allclose(scores["personal/weight"], shoppers.weight[users].toarray()[:, 1:])
    row, item = np.array([0, 1, 1]), np.array([0, 4, 10])
    facts = days.facts(users, row, item)
    age, gap = (one.toarray()[users[row], item + 1] for one in (shoppers.age, shoppers.gap))
    np.testing.assert_allclose(facts["personal/days_since"], age)
    np.testing.assert_allclose(facts["personal/days_due"], np.where(gap > 0, age / np.maximum(gap, 1e-9), 0))


def test_where_users_take_an_item_once_it_is_listed_no_more(shoppers: History) -> None:
    texts = np.eye(12, dtype=np.float32)
    known = recommendations.once(shoppers, np.arange(11), texts, 8, 1)
    taken = shoppers.baskets.toarray()[:, :11] > 0
    for scores in known.ways.scores(EVERYBODY).values():
        assert not dense(scores, len(EVERYBODY))[taken].any()
    found = candidates(known.ways, EVERYBODY, COUNT)
    assert {"co_visitation/next", "linear/next", "popularity/recent"} < set(found.ways)
    assert not taken[found.user, found.item].any()


def test_ranking_is_a_sort_of_each_users_candidates(known: Knowledge, order: Order) -> None:
    lists = recommendations.rank(known, order, EVERYBODY, COUNT, 8)
    found = candidates(known.ways, EVERYBODY, COUNT)
    score = np.round(order.model.predict(found.features, raw_score=True), 9)
    for user in range(40):
        mine = sorted(zip(-score[found.user == user], found.item[found.user == user], strict=True))[:8]
        pad = 8 - len(mine)
        assert lists.items[user].tolist() == [one for _, one in mine] + [-1] * pad
        assert lists.scores[user].tolist() == pytest.approx([-value for value, _ in mine] + [0.0] * pad)
    assert not np.isin(11, lists.items)


def test_lists_are_the_same_in_any_block_and_a_short_one_begins_a_long_one(
    known: Knowledge, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = recommendations.rank(known, order, EVERYBODY, COUNT, 8).items
    monkeypatch.setattr("pipeline.models.order.BLOCK", 7)
    assert len(list(blocks(EVERYBODY))) == 6
    for threads in (1, 3):
        assert (recommendations.rank_all(known, order, EVERYBODY, COUNT, 8, threads) == whole).all()
    assert (recommendations.rank(known, order, EVERYBODY, COUNT, 3).items == whole[:, :3]).all()
    some = np.array([4, 30])
    assert (recommendations.rank_all(known, order, some, COUNT, 8, 2) == whole[some]).all()


def test_every_list_place_carries_the_features_behind_it(known: Knowledge, order: Order) -> None:
    lists = recommendations.rank(known, order, EVERYBODY, COUNT, 8)
    filled = lists.items >= 0
    again = np.round(order.model.predict(lists.features[filled], raw_score=True), 9)
    np.testing.assert_allclose(again, lists.scores[filled])


def test_the_order_learns_that_habits_are_kept(known: Knowledge, bought: sp.csr_matrix) -> None:
    # Forty users are too few for a tree's leaf.
    found = Candidates.joined([candidates(known.ways, EVERYBODY, 10)] * 20)
    hit = np.asarray(bought[found.user, found.item]).ravel()
    order = Order.learn(found, hit, 0, 1)
    top = recommendations.rank_all(known, order, EVERYBODY, 10, 3, 1)
    assert np.mean([bought[user].indices[0] in top[user] for user in range(40)]) > 0.9


def test_the_newest_lesson_is_heard_first_and_no_more_users_than_wanted(
    known: Knowledge, bought: sp.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendations, "TAUGHT", 30)
    found, hit = Lesson(known, EVERYBODY, bought).taught(COUNT, 30, 0, 2)
    assert len(np.unique(found.user)) == 30 and hit.sum() == 30
    one = Order.learn(*taught([Lesson(known, EVERYBODY, bought)], COUNT, 0, 1), 0, 1)

    def lessons() -> Iterator[Lesson]:
        yield Lesson(known, EVERYBODY, bought)
        raise AssertionError("nobody is left to hear")

    assert Order.learn(*taught(lessons(), COUNT, 0, 1), 0, 1).as_dict() == one.as_dict()


def test_no_more_candidates_are_heard_than_wanted_and_users_whole(
    known: Knowledge, bought: sp.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, hit = taught([Lesson(known, EVERYBODY, bought)], COUNT, 0, 1)
    monkeypatch.setattr(recommendations, "HEARD", len(hit) // 2)
    fewer, their_hit = taught([Lesson(known, EVERYBODY, bought)], COUNT, 0, 1)
    assert len(hit) // 4 < len(their_hit) <= len(hit) // 2
    some = np.isin(found.user, fewer.user)
    assert (fewer.item == found.item[some]).all() and (their_hit == hit[some]).all()


def test_each_source_alone_ranks_each_item_once_beside_the_order(known: Knowledge, order: Order) -> None:
    lists = recommendations.rank_beside(known, order, EVERYBODY, COUNT, 5, 2)
    assert (lists.pop("fused") == recommendations.rank_all(known, order, EVERYBODY, COUNT, 5, 2)).all()
    assert set(lists) == set(SOURCES) - {"linear"}
    for ranked in lists.values():
        assert all(len(set(row)) == 5 for row in ranked.tolist())
    by_buyers = sorted(range(11), key=lambda item: (-known.history.buyers_recent[item], item))[:5]
    assert (lists["popularity"] == by_buyers).all()
