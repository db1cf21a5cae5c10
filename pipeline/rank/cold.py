"""How lists do for users and items that nothing is known of yet, beside popularity.

New users: held-out users as if only their last events were known. New items: every so many-th item is struck from what
the ways count, and loses its id vector; who wants one of them is asked. Only content can name such an item.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from pipeline.models.linear import Linear
from pipeline.models.next_items import Sequences
from pipeline.models.ways import Joined
from pipeline.rank.neural import Transformer

EVENTS = (0, 1, 2)
EVERY, PLACE = 10, 7  # which items are struck

Build = Callable[[Sequences, np.ndarray], Joined]


def shortened(sequences: Sequences, users: np.ndarray, events: int) -> Sequences:
    """The same, of some users only the last so many items."""
    cut = np.zeros(len(sequences), bool)
    cut[users] = True
    back = sequences.start[1:][sequences.user] - 1 - np.arange(len(sequences.item))
    return _only(sequences, ~cut[sequences.user] | (back < events))


def struck(items: int) -> np.ndarray:
    """Bool [I] the items that are as if new."""
    return np.arange(items) % EVERY == PLACE


def _only(sequences: Sequences, kept: np.ndarray) -> Sequences:
    return Sequences(sequences.item[kept], np.r_[0, np.cumsum(kept)][sequences.start])


def slices(
    build: Build, before: Sequences, target: np.ndarray, judges: np.ndarray, items: int
) -> Iterator[tuple[str, Joined, np.ndarray, np.ndarray]]:
    """Name, ways, bool [U] of whom nothing is known, and users of each slice.

    Args:
        build: all ways, as of some sequences, and blind to some items.
        before: what is known.
        target: int [U] what came next.
        judges: users asked.
        items: how many there are.
    """
    for events in EVENTS:
        left = shortened(before, judges, events)
        yield f"users of {events} events", build(left, np.zeros(items, bool)), left.sizes == 0, judges
    new = struck(items)
    wanting = judges[new[target[judges]]]
    if len(wanting):
        left = _only(before, ~new[before.item])
        yield "items nobody took", build(left, new), left.sizes == 0, wanting


def blind(model: Transformer, learned: Linear, new: np.ndarray) -> tuple[Transformer, Linear]:
    """Models that never met some items: no id vector, no weight towards them."""
    if not new.any():
        return model, learned
    weights = np.where(new[learned.places], np.float32(0), learned.weights)
    return replace(model, rows=np.where(new, 0, model.rows)), replace(learned, weights=weights)
