"""Rank sequences of items, one line a user, by the models of `next_items`.

The last item of a line is what lists are judged by and is never read. The one before it teaches the order and chooses
hyper-parameters; then the ways are counted again with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import scipy.sparse as sp

from pipeline.models import linear, next_items
from pipeline.models.linear import Linear
from pipeline.models.next_items import Habits, Sequences
from pipeline.models.order import Candidates, Lists, Order, best, blocks, joined
from pipeline.models.retrieval import Filters
from pipeline.models.ways import Joined
from pipeline.rank import Progress, ablation, alone, cold, draw, most_taken, neural, propose, ranked, write
from pipeline.rank.neural import Transformer
from pipeline.rank.sequence_files import Bench, Known

TRIALS, TRIAL_USERS = 24, 4000
LINEAR_ITEMS = 15_000  # more would not fit in memory
EVER = 1_000_000  # of all a user took
K = 50


@dataclass(frozen=True)
class Split:
    """What is known, int [U] what came next, and the users whose next item judges the order and teaches it."""

    before: Sequences
    target: np.ndarray
    judges: np.ndarray
    teachers: np.ndarray


def ndcg(lists: Lists, target: np.ndarray, among: np.ndarray) -> float:
    """Mean NDCG@10 of lists (user, item, rank) over some users, one target each."""
    user, item, rank = lists
    hit = (item == target[user]) & (rank <= 10) & np.isin(user, among)
    return float((1 / np.log2(rank[hit] + 1)).sum() / max(1, len(among)))


def choose(bench: Bench, teachers: np.ndarray, seed: int, progress: Progress) -> Habits:
    """Hyper-parameters by which co-visitation alone finds the teachers' validation items best, of so many trials."""
    known, target = bench.sequences.without_last(2), bench.sequences.from_end(2)
    some = np.sort(np.random.default_rng(seed).permutation(teachers)[:TRIAL_USERS])
    taken_before = Filters(excluded=known.profile(bench.items, 1.0, EVER))

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
        latest = known.profile(bench.items, habits.memory, 20)
        counted = Joined((next_items.Ways(known, taken, {"both": graph}, {"both": latest}),), taken_before)
        parts = [best(counted.scores(users)["both"], users, 10) for users in blocks(some)]
        progress("choose", one.number + 1, TRIALS)
        return ndcg(joined(parts), target, some)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(asdict(Habits()))
    study.optimize(trial, n_trials=TRIALS)
    return Habits(**study.best_params)


def rank(
    bench: Bench, known: Known, out: Path, *, home: Path, seed: int, threads: int, progress: Progress
) -> dict[str, dict[str, float]]:
    """Choose, learn, rank and write.

    Args:
        bench: the file.
        known: of its items.
        out: Parquet with user, item and rank, 50 items a user.
        home: under which pretrained weights are unpacked.
        seed: of all drawing.
        threads: part of what makes two runs equal.
        progress: called as (step, done, total).

    Returns:
        NDCG@10 on held-out users' validation items, of the learned order, of orders without each part, and of each way
        alone.

    Raises:
        DataError: fewer than two users have two items.
    """
    before, target = bench.sequences.without_last(2), bench.sequences.from_end(2)
    judges, teachers = draw(np.flatnonzero(target >= 0), seed)
    habits = choose(bench, teachers, seed, progress)
    alike = {"content": next_items.likeness(known.content)}
    texts = neural.narrow(known.content, seed)
    if known.titles:
        valid = _last_pairs(before, target, teachers)
        taken = before.profile(bench.items, 1.0, neural.RECOMMENDER.history)
        vectors = neural.vectors_of_titles(known.titles, taken, valid, home, seed, progress)
        alike["meaning"] = next_items.nearness(vectors, threads)
        texts = np.hstack([texts, vectors])
    model = neural.transformer(
        before.lines, bench.sequences.without_last(1).lines.only(teachers), texts, seed, progress
    )

    make = partial(_ways, items=bench.items, alike=alike, habits=habits)
    order, figures = _order(bench, Split(before, target, judges, teachers), model, make, seed, threads, progress)
    now = bench.sequences.without_last(1)
    others = np.setdiff1d(np.arange(len(now)), judges)
    model = neural.carried_on(model, now.lines.only(others), now.lines.only(judges), seed, progress)
    final = make(now, model=model, weights=Linear.learn(now.lines, bench.items, LINEAR_ITEMS))
    everybody = np.arange(len(now))
    write(ranked(order, final, everybody, now.sizes == 0, K, "rank", progress), bench.users, out)
    return figures


def _order(
    bench: Bench,
    split: Split,
    model: Transformer,
    make: Callable[..., Joined],
    seed: int,
    threads: int,
    progress: Progress,
) -> tuple[Order, dict[str, dict[str, float]]]:
    """The learned order, and what it, its parts and its lists for the new do among the judges.

    What it learns from is some gigabytes, which are free again when it is done.
    """
    before, target, judges = split.before, split.target, split.judges
    learned = Linear.learn(before.lines, bench.items, LINEAR_ITEMS)

    def build(sequences: Sequences, new: np.ndarray) -> Joined:
        blind, weights = cold.blind(model, learned, new)
        return make(sequences, model=blind, weights=weights)

    def hits(found: Candidates) -> np.ndarray:
        return np.asarray(found.item == target[found.user])

    def measure(lists: Lists, users: np.ndarray = judges) -> dict[str, float]:
        return {"ndcg@10": ndcg(lists, target, users)}

    ways = build(before, np.zeros(bench.items, bool))
    judged = propose(ways, judges, "validate", progress)
    taught = propose(ways, split.teachers, "teach", progress, hits)

    def learn(found: Candidates) -> Order:
        return Order.learn(found, hits(found), seed, threads, neural.RECOMMENDER.trees)

    order = learn(taught)
    figures = {"fused": measure(order.lists(judged, K))}
    figures |= ablation(taught, judged, learn, measure, K, seed)
    figures |= alone(ways, judges, measure, K)
    for name, asked, strange, users in cold.slices(build, before, target, judges, bench.items):
        fused = ranked(order, asked, users, strange, K, name, progress)
        popular = joined([most_taken(asked, block, K) for block in blocks(users)])
        figures |= {f"{name}: fused": measure(fused, users), f"{name}: popularity": measure(popular, users)}
    return order, figures


def _ways(
    sequences: Sequences,
    *,
    items: int,
    alike: Mapping[str, sp.csr_matrix],
    habits: Habits,
    model: Transformer,
    weights: Linear,
) -> Joined:
    """All ways, as of the end of some sequences."""
    return Joined(
        (
            next_items.Ways.of(sequences, items, alike, habits),
            model.ways(sequences.lines),
            linear.Ways(weights, sequences.profile(items, linear.MEMORY, linear.READ)),
        ),
        Filters(excluded=sequences.profile(items, 1.0, EVER)),
    )


def _last_pairs(before: Sequences, target: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Some users' last known item with their validation item: int [N, 2], by which the encoder stops."""
    last = before.from_end(1)
    able = users[last[users] >= 0][: neural.ENCODER.judged_pairs]
    return np.stack([last[able], target[able]], axis=1)
