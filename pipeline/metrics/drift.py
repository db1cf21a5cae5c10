"""How far profiles move between two nights, once the turn that every retrain gives the whole space is undone.

Not here: how profiles are made.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes


def aligned(before_UD: NDArray[np.floating], after_UD: NDArray[np.floating]) -> NDArray[np.float64]:
    """Tonight's embeddings, turned or mirrored as a whole to lie as near last night's as that can bring them.

    Args:
        before_UD: last night's embeddings of the users known on both nights, D wide.
        after_UD: tonight's of the same users in the same order.

    Returns:
        [U, D], after R with R orthogonal, least in |after R - before|; lengths and angles are untouched.

    Raises:
        ValueError: shapes differ, or a value is not finite.

    Source: Schönemann 1966.
    """
    before, after = before_UD.astype(np.float64), after_UD.astype(np.float64)
    turn, _ = orthogonal_procrustes(after, before)
    return np.asarray(after @ turn)


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
    before, after = before_UD[idle_U].astype(np.float64), aligned(before_UD, after_UD)[idle_U]
    lengths_2U = np.stack([np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)])
    known_U = (lengths_2U > 0).any(axis=0)
    products_U, sizes_U = (before * after).sum(axis=1)[known_U], lengths_2U.prod(axis=0)[known_U]
    cosines_U = np.divide(products_U, sizes_U, out=np.zeros_like(products_U), where=sizes_U > 0)
    return float(cosines_U.mean()) if known_U.any() else float("nan")
