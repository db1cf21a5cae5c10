"""Which campaigns teach and which judge, and when there is nothing to judge by."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.features.responses import NAMES, Campaign, Contacts
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


@pytest.mark.parametrize(("sends", "judged"), [(10, 1), (11, 2), (30, 3)])
def test_the_latest_campaigns_with_enough_sends_judge(year, sends, judged):
    fit_on, judged_on, cut = stage._cut(year, sends)
    assert names(judged_on) == [f"c{n}" for n in range(9, 9 - judged, -1)]
    assert names(fit_on) == [f"c{n}" for n in range(10 - judged)]
    assert cut == (10 - judged) * 100 - 1


def test_what_teaches_was_observed_before_what_judges_began():
    early, late, overlapping = campaign("early", 100), campaign("late", 500), campaign("overlapping", 495)
    fit_on, judged_on, cut = stage._cut(inputs(early, overlapping, late), 1)
    assert (names(fit_on), names(judged_on)) == (["early"], ["late"])
    assert all(one.starts + OBSERVED_DAYS <= cut for one in fit_on)


@pytest.mark.parametrize("known", [(), (campaign("only", 500),), (campaign("young", TODAY - 1),)])
def test_with_too_few_campaigns_nothing_teaches(known):
    fit_on, _judged, _cut = stage._cut(inputs(*known), 10)
    assert fit_on == []


def examples(n, seed, answer=None):
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(n, len(NAMES)))
    responded = features[:, 5] + draw.normal(size=n) > 1 if answer is None else np.full(n, answer)
    return Examples(features, responded, draw.integers(3, size=n), np.full(n, "A", object))


def test_the_judged_campaigns_are_measured_with_intervals(tmp_path):
    past, recorder = examples(300, 1), JsonRecorder(tmp_path)
    facts = stage._measure(audiences.fit(past, 0, draws=0), past, examples(300, 2), 0, recorder)
    metrics = last_values(tmp_path, "metrics")
    assert facts["auc"] > 0.7 > facts["baseline_auc"]
    assert facts["gain"][0] == pytest.approx(facts["auc"] - facts["baseline_auc"])
    assert metrics["gain/auc_low"] < metrics["gain/auc"] < metrics["gain/auc_high"]
    assert metrics["calibration/ece"] == facts["ece"]
    assert (tmp_path / FILES / "calibration.json").exists()


@pytest.mark.parametrize("judged", [examples(50, 3, answer=False), examples(50, 3, answer=True), examples(0, 3)])
def test_judged_contacts_that_all_did_the_same_judge_nothing(judged, tmp_path):
    past = examples(300, 1)
    facts = stage._measure(audiences.fit(past, 0, draws=0), past, judged, 0, JsonRecorder(tmp_path))
    assert "refused" in facts
