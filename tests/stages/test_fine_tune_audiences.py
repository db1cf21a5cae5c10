"""Which campaigns teach and which judge, and when there is nothing to judge by."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.errors import NoData
from pipeline.features.responses import NAMES, Campaign, Contacts
from pipeline.metrics import calibration
from pipeline.models import audiences
from pipeline.models.audiences import Examples
from pipeline.record import FILES, JsonRecorder, last_values
from pipeline.stages import fine_tune_audiences as stage
from pipeline.stages.response_inputs import OBSERVED_DAYS, ResponseInputs

TODAY = 1000


def campaign(name, starts):
    return Campaign(name, name, "A", starts, starts + 30, np.zeros(0, int), "")


def inputs(*campaigns, sends=10):
    """Each campaign sent to some users on its first day."""
    names = np.repeat([c.id for c in campaigns], sends).astype(object)
    users = np.tile(np.arange(sends), len(campaigns))
    days = np.repeat([c.starts for c in campaigns], sends)
    contacts = Contacts(names, users, days, np.zeros(len(names), bool))
    ordered = sorted(campaigns, key=lambda c: c.starts)
    found = SimpleNamespace(campaigns=ordered, contacts=contacts, today=TODAY)
    found.observed = lambda upto: ResponseInputs.observed(found, upto)
    return found


def names(campaigns):
    return [one.id for one in campaigns]


@pytest.fixture
def year():
    return inputs(*(campaign(f"c{n}", n * 100) for n in range(10)), campaign("young", TODAY - OBSERVED_DAYS + 1))


@pytest.mark.parametrize(("sends", "judged"), [(10, 1), (11, 2), (30, 3), (10_000, 10)])
def test_the_latest_campaigns_with_enough_sends_judge(year, sends, judged):
    assert names(stage._judged(year, sends)) == [f"c{n}" for n in range(9, 9 - judged, -1)]


@pytest.mark.parametrize("known", [(), (campaign("young", TODAY - 1),)])
def test_without_an_observed_campaign_nothing_judges(known):
    assert stage._judged(inputs(*known), 10) == []


def rolling(monkeypatch):
    """Campaigns a, b, c; what each fit read is kept."""
    read = []

    def made(campaigns, upto):
        read.append((names(campaigns), upto))
        parts = [replace(examples(60, int(one.starts)), observed=np.full(60, 0.5)) for one in campaigns]
        return audiences.together([examples(0, 0), *parts])

    found = inputs(campaign("a", 100), campaign("b", 200), campaign("c", 300))
    found.examples, found.arrival = made, lambda upto: np.linspace(0, 1, 21)
    return found, read


def test_each_campaign_is_scored_by_fits_to_what_was_known_before_it(monkeypatch):
    found, read = rolling(monkeypatch)
    judged, scores = stage._rolled(found, stage._judged(found, 10_000), 0)
    assert read == [
        (["a", "b"], 299), (["c"], TODAY), (["a"], 199), (["b"], TODAY), ([], 99),
    ]  # fmt: skip
    assert set(scores) == {"response", *stage.BASELINES}
    assert len(judged.responded) == 120
    assert judged.campaign.tolist() == [0] * 60 + [1] * 60
    assert all(len(chances) == 120 and (chances <= 0.5).all() for chances in scores.values())


def test_when_nothing_was_known_before_nothing_is_judged(monkeypatch):
    found, _ = rolling(monkeypatch)
    with pytest.raises(NoData, match="observed long enough"):
        stage._rolled(found, found.campaigns[:1], 0)


def examples(n, seed, answer=None):
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(n, len(NAMES)))
    responded = features[:, 5] + draw.normal(size=n) > 1 if answer is None else np.full(n, answer)
    return Examples(features, responded, np.zeros(n, int), np.full(n, "A", object), np.ones(n))


def scored(past, judged):
    model = audiences.fit(past, np.linspace(0, 1, 21), 0, draws=0)
    return {
        "response": model.propensity(judged.features, judged.kind),
        "recency_frequency": audiences.recency_frequency(past, judged),
        "gradient_boosting": audiences.gradient_boosting(past, judged, 0),
        "popularity": audiences.popularity(past, judged),
    }


def test_the_judged_campaigns_are_measured_with_intervals(tmp_path):
    judged, recorder = examples(300, 2), JsonRecorder(tmp_path)
    facts = stage._measure(judged, scored(examples(300, 1), judged), 0, recorder)
    metrics = last_values(tmp_path, "metrics")
    assert facts["auc"] > 0.7 > facts["baseline_auc"]
    assert facts["gain"][0] == pytest.approx(facts["auc"] - facts["baseline_auc"])
    assert facts["gain_over_boosting"][0] == pytest.approx(facts["auc"] - metrics["auc/gradient_boosting"])
    assert metrics["gain/auc_low"] < metrics["gain/auc"] < metrics["gain/auc_high"]
    assert metrics["lift/response_low"] <= metrics["lift/response"] <= metrics["lift/response_high"]
    assert metrics["lift/response"] > 1.5
    assert metrics["auc/popularity"] == 0.5
    assert metrics["calibration/ece"] == facts["ece"]
    assert (tmp_path / FILES / "calibration.json").exists()


def test_a_perfect_model_errs_by_chance_alone():
    draw = np.random.default_rng(1)
    chance = draw.random(400) * 0.3
    errors = [
        calibration.expected_calibration_error(chance, (draw.random(400) < chance).astype(int)) for _ in range(99)
    ]
    assert stage._perfect(chance, 0) == pytest.approx(np.mean(errors), rel=0.1)
    assert stage._perfect(np.tile(chance, 20), 0) < stage._perfect(chance, 0) / 2


@pytest.mark.parametrize("judged", [examples(50, 3, answer=False), examples(50, 3, answer=True), examples(0, 3)])
def test_judged_contacts_that_all_did_the_same_judge_nothing(judged, tmp_path):
    facts = stage._measure(judged, scored(examples(300, 1), examples(50, 3)), 0, JsonRecorder(tmp_path))
    assert "refused" in facts
