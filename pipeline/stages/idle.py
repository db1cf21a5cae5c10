"""Idle users: who did nothing since last night's lists, and is ranked by last night's model, too.

Others' lists change for what they did, whatever last night's model would say. Not here: how much it weighs with idle
users (`pipeline.balance`).
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import numpy as np
import pyarrow as pa

from pipeline.models.order import blocks
from pipeline.models.recommendations import Lists
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.stages.sorted_keys import places


def idle(night: Night, users: pa.Array) -> np.ndarray:
    """Of whom no event arrived since last night's lists, or before the first night on its day: bool [U] of keys."""
    parent = desk.parent(night)
    since = parent.manifest.day if parent else night.day - timedelta(1)
    return places(users, desk.active_since(night, since)) < 0


def among(lists: Iterable[Lists], users: np.ndarray) -> Iterator[Lists]:
    """Lists of some users in blocks of all of them (ascending places), empty for the others; none where none come."""
    coming, held = iter(lists), list[Lists]()
    if (first := next(coming, None)) is None:
        return
    held.append(first)
    for block in blocks(users):
        while (not held or held[-1].users[-1] < block[-1]) and (more := next(coming, None)):
            held.append(more)
        items = np.full((len(block), first.items.shape[1]), -1, np.int64)
        scores = np.zeros(items.shape)
        for part in held:
            mine = np.isin(part.users, block)
            at = np.searchsorted(block, part.users[mine])
            items[at], scores[at] = part.items[mine], part.scores[mine]
        held = [part for part in held if part.users[-1] > block[-1]]
        yield Lists(block, items, scores, np.zeros((*items.shape, 0), np.float32))
