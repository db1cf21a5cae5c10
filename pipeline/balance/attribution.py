"""What makes lists change from one night to the next: the models' free lists under one cause after another.

The path runs from last night's lists to tonight's; each step lets in one cause more, and its share is what it alone
then moves, D = 1 - RBO. Not here: how lists are made, and what was published (`ledger` has each row's cause).
Shapes: U users, S users of the sample, K places, I items.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
import pyarrow.compute as pc

from pipeline.metrics.intervals import Interval, bootstrap_mean
from pipeline.metrics.stability import P, rbo
from pipeline.models import linear, next_baskets, next_items
from pipeline.models.recommendations import Days, Knowledge
from pipeline.models.ways import Ways

STEPS = ("forced", "user", "data", "model")
CAUSES = (*STEPS, "remainder", "total", "seed", "published")


@dataclass(frozen=True)
class Path:
    """Lists int [S, K] of a sample of users, -1 pads; each of the first five lets in one cause more than the last.

    Attributes:
        yesterday: last night's model on last night's data.
        forced: the same without what may no longer be shown, filled up by the same order.
        user: and with the user's own new events, everything that others did left as it was last night.
        data: last night's model on tonight's data: the others' new events, and that the calendar moved on.
        model: tonight's model on tonight's data.
        seed: as `model`, its order learned with another seed; None where none was learned.
        published: what readers were shown last night and are shown tonight; None on a first night.
    """

    yesterday: np.ndarray
    forced: np.ndarray
    user: np.ndarray
    data: np.ndarray
    model: np.ndarray
    seed: np.ndarray | None = None
    published: tuple[np.ndarray, np.ndarray] | None = None


def attribute(path: Path, p: float = P) -> dict[str, np.ndarray]:
    """Each cause's D = 1 - RBO by user, float [S], 0 to 1.

    `total` is from last night's free lists to tonight's, `remainder` what of it the steps do not add up to: below 0
    where one step undoes another, as D is no sum. `seed` lies within `model`: it is what chance alone would change.
    `published` is what was left of all of it after the balance.

    Args:
        path: the lists.
        p: as of `rbo`.

    Source: measure 3; RBO of Webber, Moffat and Zobel 2010.
    """
    stations = [path.yesterday, *(getattr(path, step) for step in STEPS)]
    moved = {step: 1 - rbo(stations[place], stations[place + 1], p) for place, step in enumerate(STEPS)}
    total = 1 - rbo(path.yesterday, path.model, p)
    moved |= {"remainder": total - sum(moved.values()), "total": total}
    if path.seed is not None:
        moved["seed"] = 1 - rbo(path.model, path.seed, p)
    if path.published is not None:
        moved["published"] = 1 - rbo(*path.published, p)
    return moved


def shares(
    moved: Mapping[str, np.ndarray], groups: Mapping[str, np.ndarray], seed: int
) -> dict[str, dict[str, Interval]]:
    """Mean D of each cause with its 95 % interval, by group of users; a group without users is left out.

    Args:
        moved: as of `attribute`.
        groups: bool [S] by name, such as who was idle.
        seed: of the bootstrap.
    """
    return {
        name: {cause: bootstrap_mean(values[some], seed=seed) for cause, values in moved.items()}
        for name, some in groups.items()
        if some.any()
    }


def own_events(before: Knowledge, after: Knowledge) -> Knowledge:
    """What would be known of a user had nobody else done anything since: their own events on the older graphs.

    Neighbours have the habits of the night before.

    Args:
        before: as of the night before.
        after: of the same items and some of those users, as of tonight.

    Raises:
        ValueError: after knows users that before does not, or other items.
    """
    whose = np.asarray(pc.fill_null(pc.index_in(after.history.users, before.history.users), -1)).astype(np.int64)
    if (whose < 0).any() or not np.array_equal(before.columns, after.columns):
        raise ValueError("after knows other users or items than before; build both on those of the night before")
    counted = tuple(_own(new, old, whose) for old, new in zip(before.counted, after.counted, strict=True))
    return replace(after, counted=counted)


@singledispatch
def _own(new: Ways, old: Ways, _whose: np.ndarray) -> Ways:
    """Ways of one kind: what is of a user from `new`, all that is of items, or of others, from `old`.

    Args:
        new: of V users.
        old: of all that were known.
        _whose: int [V] place of each in the old ones.
    """
    raise TypeError(f"{type(new).__name__}: say here what of it is the user's own and what is everybody's")


@_own.register
def _(new: Days, old: Days, _whose: np.ndarray) -> Ways:
    history = replace(new.history, buyers_recent=old.history.buyers_recent, stores=old.history.stores)
    return replace(new, history=history)


@_own.register
def _(new: next_baskets.Ways, old: next_baskets.Ways, whose: np.ndarray) -> Ways:
    return old.visited(new.baskets, whose)


@_own.register
def _(new: next_items.Ways, old: next_items.Ways, _whose: np.ndarray) -> Ways:
    return replace(new, taken=old.taken, graphs=old.graphs)


@_own.register
def _(new: linear.Ways, old: linear.Ways, _whose: np.ndarray) -> Ways:
    return replace(new, model=old.model)
