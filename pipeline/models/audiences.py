"""The response model: the probability that a contacted user responds to a campaign, calibrated, with an interval.

Logistic regression over behaviour, earlier responses and text affinity by the fine-tuned encoder; regularised by
cross-validation over campaigns, calibrated by Platt's scaling on campaigns held out of each fit (Platt 1999). Contacts
were chosen by the shop, so probabilities describe who responds, not what a contact causes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from pipeline.errors import NoData
from pipeline.features.responses import NAMES
from pipeline.learning import champions

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
DRAWS = 100
DIGITS = 8
RECENCY_FREQUENCY = (0, 1)  # columns of NAMES that the baseline may read


@dataclass(frozen=True)
class Examples:
    """Contacted users: features [N, F], whether each responded, campaign number and campaign kind [N]."""

    features: np.ndarray
    responded: np.ndarray
    campaign: np.ndarray
    kind: np.ndarray


@dataclass(frozen=True)
class ResponseModel:
    """A fitted model.

    Attributes:
        kinds: campaign kinds with a column of their own; others share none.
        mean: [F + kinds] of the training features.
        deviation: likewise.
        weights: [F + kinds].
        intercept: log-odds.
        slope: Platt's scaling of the log-odds.
        shift: likewise.
        draws: [DRAWS, F + kinds + 1] weights and intercept refitted to resampled contacts, for intervals.
    """

    kinds: list[str]
    mean: np.ndarray
    deviation: np.ndarray
    weights: np.ndarray
    intercept: float
    slope: float
    shift: float
    draws: np.ndarray

    def scaled(self, features: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Standardised features with kind columns."""
        return (with_kinds(features, kind, self.kinds) - self.mean) / self.deviation

    def propensity(self, features: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Calibrated probabilities [N]."""
        return _sigmoid(self.slope * (self.scaled(features, kind) @ self.weights + self.intercept) + self.shift)

    def propensity_draws(self, features: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Probabilities under each resampled fit: [DRAWS, N]."""
        logits = self.draws[:, :-1] @ self.scaled(features, kind).T + self.draws[:, -1:]
        return _sigmoid(self.slope * logits + self.shift)

    def contributions(self, features: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """What each behaviour feature adds to the log-odds against the average contact: [N, F]."""
        return (self.scaled(features, kind) * self.weights * self.slope)[:, : len(NAMES)]

    def save(self, folder: Path, encoder: str) -> None:
        """Write safetensors and JSON."""
        arrays = {
            name: np.ascontiguousarray(getattr(self, name), np.float64)
            for name in ("mean", "deviation", "weights", "draws")
        }
        save_file(arrays, folder / champions.WEIGHTS)
        champions.write_json(
            folder / champions.CONFIG,
            {
                "kind": "response",
                "features": list(NAMES),
                "kinds": self.kinds,
                "intercept": self.intercept,
                "slope": self.slope,
                "shift": self.shift,
                "encoder": encoder,
            },
        )


def load(folder: Path) -> tuple[ResponseModel, dict[str, Any]]:
    """A kept model and its configuration."""
    config = champions.config(folder)
    arrays = load_file(folder / champions.WEIGHTS)
    return ResponseModel(
        config["kinds"],
        arrays["mean"],
        arrays["deviation"],
        arrays["weights"],
        config["intercept"],
        config["slope"],
        config["shift"],
        arrays["draws"],
    ), config


def with_kinds(features: np.ndarray, kind: np.ndarray, kinds: list[str]) -> np.ndarray:
    """Features with a 0/1 column for each campaign kind."""
    return np.concatenate([features, np.stack([kind == name for name in kinds], 1).astype(float)], axis=1)


def fit(examples: Examples, seed: int, draws: int = DRAWS) -> ResponseModel:
    """Fit, choose the penalty, calibrate and resample.

    Raises:
        NoData: nobody responded, or everybody did.
    """
    label = examples.responded.astype(int)
    if label.min(initial=1) >= label.max(initial=0):
        raise NoData("response model: the contacts hold no responses to learn from; run a later date")
    kinds = sorted(set(examples.kind))
    table = with_kinds(examples.features, examples.kind, kinds)
    mean, deviation = table.mean(0), np.maximum(table.std(0), 1e-6)
    scaled = (table - mean) / deviation
    held_out = {penalty: _out_of_fold(scaled, label, examples.campaign, penalty) for penalty in PENALTIES}
    penalty = min(PENALTIES, key=lambda c: (round(_log_loss(label, _sigmoid(held_out[c])), 6), c))
    platt = LogisticRegression(C=1e6).fit(held_out[penalty][:, None], label)
    main = LogisticRegression(C=penalty, max_iter=1000).fit(scaled, label)
    draw = np.random.default_rng(seed)
    again_fitted = [np.zeros((0, scaled.shape[1] + 1))]
    for _ in range(draws):
        rows = draw.integers(len(label), size=len(label))
        if label[rows].min() == label[rows].max():
            continue
        again = LogisticRegression(C=penalty, max_iter=200).fit(scaled[rows], label[rows])
        again_fitted.append(np.r_[again.coef_[0], again.intercept_][None, :])
    return ResponseModel(
        kinds,
        mean.round(DIGITS),
        deviation.round(DIGITS),
        main.coef_[0].round(DIGITS),
        round(float(main.intercept_[0]), DIGITS),
        round(float(platt.coef_[0, 0]), DIGITS),
        round(float(platt.intercept_[0]), DIGITS),
        np.concatenate(again_fitted).round(DIGITS),
    )


def baseline_scores(fit_on: Examples, judged: Examples) -> np.ndarray:
    """Probabilities of recency-frequency logistic regression, the baseline to beat: [N]."""
    columns = list(RECENCY_FREQUENCY)
    mean, deviation = fit_on.features[:, columns].mean(0), np.maximum(fit_on.features[:, columns].std(0), 1e-6)
    model = LogisticRegression(C=1.0).fit((fit_on.features[:, columns] - mean) / deviation, fit_on.responded)
    return np.asarray(model.predict_proba((judged.features[:, columns] - mean) / deviation)[:, 1])


def _out_of_fold(scaled: np.ndarray, label: np.ndarray, campaign: np.ndarray, penalty: float) -> np.ndarray:
    """Log-odds of each contact by a model that saw none of its campaign's."""
    out = np.zeros(len(label))
    folds = min(5, len(np.unique(campaign)))
    if folds < 2:
        return np.asarray(LogisticRegression(C=penalty, max_iter=1000).fit(scaled, label).decision_function(scaled))
    for rest, held in GroupKFold(folds).split(scaled, label, campaign):
        if label[rest].min() == label[rest].max():
            out[held] = -np.log(len(label))
            continue
        out[held] = (
            LogisticRegression(C=penalty, max_iter=1000).fit(scaled[rest], label[rest]).decision_function(scaled[held])
        )
    return out


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -40, 40))))


def _log_loss(label: np.ndarray, probability: np.ndarray) -> float:
    chance = np.where(label == 1, probability, 1 - probability)
    return float(-np.log(np.clip(chance, 1e-12, 1)).mean())
