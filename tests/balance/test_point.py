"""An operating point starts where the policy says, and points have one order."""

from pipeline.balance.point import Point
from pipeline.policy import load_policy


def test_a_shop_starts_where_its_policy_says() -> None:
    policy = load_policy("default")
    assert Point.start(policy) == Point(0.1, 0.5, 1, 5, 3)
    for name, value in policy.start:
        assert value in getattr(policy.grid, name)


def test_points_are_ordered_by_weights_first_and_can_be_keys() -> None:
    points = [Point(0.1, 0.5, 1, 5, 3), Point(0.0, 0.9, 2, 5, 3), Point(0.1, 0.5, 0, 5, 5)]
    assert sorted(points) == [points[1], points[2], points[0]]
    assert len({*points, Point(0.0, 0.9, 2, 5, 3)}) == 3
