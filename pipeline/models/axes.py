"""Vectors on axes that stay: where another encoder serves, users' vectors are turned onto those of the night before.

Another encoder may turn its whole space without any text meaning anything else; an orthogonal turn undoes that and
keeps every cosine among the vectors. Not here: the encoders, and what a vector is the mean of (`tables.profiles`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import drift

MIN_COSINE = 0.95  # of users without an event; under it last night's vectors and tonight's are not comparable
ANCHORS = 20_000  # users that a turn is fitted on, at most
DIGITS = 5


@dataclass(frozen=True)
class Settled:
    """Tonight's vectors and the axes they have; U users, T numbers.

    Attributes:
        vectors: float32 [U, T].
        axes: the encoder version that named the axes.
        shift: float [U], 1 - cosine with last night's vector of a user without an event since; nan for all others.
        words: how the axes came about, for people.
    """

    vectors: NDArray[np.float32]
    axes: str
    shift: NDArray[np.float64]
    words: str


def first(vectors: NDArray[np.float32], encoder: str, words: str) -> Settled:
    """Vectors on the encoder's own axes, which nothing that was published compares with."""
    return Settled(vectors, encoder, np.full(len(vectors), np.nan), words)


def settle(
    vectors: NDArray[np.float32], encoder: str, last: NDArray[np.float32], axes: str, idle: NDArray[np.bool_]
) -> Settled:
    """Tonight's vectors on last night's axes, or on new ones where no turn brings the two together.

    The turn is fitted each night anew on what was published, so any number of nights chain without further state.
    Whether it holds is judged on users who did not take part in fitting it: few users fit any turn.

    Args:
        vectors: float32 [U, T] tonight's, by the encoder that serves; zeros where a user has none.
        encoder: its version.
        last: float32 [U, S] what was published of the same users; zeros where nothing was.
        axes: the encoder version whose axes those have.
        idle: bool [U], no event of the user arrived since.
    """
    if last.shape[1] != vectors.shape[1]:
        return first(vectors, encoder, f"new: vectors were {last.shape[1]} wide and are {vectors.shape[1]}")
    common = vectors.any(axis=1) & last.any(axis=1)
    still = common & idle
    if axes == encoder:
        return Settled(vectors, axes, _shift(vectors, last, still), "kept: the encoder's own")
    anchors = np.flatnonzero(still if still.sum() >= vectors.shape[1] else common)
    anchors = anchors[:: 1 + len(anchors) // ANCHORS]
    if len(anchors) < 2:
        return first(vectors, encoder, "new: another encoder serves and no users are left to compare it by")
    found = _unseen_cosine(vectors[anchors], last[anchors])
    if found < MIN_COSINE:
        return first(vectors, encoder, f"new: turned onto the former ones, users keep a cosine of only {found:.3f}")
    turn = drift.turn(last[anchors], vectors[anchors]).astype(np.float32)
    turned = (vectors @ turn).round(DIGITS)
    return Settled(turned, axes, _shift(turned, last, still), f"kept: turned, users keep a cosine of {found:.3f}")


def _shift(vectors: NDArray[np.float32], last: NDArray[np.float32], compared: NDArray[np.bool_]) -> NDArray[np.float64]:
    out = np.full(len(vectors), np.nan)
    out[compared] = np.clip(1 - drift.cosines(last[compared], vectors[compared]), 0, 2).round(DIGITS)
    return out


def _unseen_cosine(vectors: NDArray[np.float32], last: NDArray[np.float32]) -> float:
    """Mean cosine of each half of the users after the turn that the other half gives."""
    half = np.arange(len(vectors)) % 2 == 0
    turned = [
        drift.cosines(last[judged], vectors[judged] @ drift.turn(last[~judged], vectors[~judged]))
        for judged in (half, ~half)
    ]
    return float(np.concatenate(turned).mean())
