"""What completes an open basket: ways that read the basket and the baskets before it, for a learned order.

A basket teaches and is judged by its second half, which nothing reads; tonight a user's last basket is taken as open.
Shapes: U users, R columns (items that may be listed), I items, N lines.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from pipeline.features.history import History
from pipeline.features.sequences import Lines
from pipeline.models import next_baskets, sequential
from pipeline.models.baskets import Baskets
from pipeline.models.recommendations import Knowledge
from pipeline.models.retrieval import Filters
from pipeline.models.ways import Taste


@dataclass(frozen=True)
class Halved:
    """Basket lines of which each user's last basket has lost its second half.

    Attributes:
        lines: that are left.
        users: int places of users whose last basket had two lines or more.
        lost: bool CSR [U, I] what was taken out.
    """

    lines: Lines
    users: np.ndarray
    lost: sp.csr_matrix


def halved(lines: Lines, items: int, age: int) -> Halved:
    """Take out the second half of last baskets; their lines stand in no telling order (`sequences.recent`).

    Args:
        lines: of all users.
        items: how many the catalogue has.
        age: only baskets younger than this many days are halved.
    """
    user = np.repeat(np.arange(len(lines)), np.diff(lines.start))
    newest = np.zeros(len(lines), np.int64)
    newest[user] = lines.basket  # each user's last line stays
    last = (lines.basket == newest[user]) & (lines.age < age)
    sizes = np.bincount(user[last], minlength=len(lines))
    place = np.arange(len(user)) - (lines.start[1:] - sizes)[user]
    gone = last & (place >= (sizes[user] + 1) // 2)
    left = Lines(lines.item[~gone], lines.basket[~gone], lines.age[~gone], np.r_[0, np.cumsum(~gone)][lines.start])
    ones = np.ones(int(gone.sum()), bool)
    lost = sp.csr_matrix((ones, (user[gone], lines.item[gone])), shape=(len(lines), items))
    return Halved(left, np.flatnonzero(sizes > 1), lost)


def last(history: History) -> sp.csr_matrix:
    """Each user's last basket, which tonight is taken as open: bool CSR [U, I]."""
    return Baskets.of(history.lines, history.baskets.shape[1]).from_end(1)


def knowledge(
    history: History,
    columns: np.ndarray,
    model: sequential.Sequential,
    rows: np.ndarray,
    texts: np.ndarray,
    length: int,
    threads: int = 1,
) -> Knowledge:
    """What completing reads: each user's last basket as the open one, and the baskets before it.

    Args:
        history: users and items; only its lines are read.
        columns: int [R] items that may be listed.
        model: the transformer, which reads the open basket last.
        rows: int [I] vocabulary row of each item.
        texts: float32 [I, T] unit text vectors.
        length: items the transformer reads.
        threads: at work at once.
    """
    lines = history.lines.among(columns, history.baskets.shape[1])
    baskets = Baskets.of(lines, len(columns))
    held = baskets.from_end(1)
    ways = replace(next_baskets.Ways.of(baskets.without_last(1), threads), open=held)
    taken = held.astype(np.float32)
    states = sequential.States(model, history.lines, rows, texts, length)
    read = (
        sequential.Ways(states, sequential.item_vectors(model, rows, texts)[columns]),
        Taste(taken, texts[columns]),
    )
    return Knowledge(history, columns, (ways,), lambda: ways.graphs.together, taken, Filters(excluded=held), read)
