"""Nights of profiles on the real slice, one after another: the same encoder, a turned one, and another altogether."""

from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ortho_group

from pipeline import gates
from pipeline.contracts.tables import USER_PROFILES
from pipeline.metrics import drift
from pipeline.models.encoder import EmbeddingCache
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk, features, score_profiles
from pipeline.warehouse import snapshot
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.staging import Staging

WIDTH = 16
ENCODERS = ("e1", "e1", "e2", "e2", "e3")  # e2 is e1 turned, with a little noise


def encode(version, texts):
    """Unit vectors [N, WIDTH] that follow from the text and the encoder's version."""
    seeds = {"e1": 1, "e2": 1, "e3": 3}
    vectors = np.stack([np.random.default_rng([seeds[version], *text.encode()]).normal(size=WIDTH) for text in texts])
    if version == "e2":
        noise = np.random.default_rng(2).normal(size=vectors.shape)
        vectors = (vectors + 0.1 * noise) @ ortho_group.rvs(WIDTH, random_state=2)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def quiet(*_):
    return None


def score(night, encoder):
    """Stage the profiles of a night as that encoder serves; gives the staging and the stage's facts."""
    desk.begin(night)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "judge_frames", lambda *_: [])
        patch.setattr(gates, "require", quiet)
        features.run(night, None, JsonRecorder(night.record), quiet)
    hashes, texts = desk.text_index(desk.catalogue(night))
    cache = EmbeddingCache(night.embeddings, encoder)
    cache.vectors(hashes, texts, lambda: SimpleNamespace(encode=lambda missing: encode(encoder, missing)))
    desk.note(night, "judgement-encoder", {"serves": encoder})
    staging = Staging.open(night.warehouse, night.day, night.run, fresh=True)
    return staging, score_profiles.run(night, staging, quiet)


def publish(night, staging):
    before, asked = desk.parent(night), Requirements(snapshot.pointer(night.warehouse), True, frozenset())
    commit(
        night.warehouse, staging, shop="grocer", day=night.day, parent=before and before.id, models={}, policy_hash="p",
        code_version="1", requires=asked,
    )  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What one night published of each user, and what its stage said."""

    night: Night
    rows: dict
    facts: dict
    sha256: str

    def vectors(self, users):
        return np.array([self.rows[user]["embedding"] for user in users], np.float32)


@pytest.fixture(scope="module")
def nights(grocer, landed, tmp_path_factory):
    home, told = tmp_path_factory.mktemp("profiles"), []
    shop = grocer.shop.model_copy(update={"min_history_days": 10, "threads": 1})
    for number, encoder in enumerate(ENCODERS):
        night = Night(shop, landed.day - timedelta(len(ENCODERS) - 1 - number), home)
        if not night.feeds.exists():
            night.feeds.parent.mkdir(parents=True)
            night.feeds.symlink_to(landed.root)
        staging, facts = score(night, encoder)
        rows = {row["user_key"]: row for row in staging.read(USER_PROFILES.name).to_pylist()}
        told.append(Told(night, rows, facts, staging.tables()[USER_PROFILES.name].sha256))
        publish(night, staging)
    return told


def idle(told):
    """Users whose last basket is older than the night, by the table alone."""
    return sorted(user for user, row in told.rows.items() if row["recency_days"])


def test_a_first_night_says_that_it_has_nothing_to_hold_to(nights):
    first = nights[0]
    assert {(row["segment_cause"], row["segment_since"], row["segment_before"]) for row in first.rows.values()} == {
        ("first_night", first.night.day, None)
    }
    assert {(row["axes"], row["embedding_shift"]) for row in first.rows.values()} == {("e1", None)}
    assert first.facts["axes"] == "e1, new: nothing was published to compare with"
    assert first.facts["metrics"] == {}


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_who_did_nothing_keeps_segment_and_band_but_for_time(nights, number):
    before, after = nights[number - 1], nights[number]
    still = idle(after)
    assert after.facts["metrics"]["profiles/idle_users"] == len(still) > 20
    for user in still:
        one, other = before.rows[user], after.rows[user]
        assert (other["price_band"], other["price_level"]) == (one["price_band"], one["price_level"])
        assert other["segment_cause"] in ("kept", "time")
        if other["segment_cause"] == "kept":
            kept = ("segment", "segment_since", "segment_before", "segment_name")
            assert [other[name] for name in kept] == [one[name] for name in kept]
    changed = sum(after.rows[user]["segment"] != before.rows[user]["segment"] for user in still)
    assert after.facts["metrics"]["profiles/idle_segment_changes"] == changed / len(still) < 0.2


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_cuts_stand_in_every_row_and_move_a_step(nights, number):
    for name in ("basket_cuts", "price_cuts"):
        (before,), (after,) = ({tuple(row[name]) for row in nights[n].rows.values()} for n in (number - 1, number))
        assert (np.abs(np.subtract(after, before)) <= np.maximum(0.01 * np.abs(before), 0.01) + 1e-4).all()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_vectors_stay_on_the_first_axes_while_encoders_change(nights, number):
    before, after = nights[number - 1], nights[number]
    assert {(row["encoder_version"], row["axes"]) for row in after.rows.values()} == {(ENCODERS[number], "e1")}
    still = idle(after)
    cosines = drift.cosines(before.vectors(still), after.vectors(still))
    assert cosines.mean() >= 0.95
    assert after.facts["metrics"]["profiles/idle_cosine"] == pytest.approx(cosines.mean(), abs=1e-4)
    assert [after.rows[user]["embedding_shift"] for user in still] == pytest.approx(1 - cosines, abs=1e-4)
    assert all(after.rows[user]["embedding_shift"] is None for user in after.rows.keys() - set(still))


def test_an_encoder_that_only_turns_the_space_is_not_compared_as_it_is(nights):
    """Else the test above would say nothing."""
    still = idle(nights[2])
    vectors = nights[1].vectors(still)
    assert drift.cosines(vectors, vectors @ ortho_group.rvs(WIDTH, random_state=2)).mean() < 0.5


def test_over_two_encoders_who_did_nothing_all_the_while_stands_where_they_stood(nights):
    still = sorted(set.intersection(*(set(idle(told)) for told in nights[1:4])))
    assert len(still) > 10
    assert drift.cosines(nights[0].vectors(still), nights[3].vectors(still)).mean() >= 0.95


def test_an_encoder_that_no_turn_brings_back_has_axes_of_its_own(nights):
    last = nights[4]
    assert {(row["axes"], row["embedding_shift"]) for row in last.rows.values()} == {("e3", None)}
    assert last.facts["axes"].startswith("e3, new: turned onto the former ones")
    assert "profiles/idle_cosine" not in last.facts["metrics"]


def test_the_same_night_again_is_the_same_to_the_byte(nights):
    staging, facts = score(nights[2].night, "e2")
    assert staging.tables()[USER_PROFILES.name].sha256 == nights[2].sha256
    assert facts == nights[2].facts


def test_profiles_of_another_contract_are_nothing_to_hold_to(nights, monkeypatch):
    other = replace(USER_PROFILES, required=USER_PROFILES.required[1:])
    monkeypatch.setattr(score_profiles, "USER_PROFILES", other)
    staging, facts = score(nights[4].night, "e1")
    assert {row["segment_cause"] for row in staging.read(other.name).to_pylist()} == {"first_night"}
    assert facts["metrics"] == {}
