"""Consecutive nights, run and then judged: the lists that the models alone would have shown, and the balanced ones.

Each day is published in a home of its own; then its rankings are lived through again, freely and under operating
points, and each list is held against what users took in the week after. Not here: drawing (`reports.backtest`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise, tee
from math import isfinite, nan
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline import nightly
from pipeline.balance import operating_point, replayed
from pipeline.balance.operating_point import Chosen, Measured
from pipeline.balance.point import Point
from pipeline.balance.replay import Evening, Lived, balanced, free
from pipeline.balance.replayed import Groups
from pipeline.errors import ConfigError, NoData
from pipeline.features.history import bought_between
from pipeline.metrics import exposure, intervals
from pipeline.policy import Bounds
from pipeline.settings import Night, Shop
from pipeline.stages import desk, evenings, free_lists, score_recommendations
from pipeline.stages import operating_point as operating_points
from pipeline.stages.before import Before
from pipeline.stages.scene import Scene
from pipeline.warehouse import snapshot

HOME = "backtest"
TRUTH_DAYS = 7
FREE, BALANCED = "free", "balanced"

Progress = Callable[..., None]


@dataclass(frozen=True)
class Goal:
    """What a backtest is held to: a figure of the totals, and the least or the most it may be."""

    name: str
    words: str
    least: float | None = None
    most: float | None = None

    @property
    def asked(self) -> str:
        """The bound, as text."""
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"

    def is_met(self, figures: dict[str, float]) -> bool:
        """Whether it is; what was not measured is not."""
        value = figures.get(self.name, nan)
        return bool((self.least is None or value >= self.least) and (self.most is None or value <= self.most))


GOALS = (
    Goal("balanced/idle_rbo", "idle lists overlap with the night before, mean", least=0.9),
    Goal("balanced/under_floor", "lists under their promised floor", most=0),
    Goal("idle_churn_cut", "idle churn less than that of the free lists by", least=0.7),
    Goal("accuracy_ratio_low", "NDCG@10 over that of the free lists, lower 95 % bound", least=0.99),
    Goal("balanced/contradicted", "users with a contradiction", most=0),
    Goal("balanced/stale", "active users' lists that stood still for a week", most=0.05),
    Goal("balanced/parity_gap", "largest gap in idle overlap between groups of users", most=0.05),
)


@dataclass(frozen=True)
class Days:
    """The nights of a backtest."""

    shop: Shop
    home: Path
    first: date
    last: date

    @classmethod
    def of(cls, shop: Shop, home: Path, first: date, last: date, users: int | None) -> "Days":
        """Nights in a home of their own, which keeps every snapshot and has one cohort.

        Args:
            shop: whose nights.
            home: the folder of all data.
            first: business day.
            last: business day, itself included.
            users: a fixed cohort of so many; all when left out.

        Raises:
            ConfigError: fewer than two days: nothing would follow anything.
        """
        count = (last - first).days + 1
        if count < 2:
            raise ConfigError(f"--to {last}: a backtest from {first} needs at least two days; give a later one")
        everybody = shop.policy.model_copy(update={"rest_nights": 0})  # each has a free list to be held against
        kept = {"keep_snapshots": count + 2, "policy": everybody} | ({"max_users": users} if users else {})
        return cls(shop.model_copy(update=kept), home / HOME, first, last)

    @cached_property
    def nights(self) -> list[Night]:
        """Oldest first."""
        days = (self.last - self.first).days + 1
        return [Night(self.shop, self.first + timedelta(day), self.home) for day in range(days)]

    @cached_property
    def points(self) -> dict[date, Point]:
        """The operating point that each published night took."""
        root = self.nights[0].warehouse
        found = {
            one.day: operating_points.point_of(snapshot.open_snapshot(root, one.snapshot))
            for one in snapshot.history(root)
        }
        return {day: point for day, point in found.items() if point}

    @property
    def afterwards(self) -> Night:
        """What is known a week after the last night; it is landed, and nothing is made of it."""
        return Night(self.shop, self.last + timedelta(TRUTH_DAYS), self.home, run="truth")

    def publish(self, progress: Progress) -> None:
        """Run what is not there yet: nights, their free lists, and the week after the last one."""
        there = {one.day for one in snapshot.history(self.nights[0].warehouse)}
        for night in self.nights:
            if night.day not in there:
                nightly.run_night(night, last="publish", progress=progress)
            elif not free_lists.is_kept(night, score_recommendations.TONIGHT):
                nightly.run_night(night, first="score", last="score", progress=progress)
        if not (self.afterwards.work / f"{desk.LINES}.parquet").exists():
            nightly.run_night(self.afterwards, last="features", progress=progress)


@dataclass(frozen=True)
class _Before(Before):
    """Last night's snapshot, with places for all goods of all nights: a list of a replay may hold any of them."""

    goods: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    @cached_property
    def ids(self) -> pa.Array:
        gone = self.goods.filter(pa.compute.invert(pa.compute.is_in(self.goods, self.catalogue)))
        return pa.concat_arrays([self.catalogue, gone])


