"""The balance of one surface: promises G1 to G4 and G11 over chains of nights, by plain loops, and its laws."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance import explore
from pipeline.balance.point import Point
from pipeline.balance.surface import (
    ACTIVE,
    DATA,
    EXPLORE,
    FIRST_NIGHT,
    FORCED,
    IDLE,
    KEPT,
    MODEL,
    NEW,
    USER,
    Balanced,
    Rankings,
    Standing,
    balance_surface,
)
from pipeline.balance.surfaces import Ranked
from pipeline.metrics.stability import prefix_violations, rbo, rbo_floor
from pipeline.policy import Explore, Policy, load_policy
from tests.balance.cases import ranked

POLICY = load_policy("default")
CALM = POLICY.model_copy(update={"explore": Explore(share=0.0, slots=1, depth=5, temperature=1.0)})
GOODS, CATEGORIES, USERS, NIGHTS, WIDTH = 40, 5, 250, 14, 24
CASES = 10_000  # that each promise is held against, at least
NONE = sp.csr_matrix((USERS, GOODS), dtype=bool)
EVERYTHING = (np.ones(GOODS, bool), NONE)
FREE = Point(0.0, 0.0, 2, 5, 3)


def standing(rng: np.random.Generator, state: np.ndarray, drawn: np.ndarray) -> Standing:
    users = len(state)
    taste = rng.random((users, CATEGORIES))
    zero = np.zeros(users, int)
    return Standing(
        state, zero, zero, rng.integers(0, 30, users), sp.csr_matrix(taste / taste.sum(1, keepdims=True)), drawn
    )


class Chain:
    """Users of one surface through consecutive nights: what they want drifts, items come and go, days are lived."""

    def __init__(self, seed: int, places: int, point: Point, policy: Policy) -> None:
        self.rng = np.random.default_rng(seed)
        self.point, self.policy = point, policy
        self.taste = self.rng.normal(size=(USERS, GOODS))
        self.category = self.rng.integers(0, CATEGORIES, GOODS)
        self.lists = np.full((USERS, places), -1)
        self.by_night: list[np.ndarray] = []
        self.unchanged = np.zeros(USERS, int)
        self.habit = self.rng.choice([0.0, 0.3, 1.0], USERS)  # how often a user comes

    def night(self, number: int) -> tuple[np.ndarray, Standing, tuple[np.ndarray, sp.csr_matrix], Balanced]:
        rng = self.rng
        self.taste += rng.normal(scale=0.3, size=self.taste.shape)
        free = self.ranking(self.taste)
        champion = self.ranking(self.taste + rng.normal(scale=0.2, size=self.taste.shape)) if number % 3 else None
        allowed = (rng.random(GOODS) > 0.03, sp.csr_matrix(rng.random((USERS, GOODS)) < 0.01))
        has_list = (self.lists >= 0).any(1)
        state = np.where(~has_list, NEW, np.where(rng.random(USERS) < self.habit, ACTIVE, IDLE))
        who = replace(
            standing(rng, state, explore.draws((f"u{user}" for user in range(USERS)), f"night {number}")),
            spent=np.sum([np.zeros(USERS, int), *self.by_night[-6:]], axis=0),
            unchanged=self.unchanged,
        )
        before = self.lists
        core = free if number % 2 else None
        result = balance_surface(
            before, Rankings(free, champion, core), allowed, who, self.category, self.point, self.policy
        )
        self.lists, self.unchanged = result.items, result.unchanged
        self.by_night.append(result.voluntary)
        return before, who, allowed, result

    def ranking(self, taste: np.ndarray) -> Ranked:
        items = np.argsort(-taste, axis=1)[:, :WIDTH]
        short = (self.rng.random((USERS, 1)) < 0.1) & (np.arange(WIDTH) >= self.rng.integers(0, WIDTH, (USERS, 1)))
        return Ranked(np.where(short, -1, items), np.take_along_axis(taste, items, 1))


def check_night(before: np.ndarray, who: Standing, allowed: tuple[np.ndarray, sp.csr_matrix], now: Balanced) -> int:
    """G1, G2, causes and counts of one night, list by list; how many lists were not new."""
    places = before.shape[1]
    overlap, floor = rbo(before, now.items), rbo_floor(places, now.budget, now.pinned)
    barred = ~allowed[0] | allowed[1].toarray()
    for user in range(USERS):
        old, new = ([item for item in row.tolist() if item >= 0] for row in (before[user], now.items[user]))
        gone = [item for item in old if barred[user, item]]
        fresh = [item for item in new if item not in old]
        assert not barred[user, new].any() and len(set(new)) == len(new)
        assert now.items[user].tolist() == new + [-1] * (places - len(new))
        assert now.forced[user] == len(gone)
        assert (now.cause[user][: len(new)] >= 0).all() and (now.cause[user][len(new) :] == -1).all()
        if who.state[user] == NEW:
            assert now.voluntary[user] == 0 and set(now.cause[user][: len(new)].tolist()) <= {FIRST_NIGHT}
            continue
        assert now.voluntary[user] == max(len(fresh) - len(gone), 0) <= now.budget[user]
        assert [cause == KEPT for cause in now.cause[user][: len(new)]] == [item in old for item in new]
        if not gone and len(new) <= len(old):
            assert overlap[user] >= floor[user]
        if not gone:
            assert new[: now.pinned[user]] == old[: now.pinned[user]]
    return int((who.state != NEW).sum())


def test_promises_of_change_hold_through_fourteen_nights() -> None:
    """G1, G2 and G3."""
    lists = windows = 0

    @settings(max_examples=6)
    @given(st.integers(0, 2**32 - 1), st.sampled_from([10, 20]), st.sampled_from([Point(0.3, 0.9, 1, 3, 5), FREE]))
    def hold(seed: int, places: int, point: Point) -> None:
        nonlocal lists, windows
        chain = Chain(seed, places, point, POLICY)
        states = []
        for number in range(NIGHTS):
            before, who, allowed, now = chain.night(number)
            lists += check_night(before, who, allowed, now)
            assert (now.budget[who.state == IDLE] <= point.budget_idle).all()
            assert (now.budget[who.state == ACTIVE] == point.budget_active).all()
            states.append(who.state)
        windows += check_weeks(np.array(chain.by_night), np.array(states) == IDLE)

    hold()
    assert lists >= CASES and windows >= CASES


def check_weeks(changes: np.ndarray, idle: np.ndarray) -> int:
    """G3 of every week that ends with an idle night; how many there were."""
    for last in range(NIGHTS):
        first = max(0, last - 6)
        week = changes[first : last + 1].sum(0)
        # Who came during the week may have seen more; tonight adds nothing to it then.
        assert (week[idle[last] & (changes[last] > 0)] <= POLICY.week_limit).all()
        assert (week[idle[first : last + 1].all(0)] <= POLICY.week_limit).all()
    return int(idle.sum())


def test_every_device_shows_the_head_of_the_one_list() -> None:
    """G4."""
    lists = 0

    @settings(max_examples=3)
    @given(st.integers(0, 2**32 - 1))
    def hold(seed: int) -> None:
        nonlocal lists
        chain = Chain(seed, 20, FREE, POLICY)
        for number in range(NIGHTS):
            items = chain.night(number)[-1].items
            devices = {name: items[:, : min(size, 20)].tolist() for name, size in POLICY.devices.items()}
            assert not prefix_violations([np.array(shown) for shown in devices.values()]).any()
            for shown in devices.values():
                assert all(small == large[: len(small)] for small, large in zip(shown, devices["web"], strict=True))
            lists += len(items)

    hold()
    assert lists >= CASES


def test_a_list_of_who_comes_never_stands_still_for_a_week() -> None:
    """G11, where tastes stand still, so that nothing else would change."""
    lists = 0

    @settings(max_examples=6)
    @given(st.integers(0, 2**32 - 1), st.sampled_from([POLICY, CALM]))
    def hold(seed: int, policy: Policy) -> None:
        nonlocal lists
        rng = np.random.default_rng(seed)
        candidates = Rankings(Ranked(*ranked(rng, USERS, 14, GOODS, ties=False)))
        before, unchanged = np.full((USERS, 10), -1), np.zeros(USERS, int)
        habit = rng.choice([0.2, 0.6, 1.0], USERS)
        for number in range(21):
            state = np.where((before >= 0).any(1), np.where(rng.random(USERS) < habit, ACTIVE, IDLE), NEW)
            drawn = explore.draws((f"u{user}" for user in range(USERS)), f"night {number}")
            who = replace(standing(rng, state, drawn), unchanged=unchanged)
            now = balance_surface(before, candidates, EVERYTHING, who, np.zeros(GOODS, int), FREE, policy)
            found = zip(candidates.free.items.tolist(), now.items.tolist(), strict=True)
            could = (state == ACTIVE) & np.array([bool(set(named) - set(shown) - {-1}) for named, shown in found])
            same = (now.items == before).all(1)
            assert (now.unchanged == np.where(same & (state != NEW), unchanged + 1, 0)).all()
            assert not (could & (now.unchanged >= policy.stale_days)).any()
            before, unchanged = now.items, now.unchanged
            lists += int(could.sum())

    hold()
    assert lists >= CASES


def one_user(state: int, before: list[int], *, champion: list[int] | None = None, spent: int = 0) -> Balanced:
    free = Ranked(np.array([[5, 6, 1, 2, 3, 7]]), -np.arange(6.0)[None])
    other = Ranked(np.array([champion]), -np.arange(float(len(champion)))[None]) if champion else None
    who = Standing(
        np.array([state]), np.array([spent]), np.array([0]), np.array([9.0]), sp.csr_matrix((1, 1)),
        explore.draws(["someone"], "salt"),
    )  # fmt: skip
    barred = sp.csr_matrix((np.array([True]), ([0], [4])), shape=(1, 8))
    point = Point(0.0, 0.0, 2, 5, 1)
    return balance_surface(
        np.array([before]), Rankings(free, other), (np.ones(8, bool), barred), who, np.zeros(8, int), point, CALM
    )


def test_causes_worked_by_hand() -> None:
    idle = one_user(IDLE, [1, 2, 3], champion=[5, 1, 2, 3])
    assert (idle.items.tolist(), idle.cause.tolist()) == ([[1, 5, 6]], [[KEPT, DATA, MODEL]])
    assert one_user(IDLE, [1, 2, 3]).cause.tolist() == [[KEPT, DATA, DATA]]  # the same model made both nights
    active = one_user(ACTIVE, [1, 2, 3], champion=[1, 2, 3])
    assert (active.items.tolist(), active.cause.tolist()) == ([[1, 5, 6]], [[KEPT, USER, USER]])
    new = one_user(NEW, [-1, -1, -1])
    assert (new.items.tolist(), new.cause.tolist()) == ([[5, 6, 1]], [[FIRST_NIGHT] * 3])
    forced = one_user(IDLE, [1, 4, 2], spent=7)
    assert (forced.items.tolist(), forced.cause.tolist()) == ([[1, 5, 2]], [[KEPT, FORCED, KEPT]])
    assert (forced.budget[0], forced.voluntary[0], forced.forced[0]) == (0, 0, 1)
    assert forced.scores.tolist() == [[-2.0, 0.0, -3.0]]


def test_what_the_week_has_spent_is_not_spent_again() -> None:
    spent = (0, POLICY.week_limit - 2, POLICY.week_limit - 1, POLICY.week_limit, 12)
    assert [int(one_user(IDLE, [1, 2, 3], spent=one).budget[0]) for one in spent] == [2, 2, 1, 0, 0]
    assert one_user(ACTIVE, [1, 2, 3], spent=12).budget[0] == 5


def test_a_kept_item_that_is_no_candidate_has_the_least_score() -> None:
    assert one_user(IDLE, [0, 2, 3], spent=7).scores.tolist() == [[-5.0, -3.0, -4.0]]


def test_exploration_spends_from_the_budget() -> None:
    everyone = POLICY.model_copy(update={"explore": Explore(share=1.0, slots=1, depth=9, temperature=1.0)})
    chain = Chain(5, 10, Point(0.0, 0.0, 1, 3, 3), everyone)
    for number in range(4):
        _before, who, _allowed, now = chain.night(number)
        explored = (now.cause == EXPLORE).sum(1)
        assert (now.voluntary <= now.budget).all() and (explored <= 1).all()
        assert not explored[who.state == NEW].any() and not explored[now.budget == 0].any()
        if number:
            assert explored[(now.budget > 0) & (who.state != NEW)].mean() > 0.7


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_the_same_again_and_in_any_order_of_users(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, _ = ranked(rng, USERS, 10, GOODS, ties=True)
    free, champion, core = (Ranked(*ranked(rng, USERS, WIDTH, GOODS, ties=True)) for _ in range(3))
    barred = sp.csr_matrix(rng.random((USERS, GOODS)) < 0.05)
    items, category = rng.random(GOODS) > 0.1, rng.integers(0, CATEGORIES, GOODS)
    has_list = (before >= 0).any(1)
    state = np.where(has_list, rng.choice([ACTIVE, IDLE], USERS), NEW)
    who = standing(rng, state, explore.draws((f"u{user}" for user in range(USERS)), "salt"))
    point = Point(0.3, 0.5, 2, 5, 3)
    moved = rng.permutation(USERS)

    def pick(one: Ranked) -> Ranked:
        return Ranked(one.items[moved], one.scores[moved])

    whole = balance_surface(before, Rankings(free, champion, core), (items, barred), who, category, point, POLICY)
    other = balance_surface(
        before[moved], Rankings(pick(free), pick(champion), pick(core)), (items, barred[moved]),
        Standing(*(one[moved] for one in vars(who).values())), category, point, POLICY,
    )  # fmt: skip
    for one, same in zip(vars(whole).values(), vars(other).values(), strict=True):
        assert np.array_equal(one[moved], same, equal_nan=one.dtype.kind == "f")


def test_with_no_budget_an_idle_list_is_last_nights() -> None:
    chain = Chain(9, 10, Point(0.3, 0.9, 0, 3, 0), POLICY)
    chain.night(0)
    before = chain.lists
    _before, who, allowed, now = chain.night(1)
    barred = ~allowed[0] | allowed[1].toarray()
    calm = (who.state == IDLE) & ~np.take_along_axis(barred, np.maximum(before, 0), 1).any(1)
    assert calm.sum() > 50 and (now.items[calm] == before[calm]).all()
