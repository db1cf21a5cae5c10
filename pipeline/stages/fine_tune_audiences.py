"""Train the response model and judge it on campaigns that start after everything it was fitted on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline import explain
from pipeline.errors import NoData
from pipeline.features.responses import NAMES, Campaign, responders
from pipeline.learning import champions
from pipeline.metrics import calibration, intervals, ranking
from pipeline.models import audiences
from pipeline.models.audiences import Examples
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.stages.gate import note_json
from pipeline.stages.response_inputs import OBSERVED_DAYS, ResponseInputs

NAME = "audiences"
BASELINES = ("recency_frequency", "gradient_boosting", "popularity")
PERFECT = 200  # sets of made-up responses by which the calibration error of a perfect model is told


def run(night: Night, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Measure on later campaigns, then refit the same recipe to all contacts observed and keep that version."""
    inputs = ResponseInputs(night, desk.noted(night, "judgement-encoder")["serves"])
    seed = night.shop.seed
    judged_on = _judged(inputs, night.shop.audiences.min_evaluation_sends)
    progress(1, 4)
    try:
        judged, scores = _rolled(inputs, judged_on, seed)
        progress(2, 4)
        known = inputs.observed(inputs.today)
        served = audiences.fit(inputs.examples(known, inputs.today), inputs.arrival(inputs.today), seed)
    except NoData as none:
        facts: dict[str, Any] = {"refused": str(none)}
        desk.note(night, f"measured-{NAME}", facts)
        return facts
    progress(3, 4)
    version = champions.keep(night.models, NAME, lambda folder: served.save(folder, inputs.encoder))
    recorder.params(
        {
            "audiences": night.shop.audiences.model_dump(),
            "audiences.encoder": inputs.encoder,
            "audiences.fit_campaigns": [campaign.id for campaign in known],
            "audiences.judged_campaigns": [campaign.id for campaign in judged_on],
            "audiences.judged_sends": len(judged.responded),
        }
    )
    desk.tell_version(recorder, night, NAME, version)
    desk.tell_lesson(recorder, night, NAME, version, encoder=inputs.encoder)
    moved = explain.Tally()
    moved.add(served.contributions(judged.features, judged.kind))
    note_json(recorder, "importance", moved.means(NAMES))
    facts = _measure(judged, scores, seed, recorder)
    facts |= {
        "challenger": version,
        "champion": _readable(night, desk.champion(night, NAME)),
        "value_cents": inputs.value_cents(inputs.observed(inputs.today)),
    }
    desk.note(night, f"measured-{NAME}", facts)
    return facts


def _readable(night: Night, champion: str | None) -> str | None:
    """The champion, unless it reads other features."""
    if champion and champions.config(champions.folder(night.models, NAME, champion))["features"] != list(NAMES):
        return None
    return champion


def _judged(inputs: ResponseInputs, sends: int) -> list[Campaign]:
    """The latest observed campaigns that have enough sends together, latest first."""
    judged: list[Campaign] = []
    for campaign in reversed(inputs.observed(inputs.today)):
        judged.append(campaign)
        if sum(len(responders(one, inputs.contacts, inputs.today)[0]) for one in judged) >= sends:
            break
    return judged


def _rolled(inputs: ResponseInputs, judged_on: Sequence[Campaign], seed: int) -> tuple[Examples, dict[str, np.ndarray]]:
    """Each judged campaign scored by fits to what was known the day before it began.

    Returns:
        Its contacts, and by who scored them the chances of having responded so far.

    Raises:
        NoData: before none of the campaigns had another been observed long enough.
    """
    parts: list[Examples] = []
    scores: dict[str, list[np.ndarray]] = {}
    for number, campaign in enumerate(judged_on):
        cut = campaign.starts - 1
        past = inputs.examples(inputs.observed(cut), cut)
        if not 0 < past.responded.sum() < len(past.responded):
            continue
        mine = inputs.examples([campaign], inputs.today)
        if not len(mine.responded):
            continue
        model = audiences.fit(past, inputs.arrival(cut), seed, draws=0)
        found = {
            "response": model.propensity(mine.features, mine.kind),
            "recency_frequency": audiences.recency_frequency(past, mine),
            "gradient_boosting": audiences.gradient_boosting(past, mine, seed),
            "popularity": audiences.popularity(past, mine),
        }
        parts.append(replace(mine, campaign=mine.campaign + number))
        for who, chance in found.items():
            scores.setdefault(who, []).append(chance * mine.observed)
    if not parts:
        raise NoData("no campaign had been observed long enough before the judged ones")
    return audiences.together(parts), {who: np.concatenate(chances) for who, chances in scores.items()}


def _measure(judged: Examples, scores: dict[str, np.ndarray], seed: int, recorder: JsonRecorder) -> dict[str, Any]:
    label = judged.responded.astype(int)
    if label.min(initial=1) >= label.max(initial=0):
        return {"refused": f"the judged campaigns hold no responses after {OBSERVED_DAYS} days"}
    for who, chances in scores.items():
        for name, statistic in (("auc", ranking.auc), ("lift", ranking.top_lift)):
            value, low, high = intervals.bootstrap_statistic(statistic, label, chances, seed=seed)
            recorder.metrics({f"{name}/{who}": value, f"{name}/{who}_low": low, f"{name}/{who}_high": high})
    gains = {who: _gain(label, scores["response"], scores[who], seed) for who in BASELINES}
    for who, (value, low, high) in gains.items():
        name = "gain/auc" if who == BASELINES[0] else f"gain/auc_over_{who}"
        recorder.metrics({name: value, f"{name}_low": low, f"{name}_high": high})
    chance = scores["response"]
    error = calibration.expected_calibration_error(chance, label)
    value, low, high = intervals.bootstrap_statistic(
        lambda truth, given: calibration.expected_calibration_error(given, truth), label, chance, seed=seed
    )
    recorder.metrics(
        {
            "calibration/ece": error,
            "calibration/ece_low": low,
            "calibration/ece_high": high,
            "calibration/ece_of_perfect": _perfect(chance, seed),
            "calibration/brier": calibration.brier(chance, label),
            "response/rate": float(label.mean()),
        }
    )
    note_json(recorder, "calibration", calibration.reliability_bins(chance, label))
    return {
        "auc": ranking.auc(label, chance),
        "baseline_auc": ranking.auc(label, scores[BASELINES[0]]),
        "gain": list(gains[BASELINES[0]]),
        "gain_over_boosting": list(gains["gradient_boosting"]),
        "ece": error,
    }


def _gain(label: np.ndarray, ours: np.ndarray, theirs: np.ndarray, seed: int) -> tuple[float, float, float]:
    def gain(truth: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
        return ranking.auc(truth, one) - ranking.auc(truth, other)

    value, low, high = intervals.bootstrap_statistic(gain, label, ours, theirs, seed=seed)
    return float(value), float(low), float(high)


def _perfect(chance: np.ndarray, seed: int) -> float:
    """Calibration error that chance alone gives a model whose probabilities are all true."""
    draw = np.random.default_rng(seed)
    drawn = (draw.random((PERFECT, len(chance))) < chance).astype(int)
    return float(np.mean([calibration.expected_calibration_error(chance, label) for label in drawn]))