@dataclass(frozen=True)
class _Scene(Scene):
    every: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    @cached_property
    def before(self) -> Before:
        return _Before(desk.parent(self.night), self.inputs.space.ids, self.every)


@dataclass
class Told:
    """What a backtest found.

    Attributes:
        shop: its name.
        points: the operating point of each night's balanced lists, oldest first.
        nights: a row a night and kind of list, `free` or `balanced`: day, kind, figures by name.
        totals: figures over all nights, by name.
        chosen: which of the fixed points that were lived through would be taken.
        replayed: what each of them gave.
        bounds: by which it is chosen.
    """

    shop: str
    points: Sequence[Point]
    nights: pd.DataFrame
    totals: dict[str, float]
    chosen: Chosen
    replayed: list[Measured]
    bounds: Bounds

    @property
    def words(self) -> str:
        """The operating points in plain words."""
        first, last = self.points[0], self.points[-1]
        moves = sum(one != other for one, other in pairwise(self.points))
        return first.words + (f"; after {moves} moves {last.words}" if moves else "")

    def goals(self) -> list[tuple[Goal, float, bool]]:
        """Each goal, its figure, and whether it is met."""
        return [(goal, self.totals.get(goal.name, nan), goal.is_met(self.totals)) for goal in GOALS]

    def front(self) -> list[dict[str, Any]]:
        """The fixed points that were lived through, as rows of the operating point's table."""
        return operating_point.facts(self.replayed, self.chosen, self.bounds)

    def figures(self) -> dict[str, float]:
        """Every figure by a flat name: the totals, and each night's."""
        flat = {f"total/{name}": value for name, value in self.totals.items()}
        for row in self.nights.to_dict("records"):
            day, kind = row.pop("day"), row.pop("kind")
            flat |= {f"{day}/{kind}/{name}": float(value) for name, value in row.items()}
        flat |= {f"goal/{goal.name}": float(is_met) for goal, _, is_met in self.goals()}
        return {name: value for name, value in flat.items() if isfinite(value)}


@dataclass
class Tally:
    """What the nights of one kind of list gave, night by night.

    Attributes:
        rows: figures of each night.
        scores: user, NDCG@10 and recall@10 of each night's users who took something afterwards.
        overlap: of idle lists with the night before, with the user's group.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    scores: list[pd.DataFrame] = field(default_factory=list)
    overlap: list[pd.DataFrame] = field(default_factory=list)

    def add(self, lived: Lived, beside: "Beside") -> None:
        """One night more."""
        found = replayed.accuracy(lived, beside.truth)
        scores = pd.DataFrame({"user": lived.evening.users.to_pylist(), **found}).dropna()
        values, whose = replayed.idle_rbo(lived)
        figures = replayed.figures(lived, beside.groups)
        means = {name: float(scores[name].mean()) for name in found}
        self.rows.append({"day": lived.evening.day, **figures, **means})
        self.scores.append(scores)
        self.overlap.append(pd.DataFrame({"rbo": values, "group": beside.groups.user[whose]}))

    def by_user(self) -> pd.DataFrame:
        """Each user's NDCG@10 and recall@10 summed over the nights, by user: every list counts once."""
        return pd.concat(self.scores).groupby("user").sum()

    def totals(self) -> dict[str, float]:
        """Figures over all nights: of lists, each list counting once; of nights, the mean or the worst of them."""
        nights, overlap = pd.DataFrame(self.rows), pd.concat(self.overlap)
        means = nights.drop(columns="day").mean()
        worst = {
            "idle_rbo": overlap["rbo"].mean(),
            "idle_rbo_least": overlap["rbo"].min(),
            "above_floor": nights["above_floor"].min(),
            "under_floor": nights["under_floor"].sum(),
            "contradicted": nights["contradicted"].max(),
            "stale": nights["stale"].max(),
            "parity_gap": exposure.largest_gap(overlap["rbo"].to_numpy(), overlap["group"].to_numpy()),
            "idle_lists": len(overlap),
        }
        # Idle churn of a night weighs as many lists as it is of.
        weight = nights["idle_lists"].to_numpy()
        churn = nights["idle_churn"].to_numpy()
        some = weight > 0
        worst["idle_churn"] = float(churn[some] @ weight[some] / weight[some].sum()) if some.any() else nan
        return {str(name): float(value) for name, value in (means.to_dict() | worst).items()}


@dataclass(frozen=True)
class Beside:
    """What a night is judged by: groups of goods and users, and what users took in the week after (bool CSR [U, I])."""

    groups: Groups
    truth: Any


def run(days: Days, progress: Progress) -> Told:
    """Publish what is missing, live the nights through again, and judge them.

    Args:
        days: the nights.
        progress: called as (stage, item, done, total).
    """
    days.publish(progress)
    beside: dict[date, Beside] = {}
    return judge(days.shop, _evenings(days, beside, progress), beside, days.points)


