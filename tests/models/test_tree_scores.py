"""Scores of trees against LightGBM's own."""

import lightgbm
import numpy as np
import pytest

from pipeline.models.tree_scores import AT_ONCE, LEAVES, Trees
from tests.models.test_tree_shares import asked, learned


def theirs(model: lightgbm.Booster, rows: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(rows, raw_score=True))


@pytest.mark.parametrize("leaves", [LEAVES, 31, 4, 2])
def test_scores_are_the_librarys_to_the_last_bit(leaves: int) -> None:
    model, rows = learned(rounds=20, leaves=leaves), asked(AT_ONCE + 77)
    trees = Trees.of(lightgbm.Booster(model_str=model.model_to_string()))
    np.testing.assert_array_equal(trees.scores(rows), theirs(model, rows))
    np.testing.assert_array_equal(trees.scores(rows[:1]), theirs(model, rows[:1]))
    assert trees.scores(rows[:0]).shape == (0,)


@pytest.mark.parametrize("seen", [False, True])
def test_a_row_without_a_value_goes_where_it_does_in_the_model(seen: bool) -> None:
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(3000, 3)).astype(np.float32)
    hit = rows[:, 0] + rows[:, 1] > 0
    if seen:
        rows[hit & (rng.random(3000) < 0.5), 1] = np.nan
    settings = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    model = lightgbm.train(settings, lightgbm.Dataset(rows, hit.astype(np.int8)), num_boost_round=5)
    unknown = np.where(rng.random((500, 3)) < 0.3, np.float32(np.nan), rows[:500])
    np.testing.assert_array_equal(Trees.of(model).scores(unknown), theirs(model, unknown))


def test_a_model_of_a_single_leaf_scores_all_alike() -> None:
    rows = np.zeros((50, 2), np.float32)
    data = lightgbm.Dataset(rows, np.r_[np.ones(20), np.zeros(30)])
    model = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, num_boost_round=2)
    np.testing.assert_array_equal(Trees.of(model).scores(rows), theirs(model, rows))


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="a tree of 63 leaves: those of 32 at most are scored"):
        Trees.of(learned(rounds=1, leaves=63))
