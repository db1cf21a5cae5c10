"""The operating point: on a grid small enough to be searched by hand, and laws of the choice over drawn replays."""

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance.operating_point import AXES, Measured, choose, grid, in_reach, neighbours
from pipeline.balance.point import Point
from pipeline.policy import Bounds, load_policy

POLICY = load_policy("default")
BOUNDS = Bounds(
    accuracy_lower=0.99, personalisation_floor=0.3, calibration_max=1.5, exposure_low=0.8, exposure_high=1.25,
    parity_gap=0.05, coherence_floor=0.5, harm=0.05,
)  # fmt: skip
POINTS = grid(POLICY)


def measured(point, **given):
    kept = {
        "accuracy": 1.0, "accuracy_lower": 0.995, "stability": 0.9, "coherence": 0.8, "calibration": 0.5,
        "exposure": (0.9, 1.1), "parity": 0.01, "personalisation": 0.7,
    }  # fmt: skip
    return Measured(point, **(kept | given))


def point(budget, distil=0.0):
    return Point(0.1, distil, budget, 5, 3)


def test_the_grid_holds_every_combination_once_in_order():
    assert sorted(set(POINTS)) == POINTS
    assert len(POINTS) == math.prod(len(getattr(POLICY.grid, axis)) for axis in AXES)


def test_a_neighbour_differs_in_one_value_by_one_step():
    middle = Point(0.1, 0.5, 1, 5, 3)
    near = neighbours(middle, POINTS)
    assert middle in near
    # Two ways on each axis of three values, one on each axis of two.
    assert len(near) == 1 + 2 + 2 + 1 + 1 + 1
    for other in near:
        assert sum(getattr(other, axis) != getattr(middle, axis) for axis in AXES) <= 1
    assert Point(0.1, 0.5, 1, 3, 3) in near
    assert Point(0.3, 0.9, 1, 5, 3) not in near


def test_the_most_stable_point_that_keeps_the_bounds_is_taken_and_the_bound_in_its_way_is_named():
    replayed = [
        measured(point(2), stability=0.85, accuracy_lower=0.999),
        measured(point(1), stability=0.92, accuracy=0.998),
        measured(point(0), stability=1.0, accuracy=0.98, accuracy_lower=0.97),
    ]
    chosen = choose(replayed, point(2), BOUNDS)
    assert (chosen.point, chosen.feasible) == (point(1), True)
    assert chosen.price == pytest.approx(0.002)
    # Two steps away and too inaccurate: neither alone keeps it off, both do.
    assert chosen.binding == ("accuracy", "step")
    assert choose(replayed, point(1), BOUNDS).binding == ("accuracy",)
    assert [one.point for one in chosen.front] == [point(0), point(1), point(2)]


def test_only_the_step_keeps_a_better_point_off():
    replayed = [measured(point(budget), stability=1 - budget / 10) for budget in (0, 1, 2)]
    chosen = choose(replayed, point(2), BOUNDS)
    assert (chosen.point, chosen.binding) == (point(1), ("step",))
    assert choose(replayed, None, BOUNDS).point == point(0)
    assert choose(replayed, point(0), BOUNDS).binding == ("grid",)


def test_points_alike_in_stability_are_no_reason_to_move():
    replayed = [measured(point(1), stability=0.9001), measured(point(2), stability=0.9)]
    assert choose(replayed, point(2), BOUNDS).point == point(2)
    assert choose(replayed, point(1), BOUNDS).point == point(1)


def test_nothing_feasible_keeps_last_nights_point_and_says_what_it_breaks():
    replayed = [measured(point(1), parity=0.2, coherence=0.1), measured(point(2), accuracy_lower=0.5)]
    chosen = choose(replayed, point(1), BOUNDS)
    assert (chosen.point, chosen.feasible, chosen.binding) == (point(1), False, ("parity", "coherence"))
    # Its point was not among the replayed ones.
    chosen = choose(replayed, point(0), BOUNDS)
    assert (chosen.point, chosen.feasible, chosen.price) == (point(0), False, None)
    # A first night has none that could stay: the one that breaks fewest.
    assert choose(replayed, None, BOUNDS).point == point(2)
    assert choose([], point(0), BOUNDS).point == point(0)
    with pytest.raises(ValueError, match="replay the grid"):
        choose([], None, BOUNDS)


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        ({"accuracy_lower": 0.98}, "accuracy"),
        ({"personalisation": 0.2}, "personalisation"),
        ({"calibration": 1.6}, "calibration"),
        ({"exposure": (0.7, 1.0)}, "exposure"),
        ({"exposure": (1.0, 1.3)}, "exposure"),
        ({"parity": 0.06}, "parity"),
        ({"coherence": 0.4}, "coherence"),
        ({"coherence": math.nan}, "coherence"),
        ({"calibration": math.nan}, "calibration"),
        ({"exposure": (math.nan, math.nan)}, "exposure"),
    ],
)
def test_each_bound_is_held_and_what_was_not_measured_keeps_none(given, bound):
    assert measured(point(1), **given).broken(BOUNDS) == (bound,)
    assert measured(point(1)).broken(BOUNDS) == ()


