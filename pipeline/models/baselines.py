"""How a single way of scoring becomes a list that every night's model is judged against."""

import numpy as np

TIE = 1e-6  # popularity fills where the score is silent
DIGITS = 10  # finer than the steps of popularity


def filled(scores: np.ndarray, popular: np.ndarray) -> np.ndarray:
    """Scores [B, R] with popularity [B, R] deciding among ties; float64, for a float32 near one has no digits left."""
    return scores + TIE * popular.astype(np.float64) / max(1.0, float(popular.max(initial=0)))


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
