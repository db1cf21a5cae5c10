"""Segments and bands over generated nights: what moves them, what must not, and how often they come back."""

from collections import Counter
from dataclasses import asdict
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models import profiles
from pipeline.models.profiles import FREQUENCIES, SEGMENTS

DAY = date(2017, 6, 30)
CUTS = [2.0, 3.0, 8.0, 10.0]
visits = st.fixed_dictionaries(
    {
        "first_days": st.integers(0, 200),
        "recency_days": st.integers(0, 90),
        "rhythm_days": st.none() | st.sampled_from([1.0, 3.5, 7.0, 30.0]),
        "baskets_90d": st.integers(0, 14),
    }
)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"first_days": 27, "recency_days": 2, "rhythm_days": 1.0, "baskets_90d": 50}, "new"),
        ({"first_days": 90, "recency_days": 61, "rhythm_days": 40.0, "baskets_90d": 50}, "lapsed"),
        ({"first_days": 90, "recency_days": 60, "rhythm_days": 7.0, "baskets_90d": 50}, "slipping"),
        ({"first_days": 90, "recency_days": 14, "rhythm_days": 2.0, "baskets_90d": 50}, "loyal"),
        ({"first_days": 90, "recency_days": 15, "rhythm_days": 2.0, "baskets_90d": 50}, "slipping"),
        ({"first_days": 90, "recency_days": 40, "rhythm_days": None, "baskets_90d": 1}, "occasional"),
        ({"first_days": 90, "recency_days": 3, "rhythm_days": 7.0, "baskets_90d": 10}, "loyal"),
        ({"first_days": 90, "recency_days": 3, "rhythm_days": 7.0, "baskets_90d": 9}, "regular"),
        ({"first_days": 90, "recency_days": 3, "rhythm_days": 7.0, "baskets_90d": 2}, "occasional"),
    ],
)
def test_a_segment_is_what_a_user_does_now_against_their_own_rhythm(facts, code):
    assert profiles.segment(facts, None, CUTS) == code
    assert code in SEGMENTS


@pytest.mark.parametrize(
    ("baskets", "last", "code"),
    [
        (8, "loyal", "loyal"), (7, "loyal", "regular"), (8, "regular", "regular"), (8, "slipping", "regular"),
        (3, "occasional", "occasional"), (4, "occasional", "regular"), (3, "regular", "regular"), (3, "new", "regular"),
    ],
)  # fmt: skip
def test_a_segment_is_left_less_easily_than_entered(baskets, last, code):
    facts = {"first_days": 90, "recency_days": 3, "rhythm_days": 7.0, "baskets_90d": baskets}
    assert profiles.segment(facts, last, CUTS) == code


@given(st.lists(st.integers(0, 200), min_size=1), st.sampled_from([0.0, 1.0]))
def test_cuts_hold_a_third_at_each_end_and_give_room_between(values, gap):
    low_in, low_out, high_out, high_in = profiles.quantile_cuts(values, gap)
    assert low_out - low_in >= gap - 1e-4
    assert high_in - high_out >= gap - 1e-4
    assert np.mean(np.array(values) <= low_in + 1e-3) >= 1 / 3 - 1 / len(values)
    assert np.mean(np.array(values) >= high_in - 1e-3) >= 1 / 3 - 1 / len(values)


cuts = st.lists(st.floats(0, 500), min_size=4, max_size=4).map(lambda four: np.array(sorted(four)).round(4))


@given(cuts, cuts)
def test_cuts_move_a_step_at_most_towards_tonights_and_keep_their_order(last, target):
    made = profiles.moved(last, target)
    assert (np.abs(made - last) <= np.maximum(0.01 * last, 0.01) + 1e-4).all()
    assert (np.abs(made - target) <= np.abs(last - target) + 1e-9).all()
    assert (np.diff(made) >= -1e-4).all()
    assert (profiles.moved(None, target) == target).all()


def test_cuts_arrive():
    made, target = np.array(CUTS), np.array([0.0, 1.0, 12.0, 20.0])
    for _ in range(400):
        made = profiles.moved(made, target)
    assert made == pytest.approx(target)


