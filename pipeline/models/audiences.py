"""The response model: the probability that a contacted user responds to a campaign by its end, with an interval.

Logistic regression (cross-entropy) over behaviour, earlier responses and text affinity by the fine-tuned encoder;
a level of its own for each kind of campaign, drawn to the common one; the penalty is the one under which campaigns held
out of the fit are predicted best. A campaign that still runs shows only part of its responses: those that have come
count for those to come (Chapelle 2014; Ktena et al. 2019, positives by inverse probability of having arrived). Contacts
were chosen by the shop, so probabilities describe who responds, not what a contact causes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from pipeline.errors import NoData
from pipeline.features.responses import NAMES
from pipeline.learning import champions

PENALTIES = (0.03, 0.1, 0.3)
EXTREME = 4.0  # standard deviations beyond which a feature says no more
DRAWS = 100
DIGITS = 8
RECENCY_FREQUENCY = ("days_since_basket", "baskets_90d")  # what the simplest baseline may read


@dataclass(frozen=True)
class Examples:
    """Contacted users: arrays [N], features [N, F].

    Attributes:
        responded: whether each has responded so far.
        campaign: its number.
        kind: of the campaign.
        observed: share of the campaign's responses to be expected so far, above 0.
    """

    features: np.ndarray
    responded: np.ndarray
    campaign: np.ndarray
    kind: np.ndarray
    observed: np.ndarray


def together(parts: Sequence[Examples]) -> Examples:
    """Examples of several campaigns, one after the other."""
    return Examples(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Examples)))


@dataclass(frozen=True)
class ResponseModel:
    """A fitted model.

    Attributes:
        kinds: campaign kinds with a column of their own; others share none.
        mean: [F + kinds] of the training features.
        deviation: likewise.
        weights: [F + kinds].
        intercept: log-odds.
        arrival: share of responses that have come by each step of a campaign's run (`features.responses.arrival`).
        draws: [DRAWS, F + kinds + 1] weights and intercept refitted to resampled contacts, for intervals.
    """

    kinds: list[str]
    mean: np.ndarray
    deviation: np.ndarray
    weights: np.ndarray
    intercept: float
    arrival: np.ndarray
    draws: np.ndarray

    def scaled(self, features: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Standardised features with kind columns."""
        table = (with_kinds(features, kind, self.kinds) - self.mean) / self.deviation
        return np.clip(table, -EXTREME, EXTREME)

    def log_odds(self, features: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Of a response by the campaign's end [N]."""
        return np.asarray(self.scaled(features, kind) @ self.weights + self.intercept)

    def propensity(self, features: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Probabilities of a response by the campaign's end [N]."""
        return _sigmoid(self.log_odds(features, kind))

    def propensity_draws(self, features: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Probabilities under each resampled fit: [DRAWS, N]."""
        logits = self.draws[:, :-1] @ self.scaled(features, kind).T + self.draws[:, -1:]
        return _sigmoid(logits)

    def contributions(self, features: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """What each behaviour feature adds to the log-odds against the average contact: [N, F]."""
        return (self.scaled(features, kind) * self.weights)[:, : len(NAMES)]

    def save(self, folder: Path, encoder: str) -> None:
        """Write safetensors and JSON."""
        arrays = {
            name: np.ascontiguousarray(getattr(self, name), np.float64)
            for name in ("mean", "deviation", "weights", "arrival", "draws")
        }
        save_file(arrays, folder / champions.WEIGHTS)
        champions.write_json(
            folder / champions.CONFIG,
            {
                "kind": "response",
                "features": list(NAMES),
                "kinds": self.kinds,
                "intercept": self.intercept,
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
        arrays["arrival"],
        arrays["draws"],
    ), config


def with_kinds(features: np.ndarray, kind: np.ndarray, kinds: list[str]) -> np.ndarray:
    """Features with a 0/1 column for each campaign kind."""
    return np.concatenate([features, np.stack([kind == name for name in kinds], 1).astype(float)], axis=1)


def fit(examples: Examples, arrival: np.ndarray, seed: int, draws: int = DRAWS) -> ResponseModel:
    """Fit, choose the penalty and resample.

    Args:
        examples: contacted users.
        arrival: of responses, as the model keeps it.
        seed: of the resampling.
        draws: how many.

    Raises:
        NoData: nobody responded, or everybody did.
    """
    label = examples.responded.astype(int)
    if label.min(initial=1) >= label.max(initial=0):
        raise NoData("response model: the contacts hold no responses to learn from; run a later date")
    kinds = sorted(set(examples.kind))
    table = with_kinds(examples.features, examples.kind, kinds)
    mean, deviation = table.mean(0), np.maximum(table.std(0), 1e-6)
    scaled, weight = np.clip((table - mean) / deviation, -EXTREME, EXTREME), _weights(examples)
    held_out = {c: _out_of_fold(scaled, label, weight, examples.campaign, c) for c in PENALTIES}
    penalty = min(PENALTIES, key=lambda c: (round(_log_loss(label, weight, _sigmoid(held_out[c])), 6), c))
    main = _regression(penalty).fit(scaled, label, weight)
    draw = np.random.default_rng(seed)
    again_fitted = [np.zeros((0, scaled.shape[1] + 1))]
    for _ in range(draws):
        rows = draw.integers(len(label), size=len(label))
        if label[rows].min() == label[rows].max():
            continue
        again = _regression(penalty).fit(scaled[rows], label[rows], weight[rows])
        again_fitted.append(np.r_[again.coef_[0], again.intercept_][None, :])
    return ResponseModel(
        kinds,
        mean.round(DIGITS),
        deviation.round(DIGITS),
        main.coef_[0].round(DIGITS),
        round(float(main.intercept_[0]), DIGITS),
        np.round(arrival, DIGITS),
        np.concatenate(again_fitted).round(DIGITS),
    )


def still_to_come(chance: np.ndarray, arrived: float, remaining: float, contacted: np.ndarray) -> np.ndarray:
    """Probabilities that users respond from now to the campaign's end.

    Args:
        chance: [N] of a response by the end when contacted as it begins.
        arrived: share of responses to be expected so far.
        remaining: share to be expected within as many days as are left, of who is contacted now.
        contacted: bool [N], who has been contacted and has not responded; the others would be contacted now.
    """
    return np.where(contacted, chance * (1 - arrived) / np.maximum(1 - chance * arrived, 1e-9), chance * remaining)


def recency_frequency(past: Examples, judged: Examples) -> np.ndarray:
    """Probabilities of recency-frequency logistic regression, a baseline to beat: [N]."""
    columns = [NAMES.index(name) for name in RECENCY_FREQUENCY]
    mean, deviation = past.features[:, columns].mean(0), np.maximum(past.features[:, columns].std(0), 1e-6)
    model = LogisticRegression(C=1.0).fit((past.features[:, columns] - mean) / deviation, past.responded)
    return np.asarray(model.predict_proba((judged.features[:, columns] - mean) / deviation)[:, 1])


def gradient_boosting(past: Examples, judged: Examples, seed: int) -> np.ndarray:
    """Probabilities of gradient boosting on the model's own features, a baseline to beat: [N]."""
    from lightgbm import LGBMClassifier

    kinds = sorted(set(past.kind))
    model = LGBMClassifier(
        n_estimators=100, learning_rate=0.05, num_leaves=15, n_jobs=1, random_state=seed, deterministic=True,
        force_row_wise=True, verbose=-1,
    )  # fmt: skip
    model.fit(with_kinds(past.features, past.kind, kinds), past.responded)
    return np.asarray(model.predict_proba(with_kinds(judged.features, judged.kind, kinds)))[:, 1]


def popularity(past: Examples, judged: Examples) -> np.ndarray:
    """The share of contacts that responded to campaigns of the kind, a baseline to beat: [N]."""
    rates = {kind: past.responded[past.kind == kind].mean() for kind in set(past.kind)}
    return np.array([rates.get(kind, past.responded.mean()) for kind in judged.kind])


def _weights(examples: Examples) -> np.ndarray:
    """A response counts for those still to come, each contact once on average within its campaign: [N]."""
    weight = np.ones(len(examples.responded))
    for number in np.unique(examples.campaign):
        mine = examples.campaign == number
        positive = mine & examples.responded
        expected = min(positive.sum() / examples.observed[mine].min(), mine.sum() - 1)
        if 0 < positive.sum() < expected:
            weight[positive] = expected / positive.sum()
            weight[mine & ~examples.responded] = (mine.sum() - expected) / (mine.sum() - positive.sum())
    return weight


def _regression(penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, max_iter=1000)


def _out_of_fold(
    scaled: np.ndarray, label: np.ndarray, weight: np.ndarray, campaign: np.ndarray, penalty: float
) -> np.ndarray:
    """Log-odds of each contact by a model that saw none of its campaign's."""
    folds = min(5, len(np.unique(campaign)))
    if folds < 2:
        return np.asarray(_regression(penalty).fit(scaled, label, weight).decision_function(scaled))
    out = np.zeros(len(label))
    for rest, held in GroupKFold(folds).split(scaled, label, campaign):
        if label[rest].min() == label[rest].max():
            out[held] = -np.log(len(label))
            continue
        out[held] = _regression(penalty).fit(scaled[rest], label[rest], weight[rest]).decision_function(scaled[held])
    return out


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -40, 40))))


def _log_loss(label: np.ndarray, weight: np.ndarray, probability: np.ndarray) -> float:
    chance = np.where(label == 1, probability, 1 - probability)
    return float(np.average(-np.log(np.clip(chance, 1e-12, 1)), weights=weight))
