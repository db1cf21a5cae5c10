"""Rank sequences of items, one line a user, by the models of `next_items`.

The last item of a line is what lists are judged by and is never read. The one before it teaches the order and chooses
hyper-parameters; then the ways are counted again with it.
"""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from pipeline.errors import DataError
from pipeline.models import next_items
from pipeline.models.next_items import WAYS, Habits, Sequences, Ways, candidates
from pipeline.models.order import Lists, Order, best, blocks, joined
from pipeline.rank import Progress, draw, propose, write

TRIALS, TRIAL_USERS = 24, 4000
COUNT, K = 60, 50
ATTRIBUTES = 0.5  # what an attribute counts beside a word of the title


@dataclass(frozen=True)
class Bench:
    """A file as arrays: users' own numbers, and sequences of the file's item numbers, all below `items`."""

    users: np.ndarray
    sequences: Sequences
    items: int


def read_sequences(path: Path) -> Bench:
    """Read lines of `user item item …`, whole numbers.

    Raises:
        DataError: the file is not there, a line is not of that form, or a user stands twice.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give one with lines of `user item item …`")
    users, items, sizes = [], [], []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            user, *taken = (int(word) for word in line.split())
        except ValueError as error:
            raise DataError(f"{path}:{number}: '{line[:40]}' is not `user item item …`; mend the line") from error
        if min(taken, default=0) < 0:
            raise DataError(f"{path}:{number}: an item's number is negative; number items from 0")
        users.append(user)
        items.append(taken)
        sizes.append(len(taken))
    if len(set(users)) != len(users) or not users:
        raise DataError(f"{path}: {'a user stands twice' if users else 'no users'}; give one line a user")
    flat = np.array([item for taken in items for item in taken], np.int64)
    return Bench(np.array(users), Sequences(flat, np.r_[0, np.cumsum(sizes)]), int(flat.max(initial=0)) + 1)


def content(items: int, titles: Path | None, attributes: Path | None) -> sp.csr_matrix:
    """What is known of the items: unit rows of TF-IDF over title words and attributes; CSR [I, C].

    Args:
        items: how many.
        titles: tab-separated with a header; item first, title last.
        attributes: JSON, lists of attribute numbers by item.

    Raises:
        DataError: a file cannot be read.
    """
    parts: list[sp.csr_matrix] = []
    if titles:
        words = [""] * items
        for item, text in _titles(titles):
            if item < items:
                words[item] = text
        parts.append(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(words))
    if attributes:
        known = _attributes(attributes)
        pairs = [(item, one) for item, held in known.items() if item < items for one in held]
        row, column = np.array(pairs, np.int64).reshape(-1, 2).T
        held = sp.csr_matrix((np.ones(len(row)), (row, column)), shape=(items, int(column.max(initial=0)) + 1))
        rarity = np.log(items / np.maximum(np.asarray((held > 0).sum(0)).ravel(), 1))
        parts.append(normalize(held @ sp.diags(rarity)) * (ATTRIBUTES if titles else 1.0))
    if not parts:
        return sp.csr_matrix((items, 1), dtype=np.float32)
    return normalize(sp.hstack(parts)).tocsr().astype(np.float32)


def _titles(path: Path) -> list[tuple[int, str]]:
    try:
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        return [(int(line[0]), line[-1]) for line in lines]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as item and title, tab-separated ({error}); mend the file") from error


def _attributes(path: Path) -> dict[int, list[int]]:
    try:
        return {int(item): [int(one) for one in held] for item, held in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: not readable as lists of numbers by item ({error}); mend the file") from error


def ndcg(lists: Lists, target: np.ndarray, among: np.ndarray) -> float:
    """Mean NDCG@10 of lists (user, item, rank) over some users, one target each."""
    user, item, rank = lists
    hit = (item == target[user]) & (rank <= 10) & np.isin(user, among)
    return float((1 / np.log2(rank[hit] + 1)).sum() / max(1, len(among)))


def choose(bench: Bench, teachers: np.ndarray, seed: int, progress: Progress) -> Habits:
    """Hyper-parameters by which co-visitation alone finds the teachers' validation items best, of so many trials."""
    known, target = bench.sequences.without_last(2), bench.sequences.from_end(2)
    some = np.sort(np.random.default_rng(seed).permutation(teachers)[:TRIAL_USERS])

    def trial(one: optuna.Trial) -> float:
        habits = Habits(
            window=one.suggest_int("window", 3, 15),
            distance=one.suggest_float("distance", 0.5, 1.0),
            backward=one.suggest_float("backward", 0.0, 1.2),
            source_power=one.suggest_float("source_power", 0.2, 0.9),
            target_power=one.suggest_float("target_power", 0.0, 0.7),
            memory=one.suggest_float("memory", 0.3, 0.95),
        )
        taken = np.bincount(known.item, minlength=bench.items)
        graph = next_items.co_visitation(next_items.pairs(known, bench.items, habits), taken, habits)
        alone = Ways(known, taken, {"follows": graph}, {"follows": known.profile(bench.items, habits.memory, 20)})
        parts = [best(alone.scores("follows", users), users, 10) for users in blocks(some)]
        progress("choose", one.number + 1, TRIALS)
        return ndcg(joined(parts), target, some)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(asdict(Habits()))
    study.optimize(trial, n_trials=TRIALS)
    return Habits(**study.best_params)


def rank(
    bench: Bench, known: sp.csr_matrix, out: Path, *, seed: int, threads: int, progress: Progress
) -> dict[str, float]:
    """Choose, learn, rank and write.

    Args:
        bench: the file.
        known: `content`.
        out: Parquet with user, item and rank, 50 items a user.
        seed: of all drawing.
        threads: part of what makes two runs equal.
        progress: called as (step, done, total).

    Returns:
        NDCG@10 on held-out users' validation items, of each way alone and of the learned order.

    Raises:
        DataError: fewer than two users have two items.
    """
    alike = next_items.likeness(known)
    before, target = bench.sequences.without_last(2), bench.sequences.from_end(2)
    judges, teachers = draw(np.flatnonzero(target >= 0), seed)
    habits = choose(bench, teachers, seed, progress)
    ways = Ways.of(before, bench.items, alike, habits)
    judged = propose(partial(candidates, ways, count=COUNT), judges, "validate", progress)
    taught = propose(partial(candidates, ways, count=COUNT), teachers, "teach", progress)
    order = Order.learn(taught, taught.item == target[taught.user], seed, threads)
    figures = {"fused": ndcg(order.lists(judged, K), target, judges)}
    for way in WAYS:
        alone = [best(ways.scores(way, users), users, 10) for users in blocks(judges)]
        figures[way] = ndcg(joined(alone), target, judges)
    known_now = Ways.of(bench.sequences.without_last(1), bench.items, alike, habits)
    write(order, partial(candidates, known_now, count=COUNT), bench.users, K, out, progress)
    return figures
