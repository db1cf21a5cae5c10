"""Where tonight's balance stands: a cohort's last nights before the judged week, replayed under the points in reach.

Models saw nothing of the judged week, by which accuracy is measured; last night's champion ranks the night before it,
and both models the last night, as they do tonight. Which goods may be listed is as tonight. Not here: living nights
through (`balance.replay`), measuring them (`balance.replayed`) and choosing (`balance.operating_point`).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import zip_longest

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import at_work
from pipeline.balance import replay, replayed
from pipeline.balance.operating_point import Chosen, Measured, choose, grid, in_reach, neighbours
from pipeline.balance.point import Point
from pipeline.balance.replay import Evening
from pipeline.contracts.tables import OPERATING_POINT
from pipeline.features.history import bought_between
from pipeline.policy import Bounds, Policy
from pipeline.settings import Night
from pipeline.stages import consenting, desk, score_cart, score_recommendations
from pipeline.stages.blocks import Block
from pipeline.stages.evenings import assembled, groups
from pipeline.stages.fine_tune_recommendations import readable
from pipeline.stages.free_lists import Free
from pipeline.stages.scene import Scene
from pipeline.tables.operating_point import POINT
from pipeline.warehouse.snapshot import Snapshot


@dataclass(frozen=True)
class Taken:
    """The point of a night.

    Attributes:
        chosen: it, and why it is this one.
        measured: all points that were replayed.
        bounds: by which it was chosen.
    """

    chosen: Chosen
    measured: tuple[Measured, ...]
    bounds: Bounds


def unmeasured(policy: Policy) -> Taken:
    """Where a shop stands for which nothing was replayed."""
    return Taken(Chosen(Point.start(policy), True, (), None, ()), (), policy.bounds)


def take(scene: Scene, version: str, progress: desk.Progress) -> Taken:
    """Replay the points within one grid step of last night's, and take the calmest that keeps every bound.

    Args:
        scene: of tonight.
        version: of the model that serves.
        progress: called as (done, total) by points.
    """
    night, policy = scene.night, scene.policy
    yesterday = point_of(scene.before.parent) or Point.start(policy)
    evenings, last = _evenings(scene, version)
    users, space = last.history.users, scene.inputs.space
    truth = bought_between(scene.inputs.lines, users, space, last.day, night.day)
    truth = truth[np.asarray(pc.index_in(evenings[-1].users, users))]
    alone = list(replay.free(evenings, policy))
    free, who = replayed.accuracy(alone[-1], truth)["ndcg@10"], groups(last, evenings[-1])
    reach, measured = neighbours(yesterday, grid(policy)), []

    def lived(point: Point) -> Measured:
        nights = list(replay.balanced(evenings, partial(_always, point), policy))
        return replayed.measure(point, nights, truth, free, who, night.shop.seed)

    for done, one in enumerate(at_work.each(lived, reach, night.shop.threads), start=1):
        measured.append(one)
        progress(done, len(reach))
    bounds = in_reach(policy.bounds, replayed.figures(alone[-1], who))
    return Taken(choose(measured, yesterday, bounds), tuple(measured), bounds)


def _always(point: Point, _day: date) -> Point:
    return point


def point_of(snapshot: Snapshot | None) -> Point | None:
    """The point that a night's lists were made by, if there was any."""
    if snapshot is None or OPERATING_POINT.name not in snapshot.manifest.tables:
        return None
    rows = snapshot.table(OPERATING_POINT.name).filter(pc.field("is_chosen")).to_pylist()
    return Point(*(rows[0][name] for name in POINT)) if rows else None


def _evenings(scene: Scene, version: str) -> tuple[list[Evening], Scene]:
    """The cohort's evenings up to the judged week, and the scene of the last one."""
    night, cut = scene.night, scene.inputs.cut
    champion = readable(night, desk.champion(night, "recommendations"))
    before = champion if champion not in (None, version) else None
    days = [cut.tune_end - timedelta(back) for back in range(scene.policy.replay.nights - 1, -1, -1)]
    then = scene.back(days[0])
    some, out = cohort(night, then.history.users, scene.policy.replay.users), []
    for day in days:
        then = then if day == then.day else scene.back(day)
        last = day == days[-1]
        blocks = _blocks(then, some, version if last or not before else before, before if last else None)
        out.append(assembled(then, list(blocks)))
    return out, then


def cohort(night: Night, known: pa.Array, count: int) -> pa.Array:
    """Consenting users among those known, the same ones every night as long as they stay: by salted hash, ascending."""
    users = known.take(pa.array(consenting.served(night, known))).to_pylist()
    salt = f"{night.shop.name}:replay:"
    drawn = sorted(users, key=lambda key: hashlib.sha256((salt + key).encode()).digest())
    return pa.array(sorted(drawn[:count]), pa.string())


def _blocks(scene: Scene, some: pa.Array, version: str, champion: str | None) -> Iterator[Block]:
    inputs, history = scene.inputs, scene.history
    users = np.sort(np.asarray(pc.index_in(some, history.users)).astype(np.int64))
    asked = [
        rank(inputs, history, one, users) if one else ()
        for one in (version, champion)
        for rank in (score_recommendations.by_order, score_cart.by_order)
    ]
    for lists in zip_longest(*asked):
        base, cart, other, other_cart = (Free.of(one, history.users).bare() if one else None for one in lists)
        if base:
            company = scene.of(base.users, personal=True)
            yield Block(company, base, cart, other, other_cart, common=False)
