"""What drawn negatives cost in ranking: python -m benchmarks.sampled_softmax SEQUENCES [steps [negatives …]].

Transformers of one start, told by the exact softmax over all items or from so many negatives, are trained for as
many steps on all but each user's last two items and kept where the one before the last is foretold best. They are
judged by the last one among all items that the user has not taken (leave-one-out, full ranking): NDCG@10, and its gain
over the exact one's, user by user, with the 95 % interval of that.
"""

import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from benchmarks.side_by_side import Calibration, note_figures
from pipeline.learning import harness
from pipeline.metrics import intervals, ranking
from pipeline.models import sequential
from pipeline.models.order import blocks
from pipeline.models.sequential import Batches, Sequential
from pipeline.rank import neural
from pipeline.rank.sequence_files import Bench, read_sequences
from pipeline.record import JsonRecorder

NAME, STEPS, NEGATIVES, SEED, THREADS, K = "sampled_softmax", 3000, (2048, 256), 7, 2, 10
EVALUATED = 10  # times in a training


def trained(bench: Bench, negatives: int, steps: int) -> Sequential:
    """A transformer of ids alone."""
    known, later = (bench.sequences.without_last(count).lines for count in (2, 1))
    rows, texts = np.arange(1, bench.items + 1), np.zeros((bench.items, 1), np.float32)
    counts = np.bincount(known.item, minlength=bench.items).astype(np.float64)
    times = {"steps": steps, "eval_steps": max(steps // EVALUATED, 1), "patience": EVALUATED}
    training = neural.RECOMMENDER.training.model_copy(update=times)
    settings = neural.RECOMMENDER.model_copy(update={"negatives": negatives, "training": training})
    torch.manual_seed(SEED)
    some = np.sort(np.random.default_rng(SEED).permutation(len(later))[: neural.VALID_USERS])
    with tempfile.TemporaryDirectory() as folder:
        return sequential.train(
            Sequential(bench.items, 1, settings),
            sequential.windows(known, settings.history),
            sequential.windows(later.only(some), settings.history, target_age=1),
            Batches(rows, texts, counts, negatives, SEED),
            settings,
            warm=False,
            folder=Path(folder),
            seed=SEED,
            recorder=JsonRecorder(Path(folder) / "notes"),
        )


def judged(bench: Bench, model: Sequential) -> np.ndarray:
    """NDCG@10 of each user's last item: float [U]."""
    now, target = bench.sequences.without_last(1), bench.sequences.from_end(1)
    rows, texts = np.arange(1, bench.items + 1), np.zeros((bench.items, 1), np.float32)
    states = sequential.user_states(model, now.lines, rows, texts, neural.RECOMMENDER.history)
    vectors, taken = sequential.item_vectors(model, rows, texts), now.profile(bench.items, 1.0, bench.items)
    found = np.zeros(len(now))
    for users in blocks(np.arange(len(now))):
        scores = states[users] @ vectors.T
        mine = scores[np.arange(len(users)), target[users]]
        scores[taken[users].nonzero()] = -np.inf
        place = (scores > mine[:, None]).sum(1) + (scores == mine[:, None]).sum(1) - 1  # of ties the last
        found[users] = np.where((place < K) & (target[users] >= 0), ranking.discounts(K)[np.minimum(place, K - 1)], 0)
    return found


def main(path: Path, steps: int, negatives: list[int]) -> None:
    """All of them, one after the other; prints and keeps what they took and what came of it."""
    harness.settle(SEED, THREADS)
    bench, before, told, found = read_sequences(path), Calibration.now(), {}, {}
    for one in (0, *negatives):  # what the others are held against comes first
        began = perf_counter()
        model = trained(bench, one, steps)
        way = f"{one} negatives" if one else "exact"
        told[f"{NAME}/{way}/seconds"] = perf_counter() - began
        found[way] = judged(bench, model)
        told[f"{NAME}/{way}/NDCG@10"] = float(found[way].mean())
        gain = intervals.paired_gain(found[way], found["exact"], seed=SEED)
        for name, value in zip(("gain", "gain, low", "gain, high"), gain, strict=True):
            told[f"{NAME}/{way}/{name}"] = float(value) / max(float(found["exact"].mean()), 1e-9)
        print(way, {fact.split("/")[-1]: round(value, 4) for fact, value in told.items() if f"/{way}/" in fact})
    facts = {f"{NAME}/{fact}": value for fact, value in (("users", len(bench.users)), ("items", bench.items))}
    note_figures(NAME, told | facts | {f"{NAME}/steps": steps}, before, drift=before.drift(Calibration.now()))


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[2:]]
    main(Path(sys.argv[1]), given[0] if given else STEPS, given[1:] or list(NEGATIVES))