@pytest.mark.parametrize(
    ("free", "wider"),
    [
        ({}, {}),
        ({"calibration_kl": 2.0}, {"calibration_max": 2.1}),
        ({"exposure_high": 1.4}, {"exposure_high": 1.47}),
        ({"exposure_low": 0.42}, {"exposure_low": 0.4}),
        ({"exposure_low": math.nan, "calibration_kl": math.nan}, {}),
    ],
)
def test_a_bound_that_free_lists_break_is_as_wide_as_a_little_harm_to_them(free, wider):
    kept = {"calibration_kl": 0.5, "exposure_low": 0.9, "exposure_high": 1.1}
    found = in_reach(BOUNDS, kept | free).model_dump()
    assert found == pytest.approx(BOUNDS.model_dump() | wider)


def drawn(random):
    """Some points with measures of few values, so that ties and every mix of broken bounds come up."""
    return [
        Measured(
            one,
            accuracy=random.choice([0.97, 0.995, 1.0]),
            accuracy_lower=random.choice([0.96, 0.99, 0.999]),
            stability=random.choice([0.8, 0.85, 0.9, 0.95]),
            coherence=random.choice([0.4, 0.6, 0.7]),
            calibration=random.choice([0.5, 0.6, 2.0]),
            exposure=random.choice([(0.9, 1.1), (0.95, 1.05), (0.5, 1.1)]),
            parity=random.choice([0.01, 0.02, 0.1]),
            personalisation=random.choice([0.2, 0.6, 0.7]),
        )
        for one in random.sample(POINTS, random.randint(1, 8))
    ]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_the_choice_is_what_trying_every_point_gives(seed):
    """400 replays an example, 10,000 in all; where nothing fits, last night's point stays (G10)."""
    random = Random(seed)
    for _ in range(400):
        replayed, yesterday = drawn(random), random.choice([None, *POINTS])
        chosen = choose(replayed, yesterday, BOUNDS)
        near = sorted({one.point for one in replayed} | {yesterday or POINTS[0]})
        reach = POINTS if yesterday is None else neighbours(yesterday, near)
        fits = [one for one in replayed if not one.broken(BOUNDS) and one.point in reach]
        assert chosen.feasible == bool(fits)
        if fits:
            best = max(one.stability for one in fits)
            (taken,) = [one for one in fits if one.point == chosen.point]
            assert taken.stability == best
            if yesterday in [one.point for one in fits if one.stability == best]:
                assert chosen.point == yesterday
            assert chosen.price == 1 - taken.accuracy
            assert chosen.binding
            if chosen.binding == ("grid",):
                assert best == max(one.stability for one in replayed)
            # The front loses no winner, unless the one that beats it lies too far.
            assert yesterday or best == max(one.stability for one in replayed if one in chosen.front and one in fits)
        elif yesterday is not None:
            assert chosen.point == yesterday
        if random.random() < 0.2:
            assert choose(random.sample(replayed, len(replayed)), yesterday, BOUNDS) == chosen


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_the_front_is_what_comparing_every_pair_leaves(seed):
    random = Random(seed)

    def beats(one, other):
        return all(a >= b for a, b in zip(one.goods, other.goods, strict=True)) and one.goods != other.goods

    for _ in range(20):
        replayed = drawn(random)
        front = choose(replayed, None, BOUNDS).front
        assert set(front) == {one for one in replayed if not any(beats(other, one) for other in replayed)}
        assert list(front) == sorted(front, key=lambda one: (-one.stability, one.point))
