"""Distillation from last night's champion: an idle user did nothing, so tonight's model had better agree with the last.

Jiang et al. (arXiv 2106.02654) train on labels mixed with the old model's predictions and show that to be equivalent to
a bound on churn. Here the two models' log-odds are mixed, for idle users only, instead of the labels: for a model that
is linear in its scores the two coincide, training stays as it is, and the nightly replay can weigh the champion anew
at every point of the grid without a training for each.
"""

import numpy as np

from pipeline.balance.blend import blend
from pipeline.balance.surfaces import Ranked


def distil(tonight: Ranked, champion: Ranked, idle: np.ndarray, weight: float) -> Ranked:
    """Log-odds (1 - weight) x tonight + weight x champion for idle users, over what either names.

    Args:
        tonight: [U, N] tonight's model on tonight's data.
        champion: [U, M] last night's champion on tonight's data.
        idle: bool [U].
        weight: of the champion, 0 to 1; 0 changes nothing.
    """
    return blend(tonight, champion, np.where(idle, weight, 0.0))
