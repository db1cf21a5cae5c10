"""How well ranked lists and scores find what happened: recall, NDCG, AUC. Higher is better for all.

Shapes: U users, K places in a list. Not here: how lists are made, and intervals (`intervals`).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

PAD = -1


def relevance(ranked_UK: NDArray[np.integer], truth: csr_matrix) -> NDArray[np.bool_]:
    """Which places hold an item of the user's truth.

    Args:
        ranked_UK: item indices, best first; -1 where a list is shorter than K.
        truth: [U, items], non-zero where the item is in the user's truth.

    Returns:
        [U, K]; padding is never relevant.

    Raises:
        ValueError: numbers of users differ, an index lies outside the catalogue, or a list names an item twice
            (which would count one hit twice).
    """
    users, items = truth.shape
    if ranked_UK.ndim != 2 or len(ranked_UK) != users:
        raise ValueError(f"ranked lists are {ranked_UK.shape}, truth has {users} users; pass one list a user")
    if ranked_UK.size and (ranked_UK.min() < PAD or ranked_UK.max() >= items):
        raise ValueError(f"ranked lists name items outside 0 to {items - 1}; use the truth's indices, {PAD} to pad")
    refuse_repeats(ranked_UK)
    rows, columns = truth.nonzero()
    wanted = rows.astype(np.int64) * items + columns
    places = np.arange(users, dtype=np.int64)[:, None] * items + ranked_UK
    hits_UK: NDArray[np.bool_] = np.isin(places, wanted) & (ranked_UK != PAD)
    return hits_UK


def refuse_repeats(ranked_UK: NDArray[np.integer]) -> None:
    """Lists whose items may be counted.

    Raises:
        ValueError: a list names an item twice; padding may repeat.
    """
    ordered = np.sort(ranked_UK, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != PAD)).any():
        raise ValueError("a ranked list names an item twice; deduplicate it before measuring")


def discounts(k: int) -> NDArray[np.float64]:
    """How much a place is seen, v_r = 1 / log2(1 + r) for places 1 to k. Source: Järvelin and Kekäläinen 2002."""
    return np.asarray(1.0 / np.log2(np.arange(2, k + 2)))


def recall_at(relevance_UK: NDArray[np.bool_], truth_counts_U: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """Share of each user's truth found in the first k places: hits / |truth|, 0 to 1.

    Raises:
        ValueError: k exceeds the lists, or a user's truth is empty.
    """
    hits_U = _first(relevance_UK, truth_counts_U, k).sum(axis=1)
    return np.asarray(hits_U / truth_counts_U)


def ndcg_at(relevance_UK: NDArray[np.bool_], truth_counts_U: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """Discounted gain of the first k places over that of the ideal list, 0 to 1.

    Gains are binary: sum over hits of 1 / log2(place + 1), divided by the same sum over the first min(k, |truth|)
    places. Source: Järvelin and Kekäläinen 2002, with binary gains.

    Raises:
        ValueError: k exceeds the lists, or a user's truth is empty.
    """
    found_Uk = _first(relevance_UK, truth_counts_U, k)
    ideal = np.cumsum(discounts(k))
    gains_U = found_Uk @ discounts(k)
    return np.asarray(gains_U / ideal[np.minimum(truth_counts_U, k) - 1])


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Probability that a positive outscores a negative, ties counting half: 0.5 is chance, 1 is perfect.

    Source: Mann and Whitney 1947 (the U statistic over the number of pairs).

    Raises:
        ValueError: lengths differ, a score is not finite, or one of the two classes is absent.
    """
    truth = np.asarray(labels).astype(bool)
    given = np.asarray(scores, dtype=np.float64)
    if truth.shape != given.shape or not np.isfinite(given).all():
        raise ValueError("labels and scores must be equally long and scores finite")
    positives = int(truth.sum())
    negatives = truth.size - positives
    if not positives or not negatives:
        raise ValueError(f"AUC needs both classes, got {positives} positives and {negatives} negatives")
    outranked = rankdata(given)[truth].sum() - positives * (positives + 1) / 2
    return float(outranked / (positives * negatives))


def _first(relevance_UK: NDArray[np.bool_], truth_counts_U: NDArray[np.integer], k: int) -> NDArray[np.bool_]:
    if not 1 <= k <= relevance_UK.shape[1]:
        raise ValueError(f"k is {k}, lists have {relevance_UK.shape[1]} places; rank at least k items")
    if len(truth_counts_U) != len(relevance_UK) or (np.asarray(truth_counts_U) < 1).any():
        raise ValueError("every user measured needs at least one true item; leave out users without any")
    return relevance_UK[:, :k]


def top_lift(labels: ArrayLike, scores: ArrayLike, share: float = 0.1) -> float:
    """Rate of positives among the highest scored share over the rate of all; 1 is chance. Ties take their mean rate.

    Args:
        labels: N outcomes, 0 or 1, at least one of them 1.
        scores: N scores, higher is likelier.
        share: of the cases, above 0.

    Raises:
        ValueError: no positives, lengths differ, or no share.
    """
    positive, score = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    if positive.shape != score.shape or not positive.sum() or not 0 < share <= 1:
        raise ValueError(f"{positive.shape} labels, {score.shape} scores, share {share}; pass equally many and some 1s")
    # Every case has the mean label of its score, so the order within ties cannot matter.
    _, tie, counts = np.unique(-score, return_inverse=True, return_counts=True)
    expected = (np.bincount(tie, positive) / counts)[np.sort(tie)]
    first = max(1, round(len(score) * share))
    return float(expected[:first].mean() / positive.mean())
