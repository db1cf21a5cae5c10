"""No two audiences tell of a few people, over many made-up families; and who is wanted is mostly reached."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.privacy.differencing import Wish, differences, guard, smallest_difference, stays_or_enters

CASES = 10_000
NOBODY = np.zeros((0, 0), bool)


def family(draw, users, count):
    """Wishes that resemble each other, as those of one shop's campaigns do; some users may be in none or few."""
    base, agreed = draw.random(users), draw.random(users) > draw.choice([0, 0.05, 0.3])
    wishes = []
    for _ in range(count):
        worth = base + draw.normal(scale=draw.choice([0.02, 0.3]), size=users) - draw.random() * 0.6
        allowed = agreed & (draw.random(users) > draw.choice([0, 0.05, 0.3]))
        wishes.append(Wish(worth > draw.choice([0, 0.2]), allowed, worth))
    return wishes


def members(mask):
    return set(np.flatnonzero(mask).tolist())


def telling(audiences, others, k):
    """Brute force: pairs that differ by a few users, and audiences that are too small."""
    small = [one for one in audiences if len(one) < k]
    pairs = [*combinations(audiences, 2), *((one, other) for one in audiences for other in others)]
    return small + [pair for one, other in pairs for pair in (one - other, other - one) if 0 < len(pair) < k]


@pytest.fixture(scope="module")
def families():
    """For each of many cases: k, last night's audiences, tonight's wishes, and what the guard makes of them."""
    draw, out = np.random.default_rng(20171130), []
    for _ in range(CASES):
        users, k = int(draw.integers(4, 60)), int(draw.integers(2, 8))
        none = np.zeros((0, users), bool)
        before = [one for one in guard(family(draw, users, draw.integers(0, 4)), none, k) if one is not None]
        last, wishes = np.array(before, bool).reshape(-1, users), family(draw, users, draw.integers(1, 5))
        out.append((k, last, wishes, guard(wishes, last, k)))
    return out


def test_no_audience_is_too_small_and_no_two_differ_by_a_few(families):
    assert len(families) == CASES
    for k, last, _wishes, settled in families:
        published = [members(one) for one in settled if one is not None]
        assert telling(published, [members(one) for one in last], k) == []


def test_nobody_is_in_an_audience_who_may_not_be(families):
    for _k, _last, wishes, settled in families:
        for wish, audience in zip(wishes, settled, strict=True):
            assert audience is None or not (audience & ~wish.allowed).any()


def test_the_cases_are_hard_and_most_of_the_wanted_are_reached(families):
    wanted, reached, unmended, withheld, large = 0, 0, 0, 0, 0
    for k, last, wishes, settled in families:
        asked = [members(wish.wanted & wish.allowed) for wish in wishes]
        unmended += bool(telling([one for one in asked if len(one) >= k], [members(one) for one in last], k))
        for mine, audience in zip(asked, settled, strict=True):
            if len(mine) >= 2 * k:
                large, withheld = large + 1, withheld + (audience is None)
                wanted += len(mine)
                reached += 0 if audience is None else len(mine & members(audience))
    assert unmended > CASES / 3, "cases that nothing has to be done about prove nothing"
    assert withheld / large < 0.03
    assert reached / wanted > 0.85


def test_what_breaks_no_promise_stays_as_wished(families):
    for k, last, wishes, settled in families:
        asked = [members(wish.wanted & wish.allowed) for wish in wishes]
        if not telling(asked, [members(one) for one in last], k):
            assert [members(one) for one in settled] == asked


def test_the_same_family_settles_the_same_way(families):
    for k, last, wishes, settled in families[:200]:
        for one, two in zip(settled, guard(wishes, last, k), strict=True):
            assert (one is None) == (two is None)
            assert one is None or np.array_equal(one, two)


def masks(users, *wanted):
    out = np.zeros((len(wanted), users), bool)
    for row, mine in zip(out, wanted, strict=True):
        row[list(mine)] = True
    return out


def wish(users, wanted, forbidden=(), worth=None):
    allowed = ~masks(users, forbidden)[0]
    return Wish(masks(users, wanted)[0], allowed, np.ones(users) if worth is None else np.asarray(worth, float))


def test_a_few_who_enter_wait_until_there_are_enough():
    last = masks(20, range(10))
    assert members(guard([wish(20, range(12), forbidden=range(12, 20))], last, 3)[0]) == set(range(10))
    assert members(guard([wish(20, range(13))], last, 3)[0]) == set(range(13))


def test_a_few_who_leave_wait_unless_they_must_go():
    last, worth = masks(20, range(10)), np.arange(20)[::-1]
    one_leaves = set(range(10)) - {4}
    assert members(guard([wish(20, one_leaves, worth=worth)], last, 3)[0]) == set(range(10))
    # Who withdrew consent goes at once, and takes the least worthy along.
    gone = guard([wish(20, one_leaves, forbidden=[4], worth=worth)], last, 3)[0]
    assert members(gone) == set(range(10)) - {4, 8, 9}


def test_nearly_the_same_audience_is_the_same():
    both = guard([wish(30, range(20)), wish(30, range(1, 21), forbidden=[25])], masks(30)[:0], 5)
    assert members(both[0]) == members(both[1]) == set(range(20))


def test_below_k_nothing_is_published():
    assert guard([wish(10, range(3))], masks(10)[:0], 4) == [None]
    assert guard([], NOBODY, 4) == []


@given(st.sets(st.integers(0, 9)), st.lists(st.sets(st.integers(0, 9)), max_size=4))
def test_differences_are_those_of_sets(mine, others):
    stacked = masks(10, *others) if others else masks(10)[:0]
    more, fewer = differences(masks(10, mine)[0], stacked)
    assert more.tolist() == [len(mine - other) for other in others]
    assert fewer.tolist() == [len(other - mine) for other in others]
    found = [n for n in (*more.tolist(), *fewer.tolist()) if n]
    assert smallest_difference(masks(10, mine)[0], stacked) == (min(found) if found else None)


@given(st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=30), st.data())
def test_hysteresis_holds_who_is_in_and_asks_more_of_who_is_not(values, data):
    value = np.array(values)
    member = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    now = stays_or_enters(value, member, 6.0, 4.0)
    assert now.tolist() == [v >= 4 if m else v > 6 for v, m in zip(values, member.tolist(), strict=True)]
    # Between the thresholds nothing ever changes, however often it is asked.
    between = (value >= 4) & (value <= 6)
    assert np.array_equal(now[between], member[between])
    assert np.array_equal(stays_or_enters(value, now, 6.0, 4.0), now)


@pytest.mark.parametrize("leave", [6.0, 7.0, np.nan])
def test_thresholds_in_the_wrong_order_are_refused(leave):
    with pytest.raises(ValueError, match="not lower than"):
        stays_or_enters(np.zeros(1), np.zeros(1, bool), 6.0, leave)


def test_beside_an_audience_that_erasure_made_too_small_nothing_is_published_and_it_comes_to_an_end():
    users, k = 40, 5
    few = np.arange(users) < k - 1
    rest = ~few
    assert guard([Wish(rest, rest, np.ones(users))], few[None, :], k) == [None]
    both = guard([Wish(few | rest, few | rest, np.ones(users))], few[None, :], k)
    assert both[0] is not None
