"""Rank the next basket of each user of a history file, by the models of `next_baskets`.

The file holds baskets known; the ones that lists are judged by lie elsewhere. The last two known baskets teach the
order, each ranked by ways that have not seen it; then the ways are counted again with them.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from pipeline.errors import DataError
from pipeline.metrics import ranking
from pipeline.models import next_baskets
from pipeline.models.baskets import Baskets
from pipeline.models.order import Candidates, Lists, Order
from pipeline.models.ways import Joined
from pipeline.rank import Progress, ablation, alone, draw, neural, propose, ranked, write
from pipeline.rank.neural import Transformer

LESSONS, PLACES = 2, 10


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
        `measure` on held-out users' last known basket, of the learned order, of orders without each part, and of each
        way alone.

    Raises:
        DataError: fewer than two users have two baskets.
    """
    users = bench.baskets.shape[0]
    judges, teachers = draw(np.flatnonzero(bench.baskets.sizes > 1), seed)
    before, truth = bench.baskets.without_last(1), bench.baskets.from_end(1)
    had = before.profile(1.0)

    def of_judges(lists: Lists) -> dict[str, float]:
        return measure(lists, truth, had, judges)

    # The transformer sees no basket that teaches the order: it learns from what came before both lessons.
    start = bench.baskets.without_last(LESSONS)
    texts = np.zeros((bench.baskets.shape[1], 1), np.float32)
    model = neural.transformer(start.lines, before.lines.only(teachers), texts, seed, progress)
    truths = {lesson: bench.baskets.from_end(lesson) for lesson in range(1, LESSONS + 1)}
    parts = []
    for lesson in truths:
        able = teachers[bench.baskets.sizes[teachers] > lesson]
        if not len(able):
            break
        ways = _ways(bench.baskets.without_last(lesson), model)

        def bought(found: Candidates, truth: sp.csr_matrix = truths[lesson]) -> np.ndarray:
            return np.asarray(truth[found.user, found.item]).ravel()

        found = propose(ways, able, f"teach {lesson}", progress, bought)
        parts.append(replace(found, user=found.user + lesson * users))
        if lesson == 1:
            judged = propose(ways, judges, "validate", progress)
            figures = alone(ways, judges, of_judges, PLACES)
    taught = Candidates.joined(parts)

    def hits(found: Candidates) -> np.ndarray:
        hit = np.zeros(len(found.user), bool)
        for lesson, bought in truths.items():
            mine = np.flatnonzero(found.user // users == lesson)
            hit[mine] = np.asarray(bought[found.user[mine] % users, found.item[mine]]).ravel()
        return hit

    def learn(found: Candidates) -> Order:
        return Order.learn(found, hits(found), seed, threads, neural.RECOMMENDER.trees)

    order = learn(taught)
    figures = ablation(taught, judged, learn, of_judges, PLACES, seed) | figures
    figures = {"fused": of_judges(order.lists(judged, PLACES))} | figures
    ways, everybody = _ways(bench.baskets, model), np.arange(len(bench.users))
    write(ranked(order, ways, everybody, bench.baskets.sizes == 0, size, "rank", progress), bench.users, out)
    return figures


def _ways(baskets: Baskets, model: Transformer) -> Joined:
    """All ways, as of the end of some baskets."""
    return Joined((next_baskets.Ways.of(baskets), model.ways(baskets.lines)))
