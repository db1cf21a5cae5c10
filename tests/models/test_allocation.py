"""Plans of contacts: the best of all by brute force, and never beyond a budget or the cap."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.allocation import Offer, allocate, best, plan
from pipeline.privacy.differencing import Wish, guard


def fits(made, campaign, user, budgets, cap):
    return (np.bincount(campaign[made], minlength=len(budgets)) <= budgets).all() and (
        np.bincount(user[made], minlength=1) <= cap
    ).all()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_plan_is_the_best_of_all(data):
    pairs = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), unique=True, min_size=1, max_size=9))
    campaign, user = np.array(pairs).T
    worth = np.array(data.draw(st.lists(st.integers(-5, 20), min_size=len(pairs), max_size=len(pairs))), float)
    budgets, cap = (
        np.array(data.draw(st.lists(st.integers(0, 3), min_size=3, max_size=3))),
        data.draw(st.integers(1, 2)),
    )
    made = allocate(campaign, user, worth, budgets, np.full(4, cap))
    assert fits(made, campaign, user, budgets, cap)
    plans = (np.array(plan, bool) for plan in product([False, True], repeat=len(pairs)))
    best = max(worth[plan].sum() for plan in plans if fits(plan, campaign, user, budgets, cap))
    assert worth[made].sum() == pytest.approx(best)
    assert (worth[made] > 0).all()


def test_two_thousand_users_and_four_campaigns_are_planned_the_same_way_twice():
    draw = np.random.default_rng(1)
    campaign, user = np.divmod(np.arange(8000), 2000)
    worth, budgets = draw.normal(1, 2, size=8000).round(2), np.array([100, 500, 2000, 0])
    made = allocate(campaign, user, worth, budgets, np.ones(2000, int))
    assert fits(made, campaign, user, budgets, 1)
    assert np.bincount(campaign[made], minlength=4)[:2].tolist() == [100, 500]
    assert np.array_equal(made, allocate(campaign, user, worth, budgets, np.ones(2000, int)))


def test_without_anything_worth_it_nothing_is_planned():
    caps = np.ones(3, int)
    assert not allocate(np.zeros(3, int), np.arange(3), np.array([0.0, -1.0, -2.0]), np.array([3]), caps).any()
    assert allocate(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.array([3]), caps).tolist() == []
    assert plan([], caps, np.zeros((0, 3), bool), 1) == []


def offers_of(draw, users):
    def offer():
        audience = draw.random(users) < draw.random()
        budget = None if draw.random() < 0.5 else int(draw.integers(0, users))
        worth = draw.integers(-2, 20, users).astype(float)
        return Offer(audience, worth, budget, audience & (draw.random(users) < draw.random()))

    return [offer() for _ in range(draw.integers(1, 4))]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**20))
def test_a_nights_plan_keeps_budgets_and_caps_and_tells_of_nobody(seed):
    draw, users, k = np.random.default_rng(seed), 12, 3
    offers, caps = offers_of(draw, users), draw.integers(0, 3, users)
    others = np.array([offer.audience for offer in offers if offer.audience.sum() >= k], bool).reshape(-1, users)
    made = plan(offers, caps, others, k)
    assert (np.sum(made, axis=0) <= caps).all()
    beside = [set(np.flatnonzero(one)) for one in (*others, *made, *(offer.last for offer in offers)) if one.any()]
    for one, offer in zip(made, offers, strict=True):
        assert not (one & ~offer.audience).any()
        assert offer.budget is None or one.sum() <= offer.budget
        mine = set(np.flatnonzero(one))
        assert not mine or len(mine) >= k
        parts = [part for other in beside for part in (mine - other, other - mine) if mine]
        assert all(not part or len(part) >= k for part in parts)


def test_last_nights_plan_stays_while_it_is_nearly_the_best():
    users = 400
    everyone, worth = np.ones(users, bool), np.arange(users, 0, -1.0)
    caps, audience = np.ones(users, int), np.ones((1, users), bool)
    first = np.arange(users) < 200
    shuffled = np.random.default_rng(3).permutation(users) < 200
    nearly = np.where(np.arange(users) == 199, False, first) | (np.arange(users) == 200)
    for last, kept in ((nearly, True), (shuffled, False)):
        (made,) = plan([Offer(everyone, worth, 200, last)], caps, audience, 20)
        assert np.array_equal(made, last) == kept
    # A smaller budget is kept to, and what leaves the plan leaves with others.
    (made,) = plan([Offer(everyone, worth, 199, nearly)], caps, audience, 20)
    assert 0 < made.sum() <= 180


def test_what_the_guard_takes_out_is_spent_on_others():
    users, k, budget = 1000, 50, 300
    worth, last = np.arange(users, 0, -1.0), np.arange(users) < budget
    audience = np.ones(users, bool)
    audience[[3, 70, 200]] = False  # three of last night's plan withdrew
    (made,) = plan([Offer(audience, worth, budget, last)], np.ones(users, int), audience[None, :], k)
    assert made.sum() == budget
    assert k <= (last & ~made).sum() == (made & ~last).sum() <= k + 3
    assert worth[made].sum() > 0.9 * worth[last].sum()


def test_where_nothing_is_scarce_the_plan_is_the_audiences():
    audience, worth = np.array([True, True, True, False]), np.array([3.0, -1.0, 0.0, 2.0])
    offers = [Offer(audience, worth, None, np.zeros(4, bool))] * 2
    assert np.array_equal(best(offers, np.full(4, 2)), [audience, audience])
    # As soon as something is, only who is worth it is contacted.
    assert best(offers, np.array([1, 2, 2, 2])).sum(1).tolist() in ([1, 0], [0, 1])


def share_kept(users, k, seed, nights=2, campaigns=4):
    """Worth of the plans over that of the best ones, over nights on which worths drift and a few withdraw."""
    draw, nobody = np.random.default_rng(seed), np.zeros(users, bool)
    taste = draw.normal(size=users) * 20
    worths = [taste + draw.normal(size=users) * 20 + draw.uniform(-10, 30) for _ in range(campaigns)]
    budgets = [None if draw.random() < 0.3 else int(users * draw.uniform(0.08, 0.5)) for _ in range(campaigns)]
    seen, plans, kept = np.zeros((0, users), bool), [nobody] * campaigns, []
    for _ in range(nights):
        worths = [worth + draw.normal(size=users) * 1.5 for worth in worths]
        agreed = draw.random(users) > 0.002
        wishes = [Wish((worth > 0) & agreed, (worth > -5) & agreed, worth) for worth in worths]
        made = [nobody if one is None else one for one in guard(wishes, seen, k)]
        offers = [Offer(*each) for each in zip(made, worths, budgets, plans, strict=True)]
        audiences, caps = np.array([one for one in made if one.any()]), np.full(users, 2)
        plans = plan(offers, caps, np.concatenate([seen, audiences]), k)
        kept.append(np.array(worths)[np.array(plans)].sum() / np.array(worths)[best(offers, caps)].sum())
        seen = audiences
    return np.mean(kept)


@pytest.mark.parametrize(
    ("users", "seeds", "least"), [pytest.param(12_000, [0], 0.98, marks=pytest.mark.slow), (2_400, [0, 1], 0.8)]
)
def test_the_promise_costs_little_where_audiences_are_large(users, seeds, least):
    assert np.mean([share_kept(users, 100, seed) for seed in seeds]) > least