def judge(shop: Shop, nights: Iterator[Evening], beside: Mapping[date, Beside], taken: Mapping[date, Point]) -> Told:
    """Live nights through freely, under the points they took, and under the policy's first point and its neighbours.

    Args:
        shop: its policy and seed.
        nights: evenings, oldest first.
        beside: what each is judged by; there by the time its evening is.
        taken: each night's point; a night without one stands where the policy begins.
    """
    policy, start, seed = shop.policy, Point.start(shop.policy), shop.seed
    points = operating_point.neighbours(start, operating_point.grid(policy))
    ways = [lambda day: taken.get(day, start), *(lambda _day, point=point: point for point in points)]
    as_is, *streams = tee(nights, 1 + len(ways))
    lives = [free(as_is, policy), *(balanced(one, way, policy) for one, way in zip(streams, ways, strict=True))]
    tallies = [Tally() for _ in lives]
    for together in zip(*lives, strict=True):  # in step, so that one evening at a time is in memory
        for tally, lived in zip(tallies, together, strict=True):
            tally.add(lived, beside[lived.evening.day])
    as_models, ours, *others = tallies
    measured = [_measured(point, one, as_models, seed) for point, one in zip(points, others, strict=True)]
    rows = [
        pd.DataFrame(one.rows).assign(kind=kind, **_intervals(one, seed))
        for kind, one in ((FREE, as_models), (BALANCED, ours))
    ]
    bounds = operating_point.in_reach(policy.bounds, as_models.totals())
    return Told(
        shop=shop.name,
        points=[taken.get(row["day"], start) for row in ours.rows],
        nights=pd.concat(rows, ignore_index=True),
        totals=_totals(as_models, ours, seed),
        chosen=operating_point.choose(measured, start, bounds),
        replayed=measured,
        bounds=bounds,
    )


def _evenings(days: Days, beside: dict[date, Beside], progress: Progress) -> Iterator[Evening]:
    lines = desk.lines(days.afterwards)
    goods = [desk.catalogue(night).column("item_id").combine_chunks() for night in days.nights]
    known = pa.compute.unique(pa.concat_arrays(goods)).sort()
    for place, night in enumerate(days.nights, start=1):
        scene = _Scene(night, every=known)
        made = evenings.evening(scene)
        after, upto = night.day, night.day + timedelta(TRUTH_DAYS)
        took = bought_between(lines, made.users, scene.inputs.space, after, upto)
        if not took.nnz:
            raise NoData(f"{upto}: nobody who was ranked on {after} took anything in the week after; choose other days")
        took.resize(len(made.users), len(made.ids))
        beside[night.day] = Beside(evenings.groups(scene, made), took)
        yield made
        progress("replay", None, place, len(days.nights))


def _intervals(tally: Tally, seed: int) -> dict[str, list[float]]:
    spans = [intervals.bootstrap_mean(one["ndcg@10"].to_numpy(), seed=seed) for one in tally.scores]
    return {"ndcg@10_low": [low for _, low, _ in spans], "ndcg@10_high": [high for *_, high in spans]}


def _measured(point: Point, tally: Tally, as_models: Tally, seed: int) -> Measured:
    totals = tally.totals()
    ours, theirs = tally.by_user()["ndcg@10"].align(as_models.by_user()["ndcg@10"], join="inner")
    value, low, _ = replayed.ratio(ours.to_numpy(), theirs.to_numpy(), seed)
    return Measured(
        point=point,
        accuracy=value,
        accuracy_lower=low,
        stability=totals["idle_rbo"],
        coherence=totals["coherence"],
        calibration=totals["calibration_kl"],
        exposure=(totals["exposure_low"], totals["exposure_high"]),
        parity=totals["parity_gap"],
        personalisation=totals["personalisation"],
    )


def _totals(as_models: Tally, ours: Tally, seed: int) -> dict[str, float]:
    """Both kinds' figures, and ours beside the models'."""
    kinds = {FREE: as_models.totals(), BALANCED: ours.totals()}
    figures = {f"{kind}/{name}": value for kind, totals in kinds.items() for name, value in totals.items()}
    mine, theirs = ours.by_user().align(as_models.by_user(), join="inner")
    for measure, name in (("ndcg@10", "accuracy_ratio"), ("recall@10", "recall_ratio")):
        spans = replayed.ratio(mine[measure].to_numpy(), theirs[measure].to_numpy(), seed)
        figures |= dict(zip((name, f"{name}_low", f"{name}_high"), spans, strict=True))
    loose, tight = kinds[FREE]["idle_churn"], kinds[BALANCED]["idle_churn"]
    figures["idle_churn_cut"] = 1 - tight / loose if loose else nan
    figures["price_of_consistency"] = 1 - figures["accuracy_ratio"]
    figures["users"] = float(len(mine))
    return figures
