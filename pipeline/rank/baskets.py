"""Rank the next basket of each user of a history file, by the models of `next_baskets`.

The file holds baskets known; the ones that lists are judged by lie elsewhere. The last two known baskets teach the
order, each ranked by ways that have not seen it; then the ways are counted again with them.
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from pipeline.errors import DataError
from pipeline.metrics import ranking
from pipeline.models.next_baskets import WAYS, Baskets, Ways, candidates
from pipeline.models.order import Candidates, Lists, Order, best, blocks, joined
from pipeline.rank import Progress, draw, propose, write

COUNT, LESSONS, PLACES = 60, 2, 10


@dataclass(frozen=True)
class Bench:
    """A file as arrays: users' own numbers, and baskets of the file's item numbers."""

    users: np.ndarray
    baskets: Baskets


def read_history(path: Path) -> Bench:
    """Read JSON of baskets by user, oldest first: `{"1": [[3, 7], [4]], …}`; `[-1]` at the ends is left out.

    Raises:
        DataError: the file is not there, or not of that form.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give JSON of baskets by user")
    try:
        loaded: Any = json.loads(path.read_bytes())
        history = {int(user): [_basket(one) for one in taken if one != [-1]] for user, taken in loaded.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: not readable as baskets of numbers by user ({error}); mend the file") from error
    if not any(len(one) for taken in history.values() for one in taken):
        raise DataError(f"{path}: no baskets; give JSON of baskets by user")
    users = sorted(history)
    baskets = [one for user in users for one in history[user] if len(one)]
    owner = np.repeat(np.arange(len(users)), [sum(len(one) > 0 for one in history[user]) for user in users])
    item = np.concatenate(baskets)
    basket = np.repeat(np.arange(len(baskets)), [len(one) for one in baskets])
    return Bench(np.array(users), Baskets(item, basket, owner, (len(users), int(item.max()) + 1)))


def _basket(items: Any) -> np.ndarray:
    numbers = np.unique(np.array([int(item) for item in items], np.int64))
    if len(numbers) and numbers[0] < 0:
        raise ValueError(f"an item's number is negative in {items}; number items from 0")
    return numbers


def measure(lists: Lists, truth: sp.csr_matrix, before: sp.csr_matrix, judges: np.ndarray) -> dict[str, float]:
    """NDCG@10 and recall@10 over some users, and recall of goods bought before and never before.

    Args:
        lists: user, item, rank.
        truth: bool CSR [U, I] what they bought next.
        before: CSR [U, I] what they had bought.
        judges: int [J] users, ascending, each with some truth.
    """
    user, item, rank = lists
    ranked = np.full((len(judges), PLACES), -1, np.int64)
    shown = rank <= PLACES
    ranked[np.searchsorted(judges, user[shown]), rank[shown] - 1] = item[shown]
    wanted = truth[judges]
    known = wanted.multiply(before[judges] > 0).astype(bool).tocsr()
    new = (wanted.astype(np.int8) - known.astype(np.int8)).astype(bool).tocsr()
    new.eliminate_zeros()
    hits, counts = ranking.relevance(ranked, wanted), np.diff(wanted.indptr)
    figures = {
        "ndcg@10": float(ranking.ndcg_at(hits, counts, PLACES).mean()),
        "recall@10": float(ranking.recall_at(hits, counts, PLACES).mean()),
    }
    for name, part in {"repeat": known, "explore": new}.items():
        some = np.diff(part.indptr) > 0
        found = ranking.relevance(ranked[some], part[some])
        recall = ranking.recall_at(found, np.diff(part[some].indptr), PLACES) if some.any() else np.zeros(1)
        figures[f"{name}_recall@10"] = float(recall.mean())
    return figures


def rank(
    bench: Bench, out: Path, size: int, *, seed: int, threads: int, progress: Progress
) -> dict[str, dict[str, float]]:
    """Learn, rank and write.

    Args:
        bench: the file.
        out: Parquet with user, item and rank.
        size: items a user.
        seed: of all drawing.
        threads: part of what makes two runs equal.
        progress: called as (step, done, total).

    Returns:
        `measure` on held-out users' last known basket, of each way alone and of the learned order.

    Raises:
        DataError: fewer than two users have two baskets.
    """
    users = bench.baskets.shape[0]
    judges, teachers = draw(np.flatnonzero(bench.baskets.sizes > 1), seed)
    parts, hits, figures = [], [], {}
    for lesson in range(1, LESSONS + 1):
        ways = Ways.of(bench.baskets.without_last(lesson))
        truth = bench.baskets.from_end(lesson)
        able = teachers[bench.baskets.sizes[teachers] > lesson]
        if not len(able):
            break
        found = propose(partial(candidates, ways, count=COUNT), able, f"teach {lesson}", progress)
        hits.append(np.asarray(truth[found.user, found.item]).ravel())
        parts.append(Candidates(found.user + lesson * users, found.item, found.features))
        if lesson == 1:
            judged = propose(partial(candidates, ways, count=COUNT), judges, "validate", progress)
            figures = _alone(ways, truth, judges)
    order = Order.learn(Candidates.joined(parts), np.concatenate(hits), seed, threads)
    before, truth = bench.baskets.without_last(1).profile(1.0), bench.baskets.from_end(1)
    figures = {"fused": measure(order.lists(judged, PLACES), truth, before, judges)} | figures
    final = Ways.of(bench.baskets)
    write(order, partial(candidates, final, count=COUNT), bench.users, size, out, progress)
    return figures


def _alone(ways: Ways, truth: sp.csr_matrix, judges: np.ndarray) -> dict[str, dict[str, float]]:
    """Each way by itself."""
    parts: dict[str, list[Lists]] = {way: [] for way in WAYS}
    for users in blocks(judges):
        for way, scores in ways.scores(users).items():
            parts[way].append(best(scores, users, PLACES))
    return {way: measure(joined(lists), truth, ways.count, judges) for way, lists in parts.items()}
