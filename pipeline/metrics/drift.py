"""How far profiles move between two nights, once the turn that every retrain gives the whole space is undone.

Not here: how profiles are made.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes


def turn(before_UD: NDArray[np.floating], after_UD: NDArray[np.floating]) -> NDArray[np.float64]:
    """The orthogonal matrix R [D, D], least in |after R - before|, that lays tonight's embeddings nearest last night's.

    Args:
        before_UD: last night's embeddings of the users known on both nights, D wide.
        after_UD: tonight's of the same users in the same order.

    Raises:
        ValueError: shapes differ, or a value is not finite.

    Source: Schönemann 1966.
    """
    found, _ = orthogonal_procrustes(after_UD.astype(np.float64), before_UD.astype(np.float64))
    return np.asarray(found)


def aligned(before_UD: NDArray[np.floating], after_UD: NDArray[np.floating]) -> NDArray[np.float64]:
    """Tonight's embeddings [U, D] after their `turn` towards last night's; lengths and angles are untouched.

    Args:
        before_UD: last night's embeddings of the users known on both nights.
        after_UD: tonight's of the same users in the same order.

    Raises:
        ValueError: shapes differ, or a value is not finite.
    """
    return np.asarray(after_UD.astype(np.float64) @ turn(before_UD, after_UD))


def cosines(before_UD: NDArray[np.floating], after_UD: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine of each user's two embeddings [U]: nan where both are zero, 0 where one is.

    Args:
        before_UD: last night's embeddings.
        after_UD: tonight's of the same users in the same order.
    """
    before, after = before_UD.astype(np.float64), after_UD.astype(np.float64)
    lengths_2U = np.stack([np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)])
    sizes_U, known_U = lengths_2U.prod(axis=0), (lengths_2U > 0).any(axis=0)
    products_U = (before * after).sum(axis=1)
    out_U = np.where(known_U, 0.0, np.nan)
    return np.divide(products_U, sizes_U, out=out_U, where=sizes_U > 0)


def idle_cosine(before_UD: NDArray[np.floating], after_UD: NDArray[np.floating], idle_U: NDArray[np.bool_]) -> float:
    """Mean cosine of idle users' two embeddings after alignment on all common users: 1 is no drift.

    Users whose embedding is all zeros on both nights are left out; those with one on a single night count as 0.

    Args:
        before_UD: last night's embeddings of the users known on both nights.
        after_UD: tonight's of the same users in the same order.
        idle_U: who had no event in between.

    Returns:
        -1 to 1; nan without idle users.
    """
    cosines_U = cosines(before_UD, aligned(before_UD, after_UD))[idle_U]
    known_U = ~np.isnan(cosines_U)
    return float(cosines_U[known_U].mean()) if known_U.any() else float("nan")
