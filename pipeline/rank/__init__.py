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
from pipeline.models.order import BLOCK, Candidates, Lists, Order, best, blocks, joined, part_of
from pipeline.models.ways import Ways, candidates
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

HELD_OUT = 0.1  # users whose validation judges the order, not taught by it
TAUGHT = 25_000  # users that teach it, at most: more do not sharpen it, and memory stays flat

ABLATED = 5_000  # users that teach the orders of an ablation: it compares, and needs no last digit
COUNT = 60  # candidates each way names
POPULARITY = "popularity"

Progress = Callable[[str, int, int], None]
Measure = Callable[[Lists], dict[str, float]]


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


def propose(
    ways: Ways,
    users: np.ndarray,
    step: str,
    progress: Progress,
    useful: Callable[[Candidates], np.ndarray] | None = None,
) -> Candidates:
    """Candidates of some users, block by block.

    Args:
        ways: that name them.
        users: int [U].
        step: its name.
        progress: called as (step, done, total).
        useful: which candidates came next; who has none teaches nothing and is left out.
    """
    parts, done = [], 0
    for block in blocks(users):
        found = candidates(ways, block, COUNT)
        parts.append(found if useful is None else found.only(np.isin(found.user, found.user[useful(found)])))
        done += len(block)
        progress(step, done, len(users))
    return Candidates.joined(parts)


def alone(ways: Ways, judges: np.ndarray, measure: Measure, k: int) -> dict[str, dict[str, float]]:
    """Figures of each way by itself."""
    parts: dict[str, list[Lists]] = {}
    for users in blocks(judges):
        for way, scores in ways.scores(users).items():
            parts.setdefault(way, []).append(best(scores, users, k))
    return {way: measure(joined(lists)) for way, lists in parts.items()}


def ablation(
    taught: Candidates, judged: Candidates, learn: Callable[[Candidates], Order], measure: Measure, k: int, seed: int
) -> dict[str, dict[str, float]]:
    """What each part adds: figures of orders that a sample of the users taught, of all parts and without each.

    Args:
        taught: candidates to learn from.
        judged: candidates to rank.
        learn: gives the order that candidates teach.
        measure: figures of lists.
        k: places of a list.
        seed: of the drawing.
    """
    users = np.unique(taught.user)
    some = np.random.default_rng(seed).permutation(users)[:ABLATED]
    taught = taught.only(np.isin(taught.user, some))
    figures = {"a sample": measure(learn(taught).lists(judged, k))}
    for part in dict.fromkeys(part_of(way) for way in taught.ways):
        left = taught.without(part)
        figures[f"without {part}"] = measure(learn(left).lists(judged.without(part), k))
    return figures


def most_taken(ways: Ways, users: np.ndarray, k: int) -> Lists:
    """The k most popular items for each user of a block."""
    _name, scores = next(one for one in ways.scores(users).items() if part_of(one[0]) == POPULARITY)
    return best(scores, users, k)


def ranked(
    order: Order, ways: Ways, users: np.ndarray, strange: np.ndarray, k: int, step: str, progress: Progress
) -> Lists:
    """Lists of some users, block by block.

    Args:
        order: of the candidates.
        ways: that name them.
        users: int [U].
        strange: bool, by user: nothing is known of them. Nobody like them taught the order; they get what is popular.
        k: items a user.
        step: its name.
        progress: called as (step, done, total).
    """
    parts: list[Lists] = []
    for done, block in enumerate(blocks(users), start=1):
        known, unknown = block[~strange[block]], block[strange[block]]
        parts += [order.lists(candidates(ways, known, COUNT), k)] if len(known) else []
        parts += [most_taken(ways, unknown, k)] if len(unknown) else []
        progress(step, min(done * BLOCK, len(users)), len(users))
    return joined(parts)


def write(lists: Lists, users: np.ndarray, out: Path) -> None:
    """Lists as a Parquet file of user, item and rank, by user; users int [U] are their own numbers."""
    user, item, rank = lists
    order = np.lexsort((rank, user))
    table = pa.table({"user": users[user[order]], "item": item[order], "rank": rank[order].astype(np.int32)})
    with durable.filled(out.resolve(), Step.TABLE) as path:
        pq.write_table(table, path, compression="zstd")
