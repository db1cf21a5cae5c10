"""The strong simple recommenders that every night's model is judged against, and parts of what it fuses.

Each scores a block of users against all columns: float32 [B, R]; higher is better.
"""

import numpy as np
import scipy.sparse as sp

from pipeline.features.history import History

TIE = 1e-6  # popularity fills where the personal score is silent
DIGITS = 10  # finer than the steps of popularity


def popularity(history: History, users: slice, columns: np.ndarray) -> np.ndarray:
    """Users who bought the item in the last 28 days."""
    rows = len(range(*users.indices(len(history.users))))
    return np.broadcast_to(history.buyers_recent[columns], (rows, len(columns)))


def personal_frequency(history: History, users: slice, columns: np.ndarray) -> np.ndarray:
    """The user's own baskets with the item, halved per 30 days of age."""
    return history.weight[users][:, columns].toarray()


def co_visitation(history: History, users: slice, columns: np.ndarray, transitions: sp.csr_matrix) -> np.ndarray:
    """Items that follow what the user bought lately, repeats among them."""
    return (history.weight[users] @ transitions[:, columns]).toarray()


def filled(scores: np.ndarray, history: History, columns: np.ndarray) -> np.ndarray:
    """Scores with popularity deciding among ties; float64, for a float32 near one has no digits left for it."""
    popular = history.buyers_recent[columns].astype(np.float64)
    return scores + TIE * popular / max(1.0, float(popular.max(initial=0)))


def top(scores: np.ndarray, k: int) -> np.ndarray:
    """Columns of the k best scores of each row, best first, ties by column: int [B, k], a total order."""
    k = min(k, scores.shape[1])
    exact = np.round(scores.astype(np.float64), DIGITS)
    bound = -np.partition(-exact, k - 1, axis=1)[:, k - 1 : k]
    out = np.empty((len(exact), k), np.int64)
    for row in range(len(exact)):
        near = np.flatnonzero(exact[row] >= bound[row])
        out[row] = near[np.argsort(-exact[row, near], kind="stable")[:k]]
    return out
