"""The response model on planted data: it finds the signal, is calibrated, and comes back from disk as it was."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import NoData
from pipeline.features.responses import NAMES
from pipeline.learning import champions
from pipeline.metrics import calibration, ranking
from pipeline.models import audiences
from pipeline.models.audiences import Examples

EVENLY = np.linspace(0, 1, 21)
SIGNAL = NAMES.index("target_share_180d")


def planted(n, seed, weight=2.0):
    """Contacts of eight campaigns of two kinds whose response depends on one feature and the kind."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(n, len(NAMES)))
    campaign = draw.integers(8, size=n)
    kind = np.where(campaign % 2, "A", "B").astype(object)
    logit = -2.0 + weight * features[:, SIGNAL] + (kind == "A")
    chance = 1 / (1 + np.exp(-logit))
    return Examples(features, draw.random(n) < chance, campaign, kind, np.ones(n)), chance


@pytest.fixture(scope="module")
def past():
    return planted(1500, 1)[0]


@pytest.fixture(scope="module")
def model(past):
    return audiences.fit(past, EVENLY, seed=5, draws=20)


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
    chance = audiences.fit(noise, EVENLY, seed=0, draws=0).propensity(noise.features, np.full(1500, "A", object))
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
    kinds = model.scaled(past.features, past.kind)[:, len(NAMES) :] @ model.weights[len(NAMES) :]
    whole = model.contributions(past.features, past.kind).sum(1) + kinds + model.intercept
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
    again = audiences.fit(past, EVENLY, seed=5, draws=20)
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
    alike = replace(past, responded=np.full(len(past.responded), answer))
    with pytest.raises(NoData, match="no responses to learn from"):
        audiences.fit(alike, EVENLY, seed=0)


def test_no_contacts_at_all_teach_nothing():
    none = Examples(np.zeros((0, len(NAMES))), np.zeros(0, bool), np.zeros(0, int), np.zeros(0, object), np.zeros(0))
    with pytest.raises(NoData):
        audiences.fit(none, EVENLY, seed=0)


def test_one_campaign_is_enough_to_fit(past):
    one = replace(past, campaign=np.zeros(len(past.responded), int))
    fitted = audiences.fit(one, EVENLY, seed=0, draws=2)
    assert np.abs(fitted.weights).argmax() == SIGNAL


def test_the_simplest_baseline_reads_recency_and_frequency_only(past):
    other = replace(past, features=past.features.copy())
    read = [NAMES.index(name) for name in audiences.RECENCY_FREQUENCY]
    other.features[:, np.setdiff1d(np.arange(len(NAMES)), read)] = 0
    assert np.array_equal(audiences.recency_frequency(past, past), audiences.recency_frequency(other, other))


def test_boosting_finds_the_signal_the_same_way_each_time(past):
    later = planted(2000, 4)[0]
    chance = audiences.gradient_boosting(past, later, seed=1)
    assert ranking.auc(later.responded, chance) > 0.75
    assert np.array_equal(chance, audiences.gradient_boosting(past, later, seed=1))


def test_popularity_is_the_rate_of_the_kind(past):
    unknown = replace(past, kind=np.where(past.kind == "A", "A", "Z").astype(object))
    chance = audiences.popularity(past, unknown)
    assert set(chance[past.kind == "A"]) == {past.responded[past.kind == "A"].mean()}
    assert set(chance[past.kind == "B"]) == {past.responded.mean()}


def test_a_campaign_that_still_runs_teaches_the_rate_it_will_have():
    """Half of the responses to half of the campaigns have not come yet."""
    whole, truth = planted(6000, 6)
    come = np.random.default_rng(7).random(6000) < 0.5
    runs = whole.campaign < 4
    seen = replace(whole, responded=whole.responded & (come | ~runs), observed=np.where(runs, 0.5, 1.0))
    told, blind = (audiences.fit(one, EVENLY, 0, draws=0) for one in (seen, replace(seen, observed=np.ones(6000))))
    right = truth[runs].mean()
    assert told.propensity(whole.features, whole.kind)[runs].mean() == pytest.approx(right, rel=0.12)
    assert blind.propensity(whole.features, whole.kind)[runs].mean() < 0.75 * right


def test_more_responses_than_contacts_are_never_expected(past):
    early = replace(past, observed=np.full(len(past.responded), 0.05))
    assert np.isfinite(audiences.fit(early, EVENLY, 0, draws=0).weights).all()


def test_what_is_still_to_come_is_that_of_bayes():
    chance, reached = np.array([0.4, 0.4, 0.9]), np.array([True, False, True])
    found = audiences.still_to_come(chance, 0.5, 0.3, reached)
    assert found == pytest.approx([0.4 * 0.5 / (1 - 0.4 * 0.5), 0.4 * 0.3, 0.9 * 0.5 / (1 - 0.9 * 0.5)])
    # Before a campaign begins all is to come, at its end nothing.
    assert audiences.still_to_come(chance, 0.0, 1.0, reached).tolist() == chance.tolist()
    assert audiences.still_to_come(chance, 1.0, 0.0, reached).tolist() == [0, 0, 0]
    drawn = audiences.still_to_come(np.stack([chance, chance]), 0.5, 0.3, reached)
    assert drawn.shape == (2, 3)


def test_campaigns_stand_one_after_the_other(past):
    both = audiences.together([past, past])
    assert len(both.responded) == 2 * len(past.responded)
    assert np.array_equal(both.features[len(past.responded) :], past.features)