@given(visits, visits, cuts, st.booleans(), st.sampled_from(list(SEGMENTS)))
def test_a_segment_moves_with_the_users_own_numbers_only(before, now, tonight, is_idle, was):
    last = {
        "segment": was, "segment_since": DAY - timedelta(3), "segment_before": "new",
        "baskets_90d": before["baskets_90d"],
    }  # fmt: skip
    made = profiles.standing(now, last, is_idle=is_idle, cuts=tonight, day=DAY)
    assert made.segment in SEGMENTS
    if made.segment == was:
        assert (made.segment_since, made.segment_before, made.segment_cause) == (DAY - timedelta(3), "new", "kept")
    else:
        assert (made.segment_since, made.segment_before) == (DAY, was)
        assert made.segment_cause == ("time" if is_idle else "user")
        stood_still = before["baskets_90d"] == now["baskets_90d"]
        assert not (stood_still and {was, made.segment} <= set(FREQUENCIES))


def test_who_was_not_there_last_night_has_no_segment_before():
    facts = {"first_days": 90, "recency_days": 3, "rhythm_days": 7.0, "baskets_90d": 10}
    made = profiles.standing(facts, None, is_idle=False, cuts=CUTS, day=DAY)
    assert asdict(made) == {
        "segment": "loyal", "segment_since": DAY, "segment_before": None, "segment_cause": "first_night",
    }  # fmt: skip


@given(st.floats(0.1, 9), st.sampled_from(profiles.BANDS), st.floats(0.1, 9), cuts)
def test_a_band_waits_for_the_user_to_shop(value, was, paid, tonight):
    last = {"price_band": was, "price_level": paid}
    assert profiles.band(value, last, is_idle=True, cuts=tonight) == (was, paid)
    assert profiles.band(None, last, is_idle=False, cuts=tonight) == (was, None)
    assert profiles.band(None, None, is_idle=False, cuts=()) == ("middle", None)
    judged, stands_on = profiles.band(value, last, is_idle=False, cuts=tonight)
    assert stands_on == value
    assert judged == profiles.BANDS[profiles.level(value, profiles.BANDS.index(was), tonight)]


@given(st.floats(0, 12), st.sampled_from([0, 1, 2]))
def test_an_end_is_entered_beyond_its_outer_cut_and_left_inside_its_inner_one(value, last):
    ends = {0: 2.0 if last != 0 else 3.0, 2: 10.0 if last != 2 else 8.0}
    expected = 0 if value <= ends[0] else 2 if value >= ends[2] else 1
    assert profiles.level(value, last, CUTS) == expected


@pytest.mark.parametrize(("days", "flaps"), [(1, True), (7, True), (8, False)])
def test_a_flap_is_a_return_within_a_week(days, flaps):
    last = {"segment": "slipping", "segment_before": "loyal", "segment_since": DAY - timedelta(days)}
    assert profiles.is_flap({"segment": "loyal"}, last, DAY) == flaps
    assert not profiles.is_flap({"segment": "regular"}, last, DAY)
    assert not profiles.is_flap({"segment": "slipping"}, last | {"segment_before": "slipping"}, DAY)


def test_over_a_season_hysteresis_changes_fewer_segments_than_plain_cuts():
    rng = np.random.default_rng(7)
    shops = rng.random((200, 190)) < rng.beta(1, 4, size=(200, 1))  # user, day
    count = np.stack([shops[:, night : night + 90].sum(axis=1) for night in range(100)], axis=1)
    changes, last, cut = Counter(), [None] * 200, None
    for night in range(100):
        plain = profiles.quantile_cuts(count[:, night])
        cut = profiles.moved(cut, profiles.quantile_cuts(count[:, night], gap=1))
        for user in range(200):
            facts = {"first_days": 90, "recency_days": 0, "rhythm_days": 4.0, "baskets_90d": int(count[user, night])}
            stands = profiles.standing(facts, last[user], is_idle=False, cuts=cut, day=DAY + timedelta(night))
            bare = profiles.segment(facts, None, [plain[0], plain[0], plain[3], plain[3]])
            if last[user]:
                changes["held"] += stands.segment_cause != "kept"
                changes["plain"] += bare != last[user]["bare"]
                changes["held flaps"] += profiles.is_flap(asdict(stands), last[user], DAY + timedelta(night))
            last[user] = asdict(stands) | {"baskets_90d": facts["baskets_90d"], "bare": bare}
    assert changes["held"] < changes["plain"] / 3
    assert changes["held flaps"] <= changes["held"] / 20
