"""What made a sample's lists change since last night: their free lists under one cause after another.

Last night's stock was not kept: what readers were shown counts as having been on sale. Chance is what an order learned
with another seed changes; a transformer of another seed would cost a training. Not here: the shares
(`balance.attribution`).
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.balance.attribution import Path, attribute, own_events, shares
from pipeline.features.history import History
from pipeline.models import recommendations
from pipeline.models.order import Order
from pipeline.models.recommendations import Lists
from pipeline.record import JsonRecorder
from pipeline.stages import desk, free_lists
from pipeline.stages.fine_tune_recommendations import CHANCE, NAME, open_version, readable
from pipeline.stages.gate import note_json
from pipeline.stages.operating_point import cohort
from pipeline.stages.scene import Scene
from pipeline.stages.score_recommendations import LONG, TONIGHT, by_order

SURFACE: Literal["home"] = "home"  # its list is the head of the free one


def leave(recorder: JsonRecorder, scene: Scene, serves: str | None, home: pa.Table) -> None:
    """Note each cause's share of the churn, or why there is none to tell.

    Args:
        recorder: of the stage.
        scene: of the night.
        serves: version of the model that ranked tonight.
        home: user_key, rank and item_id of home's lists of tonight.
    """
    champion, since = readable(scene.night, desk.champion(scene.night, "recommendations")), scene.before.day
    groups: dict[str, Any] = {}
    if since is None:
        told = "no baseline: there was no list before"
    elif not (champion and serves):
        told = "no model ranked on both nights"
    else:
        past = scene.inputs.history(since)
        ranked = past.users.filter(pc.is_in(past.users, free_lists.users(scene.night, TONIGHT)))
        users = cohort(scene.night, ranked, scene.policy.replay.attribution_users)
        moved = attribute(path(scene, users, past, (champion, serves), home), scene.policy.rbo_p)
        idle = scene.idle(users)
        some = {"all": np.ones(len(users), bool), "idle": idle, "active": ~idle}
        groups = shares(moved, some, scene.night.shop.seed)
        told = f"the free home lists of {len(users)} users"
        told += "" if "seed" in moved else "; not told apart: chance, as a model of an earlier night serves"
    recorder.metrics({f"churn/{cause}": mean for cause, (mean, _, _) in groups.get("all", {}).items()})
    recorder.tags({"balance/attribution": told})
    note_json(recorder, "attribution", groups)


def path(scene: Scene, users: pa.Array, past: History, versions: tuple[str, str], home: pa.Table) -> Path:
    """The sample's lists under one cause after another; tonight's free ones are those that `score` left.

    Args:
        scene: of tonight.
        users: user keys of the sample, ascending, with history on both nights.
        past: as of the day of last night's lists.
        versions: of the models that ranked last night and tonight.
        home: as of `leave`.
    """
    inputs, (champion, serves) = scene.inputs, versions
    size, items = scene.policy.surfaces[SURFACE].size, len(inputs.space.ids)
    shown = scene.before.shown(users, {SURFACE: size})[SURFACE].items
    allowed = scene.facts.showable[:items] & inputs.space.listable
    was_open = inputs.space.recommendable.copy()
    was_open[shown[(shown >= 0) & (shown < items)]] = True
    columns = np.flatnonzero(inputs.space.listable & (past.buyers_recent > 0) & was_open)
    past_at, now_at = (np.asarray(pc.index_in(users, one.users)).astype(np.int64) for one in (past, scene.history))
    yesterday, user = _by_champion(scene, champion, (past, scene.history.only(now_at)), columns, past_at)
    tonight = free_lists.of(scene.night, TONIGHT, users, size)
    last = _heads(by_order(inputs, scene.history, champion, now_at), size) if champion != serves else tonight
    return Path(
        yesterday=yesterday[:, :size],
        forced=_open(yesterday, allowed, size),
        user=_open(user, allowed, size),
        data=last,
        model=tonight,
        seed=_by_chance(scene, serves, now_at, size),
        published=(shown, _published(scene, users, home, size)),
    )


def _by_champion(
    scene: Scene, version: str, histories: tuple[History, History], columns: np.ndarray, users: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lists of some users by last night's model, on last night's data and with their own new events.

    Args:
        scene: of tonight.
        version: of the model.
        histories: of everybody as of last night, and of these users as of tonight.
        columns: int [R] places that may be listed.
        users: int [S] their places in the first one.
    """
    settings = scene.night.shop.recommender
    model, rows, texts, order = open_version(scene.night, scene.inputs, version)
    before, after = (
        scene.inputs.known(one, columns, texts).reading(model, rows, texts, settings.history) for one in histories
    )
    yesterday, user = (
        recommendations.rank_all(known, order, some, settings.candidates, LONG, scene.night.shop.threads)
        for known, some in ((before, users), (own_events(before, after), np.arange(len(users))))
    )
    return yesterday, user


def _by_chance(scene: Scene, serves: str, users: np.ndarray, size: int) -> np.ndarray | None:
    """Tonight's lists by the order of another seed; None where the model that serves was not trained tonight."""
    if desk.noted(scene.night, f"measured-{NAME}")["challenger"] != serves:
        return None
    other = Order.from_dict(desk.noted(scene.night, CHANCE))
    return _heads(by_order(scene.inputs, scene.history, serves, users, other), size)


def _heads(blocks: Iterable[Lists], size: int) -> np.ndarray:
    """The first places of blocks of lists: int [S, size]."""
    return np.concatenate([lists.items[:, :size] for lists in blocks])


def _open(items: np.ndarray, allowed: np.ndarray, size: int) -> np.ndarray:
    """The first places of each row that may be shown, in order: int [S, size], -1 pads."""
    held = (items >= 0) & allowed[items]
    order = np.argsort(~held, axis=1, kind="stable")[:, :size]
    return np.where(np.take_along_axis(held, order, axis=1), np.take_along_axis(items, order, axis=1), -1)


def _published(scene: Scene, users: pa.Array, home: pa.Table, size: int) -> np.ndarray:
    """Tonight's lists of the sample: int [S, size], -1 pads."""
    rows = home.filter((pc.field("rank") <= size) & pc.field("user_key").isin(users))
    items = np.full((len(users), size), -1, np.int64)
    user = np.asarray(pc.index_in(rows.column("user_key"), users))
    items[user, rows.column("rank").to_numpy() - 1] = np.asarray(pc.index_in(rows.column("item_id"), scene.before.ids))
    return items
