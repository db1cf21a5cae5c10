"""Rank bare benchmark files by the models of the night: `sequences` of items, `baskets` of a history.

What lists are judged by is never read: scores on it belong to a scorer. What is shown of each part comes from the item
or basket before it, among users who taught nothing.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import DataError
from pipeline.models.order import Candidates, Lists, Order, blocks, joined
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

HELD_OUT = 0.1  # users whose validation judges the order, not taught by it
TAUGHT = 25_000  # users that teach it, at most: more do not sharpen it, and memory stays flat

Progress = Callable[[str, int, int], None]
Propose = Callable[[np.ndarray], Candidates]


def draw(users: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which users judge and which teach: two ascending parts without a common user.

    Raises:
        DataError: too few to do both.
    """
    if len(users) < 2:
        raise DataError("an order cannot be learned: fewer than two users have a past and a next; give longer ones")
    mixed = np.random.default_rng(seed).permutation(users)
    judges = int(np.ceil(HELD_OUT * min(len(mixed), TAUGHT)))
    return np.sort(mixed[:judges]), np.sort(mixed[judges : judges + TAUGHT])


def propose(candidates: Propose, users: np.ndarray, step: str, progress: Progress) -> Candidates:
    """Candidates of some users, block by block."""
    parts, done = [], 0
    for block in blocks(users):
        parts.append(candidates(block))
        done += len(block)
        progress(step, done, len(users))
    return Candidates.joined(parts)


def write(order: Order, candidates: Propose, users: np.ndarray, k: int, out: Path, progress: Progress) -> None:
    """Rank all users, block by block, into a Parquet file of user, item and rank.

    Args:
        order: of the candidates.
        candidates: of a block of users.
        users: int [U] the users' own numbers.
        k: items a user.
        out: the file.
        progress: called as (step, done, total).
    """
    parts: list[Lists] = []
    for block in blocks(np.arange(len(users))):
        parts.append(order.lists(candidates(block), k))
        progress("rank", int(block[-1]) + 1, len(users))
    user, item, rank = joined(parts)
    table = pa.table({"user": users[user], "item": item, "rank": rank.astype(np.int32)})
    with durable.filled(out.resolve(), Step.TABLE) as path:
        pq.write_table(table, path, compression="zstd")
