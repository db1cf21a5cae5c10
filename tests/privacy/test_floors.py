"""Floors at their edges, and a hold-out that is drawn once and for all."""

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.privacy.floors import PLATFORM_FLOORS, is_holdout, platforms_ok, told, withheld
from pipeline.privacy.keys import turned

KEYS = [f"{n:032x}" for n in range(20_000)]


@pytest.mark.parametrize(
    ("size", "rate", "platforms"),
    [
        (0, 1.0, []),
        (99, 1.0, []),
        (100, 1.0, ["google", "meta", "pinterest"]),
        (199, 0.5, []),
        (200, 0.5, ["google", "meta", "pinterest"]),
        (600, 0.5, ["google", "linkedin", "meta", "pinterest"]),
        (1_000, 0.1, ["google", "meta", "pinterest"]),
        (10_000, 0.1, sorted(PLATFORM_FLOORS)),
        (9_999, 0.1, ["google", "linkedin", "meta", "pinterest"]),
    ],
)
def test_platforms_by_matched_size(size, rate, platforms):
    assert platforms_ok(size, rate) == platforms


@given(st.integers(0, 20_000), st.integers(0, 500), st.sampled_from([0.05, 0.3, 0.5, 0.7, 1.0]))
def test_a_larger_audience_loses_no_platform(size, more, rate):
    assert set(platforms_ok(size, rate)) <= set(platforms_ok(size + more, rate))


@pytest.mark.parametrize(("size", "kept"), [(0, False), (999, False), (1_000, True), (5_000, True)])
def test_a_small_audience_is_withheld_in_words_without_its_size(size, kept):
    assert withheld(size, 1_000) == (None if kept else "fewer than the minimum of 1,000 users")


def held(keys: list[str], campaign: str = "18", share: float = 0.05, salt: str = "corner") -> set[str]:
    drawn = is_holdout(pa.array(keys, pa.string()), campaign, share, salt).to_pylist()
    return {key for key, is_held in zip(keys, drawn, strict=True) if is_held}


@pytest.mark.parametrize("share", [0.05, 0.1, 0.4])
@pytest.mark.parametrize("campaign", ["18", "19", "spring"])
def test_the_share_is_near_the_nominal(campaign, share):
    error = math.sqrt(share * (1 - share) / len(KEYS))
    assert abs(len(held(KEYS, campaign, share)) / len(KEYS) - share) < 4 * error


@given(st.lists(st.sampled_from(KEYS), unique=True, max_size=200), st.randoms(use_true_random=False))
def test_the_draw_sees_neither_order_nor_company(keys, random):
    shuffled = random.sample(keys, len(keys))
    assert held(shuffled) == held(keys) == {key for key in keys if held([key])}


def test_the_draw_is_the_same_in_every_release():
    assert sorted(held(KEYS[:100])) == [KEYS[n] for n in (11, 97, 99)]


def test_a_larger_share_keeps_who_was_held_out():
    assert held(KEYS, share=0.05) < held(KEYS, share=0.1) < held(KEYS, share=1.0) == set(KEYS)
    assert held(KEYS, share=0.0) == set()


@pytest.mark.parametrize("other", [{"campaign": "19"}, {"salt": "grocer"}, {"campaign": "8", "salt": "corner1"}])
def test_campaigns_and_shops_draw_apart(other):
    both = held(KEYS, share=0.4) & held(KEYS, share=0.4, **other)
    assert abs(len(both) / len(KEYS) - 0.16) < 0.015


def test_chunks_are_read():
    chunks = pa.chunked_array([KEYS[:3], KEYS[3:9]])
    assert is_holdout(chunks, "18", 0.4, "corner").equals(is_holdout(pa.array(KEYS[:9]), "18", 0.4, "corner"))


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_is_a_share(share):
    with pytest.raises(ValueError, match="not between 0 and 1"):
        is_holdout(pa.array(KEYS[:1]), "18", share, "corner")


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, None), (29, None), (30, 30)])
def test_few_people_are_not_told_of(count, expected):
    assert told(count, 30) == expected


def test_the_hold_out_outlives_a_rotation_of_keys():
    later = (b"1" * 32, b"2" * 32)
    old = pa.array([f"{n:032x}" for n in range(300)])
    new = turned(later[1], turned(later[0], old))
    drawn = is_holdout(old, "18", 0.3, "salt")
    assert is_holdout(new, "18", 0.3, "salt", later).equals(drawn) and 0 < sum(drawn.to_pylist()) < 300
    assert not is_holdout(new, "18", 0.3, "salt").equals(drawn)
