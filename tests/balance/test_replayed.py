"""What a replay shows, each figure against plain counting over the lists."""

from math import isnan, log2, nan

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.balance import replayed
from pipeline.balance.point import Point
from pipeline.balance.replay import ACTIVE, IDLE, balanced, free
from pipeline.balance.replayed import Groups
from pipeline.metrics.stability import rbo
from tests.balance.evenings import POLICY, evenings

POINT = Point(0.1, 0.5, 2, 5, 3)
USERS, ITEMS = 40, 70
GROUPS = Groups(np.arange(ITEMS) % 2, np.arange(1.0, ITEMS + 1), np.arange(USERS) % 2)


@pytest.fixture(scope="module")
def nights():
    return list(balanced(evenings(5), lambda _day: POINT, POLICY))


@pytest.fixture(scope="module")
def truth():
    draw = np.random.default_rng(4)
    took = draw.random((USERS, ITEMS)) < 0.1
    took[:3] = False
    return sp.csr_matrix(took)


def test_accuracy_is_of_homes_first_ten_and_only_of_who_took_something(nights, truth):
    found = replayed.accuracy(nights[-1], truth)
    home = nights[-1].shown("home")
    for user in range(USERS):
        took = set(truth[user].indices.tolist())
        if not took:
            assert isnan(found["ndcg@10"][user])
            continue
        hits = [item in took for item in home[user, :10].tolist()]
        ideal = sum(1 / log2(place + 2) for place in range(min(10, len(took))))
        assert found["ndcg@10"][user] == pytest.approx(sum(h / log2(p + 2) for p, h in enumerate(hits)) / ideal)
        assert found["recall@10"][user] == pytest.approx(sum(hits) / len(took))


def test_figures_are_what_counting_list_by_list_gives(nights):
    night = nights[-1]
    found = replayed.figures(night, GROUPS)
    overlap, churn, changed, places, spare, broken = [], [], 0, 0, [], set()
    evening = night.evening
    for one in night.lists:
        for user in range(USERS):
            before, after = one.before[user], one.after[user]
            near = float(rbo(before[None], after[None])[0])
            fresh = len(set(after[after >= 0]) - set(before))
            churn.append(fresh / len(after))
            if one.state[user] == IDLE:
                overlap.append(near)
                changed += max(fresh - one.forced[user], 0)
                places += len(after)
            for item in after[after >= 0]:
                age = evening.facts.age[user, item]
                wait = max(
                    POLICY.surfaces[one.surface].rest_days,
                    0 if evening.facts.replenishable[item] else POLICY.just_bought_days,
                )
                if not evening.facts.recommendable[item] or 0 < age <= wait:
                    broken.add(user)
    for measured in night.measures:
        spare += [a - b for a, b in zip(measured.rbo, measured.rbo_floor, strict=True) if not isnan(b)]
    assert found["idle_rbo"] == pytest.approx(np.mean(overlap))
    assert found["idle_rbo_least"] == pytest.approx(min(overlap))
    assert found["idle_churn"] == pytest.approx(changed / places)
    assert found["churn"] == pytest.approx(np.mean(churn))
    assert found["above_floor"] == pytest.approx(min(spare))
    assert found["under_floor"] == 0
    assert found["contradicted"] == len(broken) / USERS == 0
    assert found["users"] == USERS
    assert found["idle_lists"] == len(overlap)
    home = night.shown("home")
    pairs = [len(set(a) & set(b)) for i, a in enumerate(home) for b in home[:i]]
    assert found["personalisation"] == pytest.approx(1 - np.mean(pairs) / 20)
    seen = np.zeros(2)
    for row in home:
        for place, item in enumerate(row):
            seen[item % 2] += 1 / log2(place + 2)
    merit = np.array([GROUPS.merit[0::2].sum(), GROUPS.merit[1::2].sum()])
    ratios = seen / seen.sum() / (merit / merit.sum())
    assert (found["exposure_low"], found["exposure_high"]) == pytest.approx((ratios.min(), ratios.max()))


def test_free_lists_break_the_contract_and_the_balance_does_not(nights):
    as_models = list(free(evenings(5), POLICY))[-1]
    assert len(replayed.contradicted(as_models)) > 0
    assert len(replayed.contradicted(nights[-1])) == 0
    assert replayed.figures(as_models, GROUPS)["idle_rbo"] < replayed.figures(nights[-1], GROUPS)["idle_rbo"]


def test_a_first_night_has_no_overlap_to_speak_of(nights):
    found = replayed.figures(nights[0], GROUPS)
    assert all(isnan(found[name]) for name in ("idle_rbo", "idle_rbo_least", "above_floor", "parity_gap", "churn"))
    assert found["under_floor"] == 0
    assert 0 < found["coherence"] <= 1


def test_stale_is_the_share_of_active_lists_that_stood_still(nights):
    night = nights[-1]
    some = np.concatenate([one.state == ACTIVE for one in night.lists])
    stood = np.concatenate([measured.unchanged >= POLICY.stale_days for measured in night.measures])
    assert replayed.figures(night, GROUPS)["stale"] == pytest.approx(stood[some].mean())


def test_a_ratio_is_of_means_over_who_has_both_and_its_bound_is_below():
    ours, theirs = np.array([0.5, nan, 0.2, 0.9]), np.array([0.5, 0.3, 0.4, nan])
    value, low, high = replayed.ratio(ours, theirs, 3)
    assert value == pytest.approx(0.7 / 0.9)
    assert low <= value <= high
    assert replayed.ratio(theirs, theirs, 3) == (1, 1, 1)
    assert all(isnan(one) for one in replayed.ratio(ours, np.zeros(4), 3))
    assert all(isnan(one) for one in replayed.ratio(np.full(4, nan), theirs, 3))


def test_a_point_is_measured_on_its_last_night_but_consistency_on_all(nights, truth):
    base = replayed.accuracy(list(free(evenings(5), POLICY))[-1], truth)["ndcg@10"]
    found = replayed.measure(POINT, nights, truth, base, GROUPS, 3)
    ours = replayed.accuracy(nights[-1], truth)["ndcg@10"]
    assert found.point == POINT
    assert found.accuracy == pytest.approx(np.nanmean(ours) / np.nanmean(base))
    assert found.accuracy_lower <= found.accuracy
    every = [replayed.idle_rbo(night)[0] for night in nights]
    assert len(every[0]) == 0
    assert found.stability == pytest.approx(np.concatenate(every).mean())
    last = replayed.figures(nights[-1], GROUPS)
    assert (found.coherence, found.calibration) == (last["coherence"], last["calibration_kl"])
    assert found.exposure == (last["exposure_low"], last["exposure_high"])
    assert found.personalisation == last["personalisation"]
    # Parity waits for groups of 30 lists: pooled over nights there are enough.
    assert found.parity >= 0
