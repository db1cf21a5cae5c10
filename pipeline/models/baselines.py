"""How a single way of scoring becomes a list that every night's model is judged against."""

import numpy as np

from pipeline.models import row_loops, scoring
from pipeline.models.scoring import Scores

TIE = 1e-6  # popularity fills where the score is silent
DIGITS = 10  # finer than the steps of popularity


def lists(scores: Scores, popular: np.ndarray, k: int) -> np.ndarray:
    """Columns of each row's k best scores, popularity [1, R] deciding among ties: int [B, k]; [1, k] of everybody's."""
    silent = filled(np.zeros_like(popular), popular)
    if isinstance(scores, np.ndarray) or scores.data.min(initial=0) < 0:
        return np.stack([_head(line, silent[0], k) for line in scoring.dense(scores, scores.shape[0])])
    # Of the columns on which a row is silent none but the k most popular can be among its best.
    entries = np.round(scores.data + silent[0, scores.indices], DIGITS)
    rows = scoring.parts(scores)[:2]
    return row_loops.best_over((*rows, entries), np.round(silent[0], DIGITS), top(silent, k)[0])


def _head(line: np.ndarray, silent: np.ndarray, k: int) -> np.ndarray:
    """The same of one row [R], silent [R] being what fills it: that moves nothing further than TIE."""
    near = np.arange(len(line))
    if k < len(line):
        near = np.flatnonzero(line >= np.partition(line, len(line) - k)[len(line) - k] - 2 * TIE)
    return np.asarray(near[top((line[near] + silent[near])[None, :], k)[0]])


def filled(scores: np.ndarray, popular: np.ndarray) -> np.ndarray:
    """Scores [B, R] with popularity [B, R] deciding among ties; float64, for a float32 near one has no digits left."""
    return scores + TIE * popular.astype(np.float64) / max(1.0, float(popular.max(initial=0)))


def top(scores: np.ndarray, k: int) -> np.ndarray:
    """Columns of the k best scores of each row, best first, ties by column: int [B, k], a total order."""
    k = min(k, scores.shape[1])
    out = np.empty((len(scores), k), np.int64)
    for row, line in enumerate(scores):  # one at a time stays near
        exact = np.round(line[None, :].astype(np.float64), DIGITS)
        out[row] = row_loops.best_of_whole(exact, k, -np.inf)[1]
    return out
