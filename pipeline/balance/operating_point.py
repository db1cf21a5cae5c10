"""Where the balance stands: the grid of operating points, and the one that a night takes among those it has replayed.

A night takes the most stable point that keeps every bound, at most one grid step from last night's; with none, last
night's point stays and the night says so. Not here: replaying a point (`replay`), and what a point does to a list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np

from pipeline.balance.point import Point
from pipeline.policy import Bounds, Policy

AXES = tuple(field.name for field in fields(Point))
ALIKE = 3  # decimals of stability: what differs by less is no reason to move
# What a bound is on, and its words. All but `step` and `grid` are bounds of the policy.
WORDS = {
    "accuracy": "the lists must stay as accurate as the free ones",
    "personalisation": "lists of different users must differ",
    "calibration": "categories must stand in a list as they do in the user's history",
    "exposure": "goods must be shown as their share of purchases deserves",
    "parity": "no group of users may get less consistent lists than another",
    "coherence": "surfaces must show a user the same categories",
    "step": "the point moves at most one grid step a night",
    "grid": "the grid holds no more stable point",
}


@dataclass(frozen=True)
class Measured:
    """What a replay of one point gave, on the fixed cohort.

    Attributes:
        point: the operating point.
        accuracy: mean NDCG@10 over that of the free lists.
        accuracy_lower: lower 95 % bound of that ratio.
        stability: mean RBO of idle users' lists with the night before.
        coherence: mean X over users.
        calibration: mean C_KL over users; lower is better.
        exposure: the least and the greatest ratio of exposure to merit of the groups.
        parity: largest gap of stability between groups of users.
        personalisation: inter-user distance P@K.
    """

    point: Point
    accuracy: float
    accuracy_lower: float
    stability: float
    coherence: float
    calibration: float
    exposure: tuple[float, float]
    parity: float
    personalisation: float

    @property
    def goods(self) -> tuple[float, ...]:
        """All of it with more being better; the exposure ratio that is farthest from 1 counts, on a log scale."""
        farthest = max(abs(float(np.log(max(ratio, 1e-9)))) for ratio in self.exposure)
        return (
            self.stability, self.accuracy_lower, self.personalisation, self.coherence,
            -self.calibration, -farthest, -self.parity,
        )  # fmt: skip

    def broken(self, bounds: Bounds) -> tuple[str, ...]:
        """The bounds it does not keep; what could not be measured keeps none."""
        least, most = self.exposure
        kept = {
            "accuracy": self.accuracy_lower >= bounds.accuracy_lower,
            "personalisation": self.personalisation >= bounds.personalisation_floor,
            "calibration": self.calibration <= bounds.calibration_max,
            "exposure": bounds.exposure_low <= least <= most <= bounds.exposure_high,
            "parity": self.parity <= bounds.parity_gap,
            "coherence": self.coherence >= bounds.coherence_floor,
        }
        return tuple(name for name, is_kept in kept.items() if not is_kept)


@dataclass(frozen=True)
class Chosen:
    """The point of a night, and why it is this one.

    Attributes:
        point: the operating point.
        feasible: whether it keeps every bound; if not, it is last night's, which stays (G10).
        binding: the bounds without any one of which a more stable point would have been taken; `step` or `grid` where
            no bound of the policy stands in the way. When nothing is feasible: the bounds that the point breaks.
        price: accuracy that consistency costs, 1 - A / A(free); None where the point was not replayed.
        front: the points that no other one beats in everything, most stable first.
    """

    point: Point
    feasible: bool
    binding: tuple[str, ...]
    price: float | None
    front: tuple[Measured, ...]


def grid(policy: Policy) -> list[Point]:
    """Every operating point of the policy, in ascending order."""
    return sorted(Point(*values) for values in product(*(getattr(policy.grid, axis) for axis in AXES)))


def neighbours(point: Point, points: Sequence[Point]) -> list[Point]:
    """The points at most one grid step from one, itself among them if the grid holds it: one value, to the next one.

    Args:
        point: where it stands.
        points: the grid.
    """
    return [other for other, steps in zip(points, _steps(point, points), strict=True) if steps <= 1]


def in_reach(bounds: Bounds, free: Mapping[str, float]) -> Bounds:
    """The bounds, wider where the free lists break one: then it is not the balance that could keep it.

    Args:
        bounds: of the policy.
        free: calibration_kl, exposure_low and exposure_high of the free lists.
    """
    worse = 1 + bounds.harm
    reached = {
        "calibration_max": np.fmax(bounds.calibration_max, free["calibration_kl"] * worse),
        "exposure_low": np.fmin(bounds.exposure_low, free["exposure_low"] / worse),
        "exposure_high": np.fmax(bounds.exposure_high, free["exposure_high"] * worse),
    }
    return bounds.model_copy(update={name: float(value) for name, value in reached.items()})


def choose(measured: Sequence[Measured], yesterday: Point | None, bounds: Bounds) -> Chosen:
    """The most stable point that keeps every bound, at most one step from yesterday's.

    Of points alike in stability it takes the nearest to yesterday's, then the more accurate, then the first in order.

    Args:
        measured: replayed points, each once.
        yesterday: last night's point; None on a first night, which may take any.
        bounds: of the policy.

    Raises:
        ValueError: nothing was replayed and there is no point of last night that could stay.
    """
    if not measured and yesterday is None:
        raise ValueError("nothing was replayed and no point was left by last night; replay the grid")
    points = [one.point for one in measured]
    steps = _steps(yesterday, points) if yesterday else [0] * len(points)
    broken = [set(one.broken(bounds)) for one in measured]
    for one, distance in zip(broken, steps, strict=True):
        one |= {"step"} if distance > 1 else set()

    def key(place: int) -> tuple[float, int, float, Point]:
        one = measured[place]
        return (-round(one.stability, ALIKE), steps[place], -one.accuracy, one.point)

    def best(forgiven: frozenset[str] = frozenset()) -> int | None:
        allowed = [place for place, names in enumerate(broken) if names <= forgiven]
        return min(allowed, key=key, default=None)

    front = _front(measured)
    taken = best()
    if taken is None:
        stays = yesterday or min(enumerate(points), key=lambda pair: (len(broken[pair[0]]), key(pair[0])))[1]
        replayed = next((place for place, point in enumerate(points) if point == stays), None)
        binding = tuple(name for name in WORDS if replayed is not None and name in broken[replayed])
        price = None if replayed is None else 1 - measured[replayed].accuracy
        return Chosen(stays, False, binding, price, front)
    stable = round(measured[taken].stability, ALIKE)
    binding = tuple(
        name
        for name in WORDS
        if (other := best(frozenset({name}))) is not None and round(measured[other].stability, ALIKE) > stable
    )
    if not binding:
        better = [names for one, names in zip(measured, broken, strict=True) if round(one.stability, ALIKE) > stable]
        together = min(better, key=lambda names: (len(names), sorted(names)), default={"grid"})
        binding = tuple(name for name in WORDS if name in together)
    return Chosen(points[taken], True, binding, 1 - measured[taken].accuracy, front)


def facts(measured: Sequence[Measured], chosen: Chosen, bounds: Bounds) -> list[dict[str, Any]]:
    """Rows of the operating_point table, the chosen point's also where it was not replayed; None for nan.

    Args:
        measured: replayed points.
        chosen: of them.
        bounds: of the policy.
    """
    replayed = [
        {
            "accuracy_ratio": _known(one.accuracy),
            "accuracy_ratio_low": _known(one.accuracy_lower),
            "price_of_consistency": _known(1 - one.accuracy),
            "idle_rbo": _known(one.stability),
            "mean_coherence": _known(one.coherence),
            "mean_calibration_kl": _known(one.calibration),
            "exposure_low": _known(one.exposure[0]),
            "exposure_high": _known(one.exposure[1]),
            "parity_gap": _known(one.parity),
            "personalisation": _known(one.personalisation),
            "is_front": one in chosen.front,
            "broken_bounds": list(one.broken(bounds)),
        }
        for one in measured
    ]
    points = [one.point for one in measured]
    if chosen.point not in points:
        points.append(chosen.point)
        replayed.append({"accuracy_ratio": None, "idle_rbo": None, "is_front": False, "broken_bounds": []})
    return [
        {
            "calibration_weight": point.calibration,
            "distil_weight": point.distil,
            "budget_idle": point.budget_idle,
            "budget_active": point.budget_active,
            "pinned_idle": point.pinned_idle,
            **row,
            "is_chosen": point == chosen.point,
            "binding_rules": list(chosen.binding) if point == chosen.point else [],
        }
        for point, row in zip(points, replayed, strict=True)
    ]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _steps(point: Point, points: Sequence[Point]) -> list[int]:
    """Grid steps from a point to others, all axes together; a value that the grid lacks lies between its neighbours."""
    total = np.zeros(len(points), int)
    for axis in AXES:
        values = np.array([getattr(other, axis) for other in points], float)
        own = float(getattr(point, axis))
        known = np.unique(np.r_[values, own])
        total += np.abs(np.searchsorted(known, values) - int(np.searchsorted(known, own)))
    return [int(steps) for steps in total]


def _front(measured: Sequence[Measured]) -> tuple[Measured, ...]:
    """The points that no other one equals in everything and beats in something."""
    goods = np.array([one.goods for one in measured], float)
    goods = np.nan_to_num(goods, nan=-np.inf)
    beaten = [bool(((goods >= own).all(axis=1) & (goods > own).any(axis=1)).any()) for own in goods]
    front = [one for one, lost in zip(measured, beaten, strict=True) if not lost]
    return tuple(sorted(front, key=lambda one: (-one.stability, one.point)))
