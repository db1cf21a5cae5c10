"""Train the response model and judge it on campaigns that start after everything it was fitted on."""

from typing import Any

import numpy as np

from pipeline.errors import NoData
from pipeline.features.responses import Campaign, responders
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


def run(night: Night, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Measure on later campaigns, then refit the same recipe to all contacts observed and keep that version."""
    inputs = ResponseInputs(night, desk.noted(night, "judgement-encoder")["serves"])
    seed = night.shop.seed
    fit_on, judged_on, cut = _cut(inputs, night.shop.audiences.min_evaluation_sends)
    progress(1, 4)
    if not fit_on:
        facts: dict[str, Any] = {"refused": "no campaign had been observed long enough before the judged ones"}
        desk.note(night, f"measured-{NAME}", facts)
        return facts
    past, judged = inputs.examples(fit_on, cut), inputs.examples(judged_on, inputs.today)
    progress(2, 4)
    try:
        tried = audiences.fit(past, seed, draws=0)
        served = audiences.fit(inputs.examples(inputs.observed(inputs.today), inputs.today), seed)
    except NoData as none:
        facts = {"refused": str(none)}
        desk.note(night, f"measured-{NAME}", facts)
        return facts
    progress(3, 4)
    version = champions.keep(night.models, NAME, lambda folder: served.save(folder, inputs.encoder))
    recorder.params(
        {
            "audiences": night.shop.audiences.model_dump(),
            "audiences.encoder": inputs.encoder,
            "audiences.fit_campaigns": [campaign.id for campaign in fit_on],
            "audiences.judged_campaigns": [campaign.id for campaign in judged_on],
            "audiences.fit_sends": len(past.responded),
            "audiences.judged_sends": len(judged.responded),
        }
    )
    recorder.tags(
        {
            "model/name": NAME,
            "model/version": version,
            "model/path": str((night.models / NAME / version).relative_to(night.home)),
        }
    )
    facts = _measure(tried, past, judged, seed, recorder)
    facts |= {
        "challenger": version,
        "champion": desk.champion(night, NAME),
        "value_cents": inputs.value_cents(inputs.observed(inputs.today)),
    }
    desk.note(night, f"measured-{NAME}", facts)
    return facts


def _cut(inputs: ResponseInputs, sends: int) -> tuple[list[Campaign], list[Campaign], int]:
    """The latest observed campaigns with enough sends are judged; fitting sees what was known before they began."""
    judged: list[Campaign] = []
    for campaign in reversed(inputs.observed(inputs.today)):
        judged.append(campaign)
        if sum(len(responders(one, inputs.contacts, inputs.today)[0]) for one in judged) >= sends:
            break
    cut = min((campaign.starts for campaign in judged), default=inputs.today) - 1
    return inputs.observed(cut), judged, cut


def _measure(
    model: audiences.ResponseModel, past: Examples, judged: Examples, seed: int, recorder: JsonRecorder
) -> dict[str, Any]:
    label = judged.responded.astype(int)
    if label.min(initial=1) >= label.max(initial=0):
        return {"refused": f"the judged campaigns hold no responses after {OBSERVED_DAYS} days"}
    chance = model.propensity(judged.features, judged.kind)
    plain = audiences.baseline_scores(past, judged)
    for who, scores in {"response": chance, "recency_frequency": plain}.items():
        value, low, high = intervals.bootstrap_statistic(ranking.auc, label, scores, seed=seed)
        recorder.metrics({f"auc/{who}": value, f"auc/{who}_low": low, f"auc/{who}_high": high})

    def gain(truth: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> float:
        return ranking.auc(truth, ours) - ranking.auc(truth, theirs)

    value, low, high = intervals.bootstrap_statistic(gain, label, chance, plain, seed=seed)
    error = calibration.expected_calibration_error(chance, label)
    recorder.metrics(
        {
            "gain/auc": value,
            "gain/auc_low": low,
            "gain/auc_high": high,
            "calibration/ece": error,
            "calibration/brier": calibration.brier(chance, label),
            "response/rate": float(label.mean()),
        }
    )
    note_json(recorder, "calibration", calibration.reliability_bins(chance, label))
    return {
        "auc": ranking.auc(label, chance),
        "baseline_auc": ranking.auc(label, plain),
        "gain": [float(value), float(low), float(high)],
        "ece": error,
    }
