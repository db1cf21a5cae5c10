"""Whether a user's surfaces speak of the same shopper: category shares of lists, and how alike they are.

Shares are sparse, at most K of a user's G categories, so 200,000 users and five surfaces fit in memory at once.
Shapes: U users, K places, G categories. Not here: whether the shares suit the user (`list_calibration`),
and contradictions between tables.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.metrics.ranking import PAD, discounts

ROUNDING = 1e-6


def category_shares(lists_UK: NDArray[np.integer], category_I: NDArray[np.integer], categories: int) -> csr_matrix:
    """Share of each category in what a user sees of a list, a place weighing 1 / log2(1 + place).

    Args:
        lists_UK: item indices, best first; -1 where a list is shorter than K.
        category_I: category of each item, 0 to G - 1; -1 for items of none, which are left out.
        categories: G.

    Returns:
        [U, G], rows with sum 1; all 0 for a user whom the list shows no item of any category.
    """
    seen_UK = np.where(lists_UK == PAD, PAD, category_I[lists_UK])
    counted_UK = seen_UK != PAD
    weight_UK = counted_UK * discounts(lists_UK.shape[1])
    weight_UK /= np.maximum(weight_UK.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    ends = np.append(0, counted_UK.sum(axis=1).cumsum())
    shares = csr_matrix((weight_UK[counted_UK], seen_UK[counted_UK], ends), shape=(len(lists_UK), categories))
    shares.sum_duplicates()
    return shares


def coherence(surfaces: Sequence[csr_matrix]) -> NDArray[np.float64]:
    """How alike a user's surfaces are: 1 - JSD(q_1 .. q_m) / log2 m; 1 is equal shares, 0 no category in common.

    Args:
        surfaces: [U, G] category shares of each surface, of the same users and categories. A surface that shows a
            user nothing is left out of that user's m.

    Returns:
        [U]; nan for users with fewer than two surfaces.

    Raises:
        ValueError: no surface, shapes differ, or rows are no shares.

    Source: Lin 1991, the Jensen-Shannon divergence of m distributions with equal weights.
    """
    if not surfaces:
        raise ValueError("no surfaces to compare; pass the category shares of at least one")
    m_U = np.sum([has_shares(surface, surfaces[0]) for surface in surfaces], axis=0)
    # Entropies of at most K shares a surface; nothing as wide as the categories is ever dense.
    apart_U = np.sum([_entropy(surface) for surface in surfaces], axis=0) / np.maximum(m_U, 1)
    mean = sum(surfaces[1:], start=surfaces[0].copy())
    mean.data /= np.repeat(np.maximum(m_U, 1), np.diff(mean.indptr))
    likeness_U = 1 - (_entropy(mean) - apart_U) / np.log2(np.maximum(m_U, 2))
    return np.where(m_U < 2, np.nan, np.clip(likeness_U, 0, 1))


def has_shares(shares: csr_matrix, other: csr_matrix) -> NDArray[np.bool_]:
    """Which users have shares at all.

    Raises:
        ValueError: shapes differ, or a row is neither 0 nor non-negative with sum 1.
    """
    sums_U = np.asarray(shares.sum(axis=1)).ravel()
    whole_U = np.abs(sums_U - 1) < ROUNDING
    if shares.shape != other.shape or not (whole_U | (sums_U == 0)).all() or (shares.data < 0).any():
        raise ValueError(f"shares are {shares.shape} beside {other.shape}; pass equal shapes, each row 0 or with sum 1")
    return whole_U


def _entropy(shares: csr_matrix) -> NDArray[np.float64]:
    """In bits, of each row."""
    terms = shares.copy()
    terms.data = -shares.data * np.log2(np.where(shares.data > 0, shares.data, 1))
    return np.asarray(terms.sum(axis=1)).ravel()
