"""The response model on planted data: it finds the signal, is calibrated, and comes back from disk as it was."""

import numpy as np
import pytest

from pipeline.errors import NoData
from pipeline.features.responses import NAMES
from pipeline.learning import champions
from pipeline.metrics import calibration, ranking
from pipeline.models import audiences
from pipeline.models.audiences import Examples

SIGNAL = NAMES.index("target_share_180d")


def planted(n, seed, weight=2.0):
    """Contacts of eight campaigns of two kinds whose response depends on one feature and the kind."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(n, len(NAMES)))
    campaign = draw.integers(8, size=n)
    kind = np.where(campaign % 2, "A", "B").astype(object)
    logit = -2.0 + weight * features[:, SIGNAL] + (kind == "A")
    return Examples(features, draw.random(n) < 1 / (1 + np.exp(-logit)), campaign, kind), 1 / (1 + np.exp(-logit))


@pytest.fixture(scope="module")
def past():
    return planted(1500, 1)[0]


@pytest.fixture(scope="module")
def model(past):
    return audiences.fit(past, seed=5, draws=20)


def test_the_planted_feature_weighs_most(model):
    assert np.abs(model.weights[: len(NAMES)]).argmax() == SIGNAL
    assert model.weights[SIGNAL] > 3 * np.delete(np.abs(model.weights[: len(NAMES)]), SIGNAL).max()
    assert model.kinds == ["A", "B"]
    assert model.weights[len(NAMES)] > model.weights[len(NAMES) + 1]


def test_new_contacts_are_ranked_and_their_chances_are_right(model):
    later, truth = planted(4000, 2)
    chance = model.propensity(later.features, later.kind)
    assert ranking.auc(later.responded, chance) > 0.97 * ranking.auc(later.responded, truth)
    assert calibration.expected_calibration_error(chance, later.responded.astype(int)) < 0.03
    assert chance.mean() == pytest.approx(later.responded.mean(), abs=0.03)
    assert np.corrcoef(chance, truth)[0, 1] > 0.98


def test_without_a_signal_chances_stay_near_the_rate():
    noise, _ = planted(1500, 3, weight=0.0)
    chance = audiences.fit(noise, seed=0, draws=0).propensity(noise.features, np.full(1500, "A", object))
    assert chance.std() < 0.08


def test_more_of_the_signal_raises_the_chance_and_shows_in_the_contributions(model, past):
    more = past.features.copy()
    more[:, SIGNAL] += 1
    assert (model.propensity(more, past.kind) > model.propensity(past.features, past.kind)).all()
    gained = model.contributions(more, past.kind) - model.contributions(past.features, past.kind)
    assert (gained[:, SIGNAL] > 0).all()
    assert np.allclose(np.delete(gained, SIGNAL, axis=1), 0)


def test_contributions_add_up_to_the_log_odds(model, past):
    log_odds = np.log(model.propensity(past.features, past.kind) / (1 - model.propensity(past.features, past.kind)))
    kinds = model.scaled(past.features, past.kind)[:, len(NAMES) :] @ model.weights[len(NAMES) :] * model.slope
    whole = model.contributions(past.features, past.kind).sum(1) + kinds + model.slope * model.intercept + model.shift
    assert np.allclose(log_odds, whole, atol=1e-6)


def test_draws_scatter_about_the_estimate(model, past):
    draws = model.propensity_draws(past.features[:50], past.kind[:50])
    assert draws.shape == (20, 50)
    assert ((draws >= 0) & (draws <= 1)).all()
    assert (draws.std(0) > 0).all()
    assert np.abs(draws.mean(0) - model.propensity(past.features[:50], past.kind[:50])).mean() < 0.05


def test_a_kind_never_seen_shares_no_column(model, past):
    unknown = model.propensity(past.features[:5], np.full(5, "Z", object))
    assert ((unknown > 0) & (unknown < 1)).all()


def test_the_same_contacts_give_the_same_version_and_load_to_the_bit(model, past, tmp_path):
    again = audiences.fit(past, seed=5, draws=20)
    versions = {
        champions.keep(tmp_path, "audiences", lambda folder, m=one: m.save(folder, "e" * 12)) for one in (model, again)
    }
    assert len(versions) == 1
    loaded, config = audiences.load(champions.folder(tmp_path, "audiences", versions.pop()))
    assert config["encoder"] == "e" * 12
    assert config["features"] == list(NAMES)
    for method in ("propensity", "propensity_draws", "contributions"):
        assert np.array_equal(
            getattr(loaded, method)(past.features, past.kind), getattr(model, method)(past.features, past.kind)
        )


@pytest.mark.parametrize("answer", [False, True])
def test_contacts_that_all_answered_alike_teach_nothing(past, answer):
    alike = Examples(past.features, np.full(len(past.responded), answer), past.campaign, past.kind)
    with pytest.raises(NoData, match="no responses to learn from"):
        audiences.fit(alike, seed=0)


def test_no_contacts_at_all_teach_nothing():
    none = Examples(np.zeros((0, len(NAMES))), np.zeros(0, bool), np.zeros(0, int), np.zeros(0, object))
    with pytest.raises(NoData):
        audiences.fit(none, seed=0)


def test_one_campaign_is_enough_to_fit(past):
    one = Examples(past.features, past.responded, np.zeros(len(past.responded), int), past.kind)
    fitted = audiences.fit(one, seed=0, draws=2)
    assert np.abs(fitted.weights).argmax() == SIGNAL


def test_the_baseline_reads_recency_and_frequency_only(past):
    other = Examples(past.features.copy(), past.responded, past.campaign, past.kind)
    other.features[:, 2:] = 0
    assert np.array_equal(audiences.baseline_scores(past, past), audiences.baseline_scores(other, other))
