"""Candidates, fusion and ranking against plain loops."""

import json

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.models import baselines, recommendations
from pipeline.models.recommendations import FEATURES, SHARES, SOURCES, Fusion

EVERYBODY = slice(0, 40)


@pytest.fixture
def fusion():
    draw = np.random.default_rng(8)
    return Fusion(*(draw.uniform(0.5, 1.5, len(FEATURES)).tolist() for _ in range(3)), intercept=-2.0)


@pytest.fixture
def bought(known):
    """The week after: everybody buys what they bought most before."""
    most = known.history.weight.toarray()[:, :11].argmax(1)
    return sp.csr_matrix((np.ones(40, bool), (np.arange(40), most)), shape=(40, 12))


def test_fusion_comes_back_from_json_as_it_was(fusion):
    assert Fusion.from_dict(json.loads(json.dumps(fusion.as_dict()))) == fusion


def test_the_score_is_the_log_odds_of_standardised_features(fusion):
    row = np.arange(len(FEATURES), dtype=float)
    plain = fusion.intercept + sum(
        weight * (value - mean) / deviation
        for weight, value, mean, deviation in zip(fusion.weights, row, fusion.mean, fusion.deviation, strict=True)
    )
    assert fusion.score(row) == pytest.approx(plain)


@pytest.mark.parametrize("users", [0, 1, 256, 257, 600])
def test_blocks_cover_every_user_once(users):
    assert [user for block in recommendations.blocks(users) for user in range(block.start, block.stop)] == list(
        range(users)
    )


def test_every_source_scores_every_listable_item(known):
    scores = recommendations.source_scores(known, slice(3, 9))
    assert set(scores) == set(SOURCES)
    assert all(values.shape == (6, 11) for values in scores.values())
    assert np.allclose(scores["transformer"], (known.states @ known.vectors.T)[3:9, :11], atol=1e-5)
    assert (np.abs(scores["text"]) <= 1 + 1e-5).all()


def test_candidates_are_the_union_of_what_each_source_ranks_first(known):
    scores, count = recommendations.source_scores(known, EVERYBODY), 6
    row, column = recommendations.candidates(scores, known.history, known.columns, count)
    expected = set()
    for name, share in SHARES.items():
        best = baselines.top(baselines.filled(scores[name], known.history, known.columns), max(1, int(count * share)))
        expected |= {(user, int(one)) for user in range(40) for one in best[user]}
    assert sorted(expected) == list(zip(row.tolist(), column.tolist(), strict=True))


def test_features_are_the_users_own_record_of_the_item(known):
    scores = recommendations.source_scores(known, EVERYBODY)
    row, column = np.array([0, 7, 39]), np.array([0, 5, 10])
    table = recommendations.features(known, EVERYBODY, scores, row, column)
    history, logits = known.history, known.states @ known.vectors[:11].T
    for at, (user, item) in enumerate(zip(row, column, strict=True)):
        named = dict(zip(FEATURES, table[at], strict=True))
        assert named["all_baskets"] == pytest.approx(np.log1p(history.baskets[user, item]))
        assert named["recent_baskets"] == pytest.approx(np.log1p(history.weight[user, item]))
        assert named["bought_before"] == float(history.baskets[user, item] > 0)
        assert named["popularity"] == pytest.approx(np.log1p(history.buyers_recent[item]))
        chance = np.exp(logits[user] - logits[user].max())
        assert named["transformer"] == pytest.approx(np.log(chance[item] / chance.sum()), abs=1e-4)


def test_goods_due_again_show_it(known):
    scores = recommendations.source_scores(known, EVERYBODY)
    age, gap = known.history.age.toarray()[:, :11], known.history.gap.toarray()[:, :11]
    row, column = np.nonzero(gap > 0)
    table = recommendations.features(known, EVERYBODY, scores, row, column)
    due = table[:, FEATURES.index("due")]
    ratio = (age / np.maximum(gap, 1))[row, column]
    assert due.argmax() == np.abs(np.log(ratio)).argmin()
    assert (due[ratio > 4] < 0.2).all()


def test_ranking_is_a_sort_of_each_users_candidates(known, fusion, monkeypatch):
    lists = recommendations.rank(known, fusion, 6, 8)
    scores = recommendations.source_scores(known, EVERYBODY)
    row, column = recommendations.candidates(scores, known.history, known.columns, 6)
    fused = np.round(fusion.score(recommendations.features(known, EVERYBODY, scores, row, column)), 6)
    for user in range(40):
        mine = sorted(zip(-fused[row == user], column[row == user], strict=True))[:8]
        pad = 8 - len(mine)
        assert lists.items[user].tolist() == [known.columns[one] for _, one in mine] + [-1] * pad
        assert lists.scores[user].tolist() == pytest.approx([-score for score, _ in mine] + [0.0] * pad)
    assert not np.isin(11, lists.items)


def test_lists_are_the_same_in_any_block_and_a_short_one_begins_a_long_one(known, fusion, monkeypatch):
    whole = recommendations.rank(known, fusion, 6, 8)
    monkeypatch.setattr(recommendations, "BLOCK", 7)
    seen = []
    parts = recommendations.rank(known, fusion, 6, 8, lambda done, total: seen.append((done, total)))
    assert (parts.items == whole.items).all()
    assert seen[-1] == (40, 40)
    assert (recommendations.rank(known, fusion, 6, 3).items == whole.items[:, :3]).all()


def test_every_list_place_carries_the_features_behind_it(known, fusion):
    lists = recommendations.rank(known, fusion, 6, 8)
    filled = lists.items >= 0
    assert np.allclose(np.round(fusion.score(lists.features), 6)[filled], lists.scores[filled])


def test_fusion_learns_that_habits_are_kept(known, bought):
    fusion = recommendations.learn_fusion(known, bought, 10, seed=0)
    assert fusion == recommendations.learn_fusion(known, bought, 10, seed=0)
    top = recommendations.rank(known, fusion, 10, 3).items
    hits = [bought[user].indices[0] in top[user] for user in range(40)]
    assert np.mean(hits) > 0.9


def test_each_source_alone_ranks_each_item_once(known):
    alone = recommendations.rank_alone(known, 5)
    assert set(alone) == set(SOURCES)
    for ranked in alone.values():
        assert all(len(set(row)) == 5 for row in ranked.tolist())
    by_buyers = sorted(range(11), key=lambda item: (-known.history.buyers_recent[item], item))[:5]
    assert (alone["popularity"] == by_buyers).all()
