"""What a contact causes, learned where chance decided who was contacted: the effect on each user.

The R-learner with a known chance e of contact (Nie and Wager 2021; without the outcome model m it is the transformed
outcome of Athey and Imbens 2016): tau minimises sum ((y - m(x)) - (w - e) tau(x))², a weighted ridge regression. Under
the penalty that predicts users held out of the fit best; when none beats one effect for all, that is what is told.
Not here: whether chance really decided (`stages.uplift`).
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold, cross_val_predict

PENALTIES = (30.0, 100.0, 300.0, 1000.0)
ALL_ALIKE = 1e9  # under this penalty everybody has the mean effect
FOLDS = 5
SURE = 1.0  # standard errors by which effects of users' own must predict better than one for all
EXTREME = 4.0  # standard deviations beyond which a feature says no more


@dataclass(frozen=True)
class Trial:
    """Users of campaigns whose contacts chance decided: arrays [N], features [N, F].

    Attributes:
        features: what was known before.
        treated: contacted.
        outcome: what it was hoped to cause.
        chance: of contact.
    """

    features: np.ndarray
    treated: np.ndarray
    outcome: np.ndarray
    chance: np.ndarray


@dataclass(frozen=True)
class Effect:
    """Mean effect of one campaign's contacts with its interval, or why none can be told."""

    reason: str | None
    told: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class UpliftModel:
    """A linear effect: features are scaled by mean and deviation [F], weights [F]."""

    mean: np.ndarray
    deviation: np.ndarray
    weights: np.ndarray
    level: float

    def effect(self, features: np.ndarray) -> np.ndarray:
        """Effect of a contact on each user, -1 to 1: [N]."""
        scaled = np.clip((features - self.mean) / self.deviation, -EXTREME, EXTREME)
        return np.clip(scaled @ self.weights + self.level, -1, 1)


def fit(trial: Trial, seed: int) -> tuple[UpliftModel, np.ndarray]:
    """Learn the effect.

    Args:
        trial: at least FOLDS users of each arm with the outcome and without it.
        seed: of the folds.

    Returns:
        The model, and each user's effect by a model that was not fitted on them: [N].
    """
    mean, deviation = trial.features.mean(0), np.maximum(trial.features.std(0), 1e-6)
    scaled = np.clip((trial.features - mean) / deviation, -EXTREME, EXTREME)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    strata = trial.treated.astype(int) * 2 + trial.outcome.astype(int)
    splits = list(folds.split(scaled, strata))
    expected = cross_val_predict(
        LogisticRegression(C=0.1, max_iter=1000), scaled, trial.outcome.astype(int), cv=splits, method="predict_proba"
    )[:, 1]
    residual, apart = trial.outcome - expected, trial.treated - trial.chance
    held_out = {penalty: np.zeros(len(apart)) for penalty in (*PENALTIES, ALL_ALIKE)}
    for rest, held in splits:
        for penalty, found in held_out.items():
            found[held] = _ridge(scaled[rest], residual[rest], apart[rest], penalty).predict(scaled[held])
    losses = {penalty: (residual - apart * found) ** 2 for penalty, found in held_out.items()}
    best = min(PENALTIES, key=lambda penalty: losses[penalty].mean())
    gain = losses[ALL_ALIKE] - losses[best]
    chosen = best if gain.mean() > SURE * gain.std() / np.sqrt(len(gain)) else ALL_ALIKE
    final = _ridge(scaled, residual, apart, chosen)
    weights = final.coef_ if chosen != ALL_ALIKE else np.zeros(scaled.shape[1])
    return UpliftModel(mean, deviation, weights, float(final.intercept_)), held_out[chosen]


def _ridge(scaled: np.ndarray, residual: np.ndarray, apart: np.ndarray, penalty: float) -> Ridge:
    """The weighted regression whose prediction is the effect."""
    return Ridge(alpha=penalty).fit(scaled, residual / apart, sample_weight=apart**2)
