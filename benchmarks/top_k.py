"""Exact top-K of inner products beside faiss and a loop of matmul and topk: python -m benchmarks.top_k [users] [items].

Needs `pip install faiss-cpu`.
"""

import sys

import faiss
import numpy as np
import scipy.sparse as sp
import torch

from benchmarks.side_by_side import measure
from pipeline.models.retrieval import Filters, refresh, search

WIDTH, K, SPARE, THREADS, LOOP, SOME = 128, 100, 40, 2, 256, 256


def _sorted(scores: np.ndarray) -> np.ndarray:
    top = np.argpartition(-scores, K, axis=1)[:, :K]
    return np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1), axis=1)


def _agreeing(left: np.ndarray, right: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> float:
    """Share of places with the same item; of others the scores differ by no more than sums of floats do."""
    row, place = np.nonzero(ours != theirs)
    one, other = (
        np.einsum("pd,pd->p", left[row], right[lists[row, place]], dtype=np.float64) for lists in (ours, theirs)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5)
    return float((ours == theirs).mean())


def main(users: int, items: int) -> None:
    """Compare answers, then time each way."""
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((count, WIDTH)).astype(np.float32) for count in (users, items))
    bought = sp.csr_matrix(
        (np.ones(users * 20, bool), (np.repeat(np.arange(users), 20), rng.integers(0, items, users * 20))),
        shape=(users, items),
    )
    filters = Filters(rng.random(users) < 2, rng.random(items) < 0.9, bought)
    torch.set_num_threads(THREADS)
    faiss.omp_set_num_threads(THREADS)
    index = faiss.IndexFlatIP(WIDTH)
    index.add(right)

    def loop() -> np.ndarray:
        items_T = torch.from_numpy(right).T
        parts = [torch.topk(torch.from_numpy(left[a : a + LOOP]) @ items_T, K).indices for a in range(0, users, LOOP)]
        return torch.cat(parts).numpy()

    def sorting() -> np.ndarray:
        return np.concatenate([_sorted(left[a : a + LOOP] @ right.T) for a in range(0, SOME, LOOP)])

    def one_by_one() -> np.ndarray:
        items = torch.from_numpy(right)
        return torch.stack([torch.topk(items @ torch.from_numpy(one), K).indices for one in left[:SOME]]).numpy()

    ours, theirs = search(left, right, K, threads=THREADS), index.search(left, K)
    same = _agreeing(left, right, ours.items, theirs[1])
    ways = {
        "ours": lambda: search(left, right, K, threads=THREADS),
        "ours, filtered": lambda: search(left, right, K, filters, threads=THREADS),
        "faiss IndexFlatIP": lambda: index.search(left, K),
        "matmul and topk (torch)": loop,
        f"matmul and argpartition (numpy), {SOME} users": sorting,
        f"a user at a time (torch), {SOME} users": one_by_one,
    }
    spare, users_alone = search(left, right, K + SPARE, threads=THREADS), np.zeros(items, bool)
    for name, changed in {
        "next night, 10 % of users changed": (rng.random(users) < 0.1, users_alone),
        "next night, 10 % of users and of items": (rng.random(users) < 0.1, rng.random(items) < 0.1),
    }.items():
        later, stock = left.copy(), right.copy()
        for whole, rows in zip((later, stock), changed, strict=True):
            whole[rows] = rng.standard_normal((int(rows.sum()), WIDTH))
        given = (spare, later, stock, K, *changed)
        again, fresh = refresh(*given, threads=THREADS), search(later, stock, K, threads=THREADS)
        np.testing.assert_array_equal(again.items[:, :K], fresh.items)
        np.testing.assert_array_equal(again.scores[:, :K], fresh.scores)
        ways[name] = lambda given=given: refresh(*given, threads=THREADS)  # type: ignore[misc]
    medians = measure("top_k", ways, users=users, items=items, equal=float(same))
    for way, seconds in medians.items():
        count = SOME if f"{SOME} users" in way else users
        print(f"{way}: {count / seconds:,.0f} users/s, {2 * count * items * WIDTH / seconds / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:] or ("32768", "100000")))
