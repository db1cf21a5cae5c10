"""Ad slots: the best allowed goods, the worthiest campaigns, what stood there before them, and nothing twice."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.ads import NOTHING, Candidates, Stood, fill, goods_for

ITEMS = 8


def candidates(*rows):
    """Rows of user, campaign, item, value and slot before."""
    user, campaign, item, value, before = np.array(rows, float).reshape(-1, 5).T
    whole = [one.astype(np.int64) for one in (user, campaign, item, before)]
    return Candidates(*whole[:3], value, value / 100, np.ones(len(user), bool), whole[3])


def shown(found):
    made, slot = found
    return list(zip(made.user.tolist(), slot.tolist(), made.campaign.tolist(), made.item.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**20))
def test_goods_are_the_likeliest_that_may_be_shown(seed):
    draw = np.random.default_rng(seed)
    users, goods = np.sort(draw.choice(5, 3, replace=False)), np.sort(draw.choice(ITEMS, 4, replace=False))
    likes = draw.integers(0, 4, (5, ITEMS)) * (draw.random((5, ITEMS)) < 0.4)
    common, items = draw.integers(0, 9, ITEMS).astype(float), draw.random(ITEMS) < 0.7
    barred = draw.random((5, ITEMS)) < 0.3
    before = draw.choice([NOTHING, *goods], 3)
    made, known = goods_for(users, goods, sp.csr_matrix(likes), common, (items, sp.csr_matrix(barred)), before)
    for row, user in enumerate(users):
        open_to = [good for good in goods if items[good] and not barred[user, good]]
        if not open_to:
            assert made[row] == NOTHING
        elif before[row] in open_to:
            assert made[row] == before[row]
        else:
            worth = {one: (likes[user, one], common[one] * (not likes[user, one]), -one) for one in open_to}
            assert made[row] == max(open_to, key=worth.__getitem__)
        assert known[row] == (made[row] >= 0 and likes[user, made[row]] > 0)


def test_the_worthiest_campaigns_come_first_and_the_shops_own_picks_last():
    rows = candidates((0, NOTHING, 5, -1, 0), (0, 1, 2, 30, 0), (0, 0, 1, 20, 0), (1, NOTHING, 5, -1, 0))
    assert shown(fill(rows, 3)) == [(0, 1, 1, 2), (0, 2, 0, 1), (0, 3, NOTHING, 5), (1, 1, NOTHING, 5)]
    assert shown(fill(rows, 1)) == [(0, 1, 1, 2), (1, 1, NOTHING, 5)]


def test_what_stood_there_stays_in_its_order_and_an_item_stands_once():
    rows = candidates((0, 0, 1, 10, 2), (0, 1, 2, 5, 1), (0, 2, 3, 99, 0), (0, 3, 3, 98, 0), (0, NOTHING, 3, -1, 1))
    assert shown(fill(rows, 4)) == [(0, 1, 1, 2), (0, 2, 0, 1), (0, 3, 2, 3)]


def test_without_candidates_nothing_stands():
    assert shown(fill(Candidates.together([]), 2)) == []
    made, known = goods_for(np.arange(2), np.zeros(0, int), sp.csr_matrix((2, 3)), np.ones(3), (), np.zeros(2))
    assert (made.tolist(), known.tolist()) == ([NOTHING, NOTHING], [False, False])


def test_since_when_and_why_is_told_by_last_night():
    yesterday, today = np.datetime64("2017-03-01"), np.datetime64("2017-03-02")
    # User 0 keeps one of two ads; user 1 loses the shop's own pick only; user 2 had none.
    user, campaign, item = np.array([0, 0, 1]), np.array([0, 1, NOTHING]), np.array([1, 2, 4])
    stood = Stood(user, campaign, item, np.array([1, 2, 1]), np.full(3, yesterday), 3)
    assert stood.item_of(1).tolist() == [2, NOTHING, NOTHING]
    assert stood.slot_of(np.array([0, 0, 1]), np.array([1, 1, NOTHING]), np.array([2, 3, 4])).tolist() == [2, 0, 1]
    tonight = candidates((0, 0, 1, 9, 1), (0, 2, 3, 8, 0), (1, 0, 1, 9, 0), (2, 0, 1, 9, 0))
    since, why = stood.told(tonight, np.array([True, False, True]), today)
    assert why.tolist() == ["kept", "forced", "user", "first_night"]
    assert since.tolist() == [yesterday.item(), *[today.item()] * 3]
