"""What goes with what: complements by lift with its uncertainty, and what completes a basket."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipeline.features.history import History, Items
from pipeline.models.sparse_rows import best, entries, values

SURE = 1.96
PERSONAL = 0.5  # a basket's complements and the user's own habit, both on a log scale


@dataclass(frozen=True)
class Complements:
    """Pairs held together more often than by chance, as arrays: item places, lift, its lower bound, joint baskets."""

    item: np.ndarray
    other: np.ndarray
    lift: np.ndarray
    sure: np.ndarray
    together: np.ndarray

    def matrix(self, items: int) -> sp.csr_matrix:
        """Log of the lower bound of lift: CSR [I, I]."""
        return sp.csr_matrix((np.log(self.sure), (self.item, self.other)), shape=(items, items))


def sure_lift(
    together: np.ndarray, item_baskets: np.ndarray, other_baskets: np.ndarray, baskets: np.ndarray | int
) -> np.ndarray:
    """Lower bound of lift: joint baskets less their 95 % Poisson error, over what chance would make of the counts."""
    return np.asarray((together - SURE * np.sqrt(together)) / (item_baskets * other_baskets / baskets))


def complements(pairs: pa.Table, space: Items, listable: np.ndarray) -> Complements:
    """Pairs whose lift is surely above 1 (Poisson 95 % bound on the joint count), the second item fit to be listed.

    Args:
        pairs: `features.baskets.pairs`.
        space: the items.
        listable: bool [I].
    """
    item, other = space.index(pairs.column("item_id")), space.index(pairs.column("other_id"))
    together, first, second = (
        pairs.column(name).to_numpy().astype(np.float64) for name in ("together", "item_baskets", "other_baskets")
    )
    baskets = pairs.column("all_baskets").to_numpy()
    sure = sure_lift(together, first, second, baskets)
    kept = (item >= 0) & (other >= 0) & (sure > 1) & listable[other]
    return Complements(
        item[kept],
        other[kept],
        (together * baskets / (first * second))[kept],
        sure[kept],
        together[kept].astype(np.int64),
    )


def best_for_items(found: Complements, k: int) -> np.ndarray:
    """Rows of `found` to publish, by item then rank: the k surest lifts of each item, ties by item."""
    order = np.lexsort((found.other, -np.round(found.sure, 6), found.item))
    item = found.item[order]
    rank = np.arange(len(order)) - np.searchsorted(item, item)
    return order[rank < k]


def complete(
    baskets: sp.csr_matrix, history: History, rows: np.ndarray, lifts: sp.csr_matrix, listable: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """What completes each user's open basket: item places (-1 pads) and scores, each [U, k].

    Score: sum over the basket of log lift, plus a share of the log of the user's own recent baskets with the item.

    Args:
        baskets: bool CSR [U, I].
        history: for the users' own habits.
        rows: int [U] each user's row of the history.
        lifts: `Complements.matrix`.
        listable: bool [I].
        k: places.
    """
    users = baskets.shape[0]
    items, scores = np.full((users, k), -1, np.int64), np.zeros((users, k))
    for user in range(users):
        held = baskets[user].indices
        if not len(held):
            continue
        pulls = lifts[held]
        own = history.weight[rows[user]]
        score = np.asarray(pulls.sum(0)).ravel()
        score[own.indices] += PERSONAL * np.log1p(own.data)
        score[~listable] = 0
        score[held] = 0
        score = np.round(score, 6)
        near = np.flatnonzero(score > 0)
        best = near[np.lexsort((near, -score[near]))][:k]
        items[user, : len(best)], scores[user, : len(best)] = best, score[best]
    return items, scores


def leads(baskets: sp.csr_matrix, items: np.ndarray, lifts: sp.csr_matrix) -> np.ndarray:
    """The item of each user's basket with which a listed one goes most surely, -1 where with none: int [U, k].

    Args:
        baskets: bool CSR [U, I].
        items: int [U, k] places, -1 pads.
        lifts: `Complements.matrix`.
    """
    user, column = np.nonzero(items >= 0)
    place, held, _ = entries(baskets[user])
    lift = values(lifts, held, items[user, column][place])
    out = np.full(items.shape, -1, np.int64)
    out[user, column] = best(place, held, lift, len(user))
    return out
