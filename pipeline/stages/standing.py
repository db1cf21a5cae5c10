"""Lists that stand: users at rest draw from what they had, then from their other lists, then from what is popular.

So nothing of a list changes but what may not be shown any more, and the rules of `pipeline.balance` hold for it as for
any other. Not here: who is at rest (`stages.at_rest`).
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipeline.balance.places import looked_up
from pipeline.balance.surface import Balanced, barred
from pipeline.balance.surfaces import Ranked
from pipeline.stages import at_rest, free_lists, score_recommendations
from pipeline.stages.before import Shown, Told
from pipeline.stages.free_lists import Free
from pipeline.stages.scene import Scene

AT_ONCE = 1024  # users of a block of those whom no model ranks


def blocks(scene: Scene) -> Iterator[Free]:
    """Users at rest with all that stood on their lists, home's first, and what is popular behind it."""
    sizes = {str(name): surface.size for name, surface in scene.policy.surfaces.items()}
    for users in in_parts(at_rest.users(scene.night, scene.history.users)):
        yield in_turn(scene, users, [shown.items for shown in scene.before.shown(users, sizes).values()])


def in_parts(users: pa.Array) -> Iterator[pa.Array]:
    """So many users at a time as make a block of those whom no model ranks."""
    for start in range(0, len(users), AT_ONCE):
        yield users.slice(start, AT_ONCE)


def in_turn(scene: Scene, users: pa.Array, lists: list[np.ndarray]) -> Free:
    """Items of several lists int [B, K], one list after another, each once, then what is popular; scores just fall."""
    recommendable, count = scene.inputs.space.recommendable, score_recommendations.LONG
    popular = free_lists.popular(scene.history, recommendable, users, count)
    ranked = in_order(np.concatenate([*lists, popular.items], axis=1))
    return replace(popular, items=ranked.items.astype(np.int32), scores=ranked.scores)


def in_order(items: np.ndarray) -> Ranked:
    """Each item of a row at its first place alone, in the same order, pads behind."""
    order = np.argsort(items, axis=1, kind="stable")
    in_place = np.take_along_axis(items, order, axis=1)
    again = np.zeros(items.shape, bool)
    np.put_along_axis(again, order[:, 1:], in_place[:, 1:] == in_place[:, :-1], axis=1)
    scores = np.broadcast_to(-np.arange(float(items.shape[1])), items.shape)
    kept = Ranked(items, scores).only(~again)
    return Ranked(kept.items, scores)


def lacking(items: np.ndarray, open_to: tuple[np.ndarray, sp.csr_matrix]) -> np.ndarray:
    """Whose lists int [B, K] hold what may not be shown any more: int places, ascending."""
    return np.flatnonzero(barred(items, *open_to).any(1))


def as_many(
    items: np.ndarray, some: np.ndarray, others: np.ndarray, open_to: tuple[np.ndarray, sp.csr_matrix]
) -> Ranked:
    """What a surface draws from: of its list what may be shown, then of others, as many as it held.

    Args:
        items: int [B, K] the lists.
        some: int [S] whose are `lacking`; nobody else draws from others.
        others: int [S, N] what else these may be shown, best first.
        open_to: what the contract lets the surface show.
    """
    goods, users = open_to
    places = np.arange(items.shape[1])
    ranked = Ranked(items.copy(), np.tile(-places.astype(float), (len(items), 1)))
    if len(some):
        found = in_order(np.concatenate([items[some], others], axis=1)).without(goods, users[some])
        held = places < (items[some] >= 0).sum(1, keepdims=True)
        ranked.items[some] = np.where(held, found.items[:, : len(places)], -1)
        ranked.scores[some] = found.scores[:, : len(places)]
    return ranked


def scored(made: Balanced, shown: Shown, told: Told) -> Balanced:
    """With the scores that places were told to have; what came in has the least of its list."""
    least = np.nanmin(np.where(shown.items >= 0, told.scores, np.inf), axis=1, initial=np.inf)
    scores = looked_up(made.items, Ranked(shown.items, told.scores), np.where(np.isfinite(least), least, np.nan))
    return replace(made, scores=np.where(made.items >= 0, scores, np.nan))
