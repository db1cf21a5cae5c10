"""Whether lists hold a user's categories in the proportions of the user's own history: Steck's calibration.

Shapes: U users, G categories, as sparse shares (`coherence.category_shares`). Not here: whether probabilities are
calibrated (`calibration`), and how lists are re-ranked.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.metrics.coherence import has_shares

ALPHA = 0.01


def divergence(history: csr_matrix, shown: csr_matrix, alpha: float = ALPHA) -> NDArray[np.float64]:
    """How far a list's categories are from those of a user's history: 0 is the same shares, higher is worse.

    C_KL = sum_g p_g log(p_g / ((1 - alpha) q_g + alpha p_g)), p the history's share and q the list's; natural
    logarithm; at most -log(alpha).

    Args:
        history: [U, G] shares p.
        shown: [U, G] shares q.
        alpha: how much of p is mixed into q, so that a category the list lacks costs a bounded amount.

    Returns:
        [U]; nan for users without a history or a list.

    Raises:
        ValueError: shapes differ, rows are no shares, or alpha is not between 0 and 1.

    Source: Steck 2018, Calibrated recommendations.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; pass a part between 0 and 1")
    known_U = has_shares(history, shown) & has_shares(shown, history)
    mixed = (1 - alpha) * shown + alpha * history
    ratio = history.multiply(mixed.power(-1)).tocsr()
    ratio.data = np.log(ratio.data)
    divergence_U = np.asarray(history.multiply(ratio).sum(axis=1)).ravel()
    return np.where(known_U, np.maximum(divergence_U, 0), np.nan)


def mean_and_tail(values_U: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and 95th percentile of the users that have a value; nan for both without any."""
    known = values_U[~np.isnan(values_U)]
    return (float(known.mean()), float(np.percentile(known, 95))) if known.size else (float("nan"), float("nan"))
