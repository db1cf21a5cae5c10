"""Shares of trees against LightGBM's own TreeSHAP, and against all orders in which features may come."""

from itertools import permutations

import lightgbm
import numpy as np
import pytest

from pipeline.models.tree_shares import PLACES, SPLITS, TreeShares


def learned(rounds: int = 8, leaves: int = 31, features: int = 6, **settings: object) -> lightgbm.Booster:
    """Trees that ask for some features again and again on one path; feature 3 has few values, 4 is often nothing."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(3000, features)).astype(np.float32)
    rows[:, 3 % features], rows[rng.random(3000) < 0.5, 4 % features] = rng.integers(0, 3, 3000), 0
    hit = rows[:, 0] * rows[:, 1] + rows[:, 3 % features] + rng.normal(size=3000) > 0
    given = {"objective": "binary", "num_leaves": leaves, "num_threads": 1, "verbosity": -1, "seed": 1} | settings
    return lightgbm.train(given, lightgbm.Dataset(rows, hit.astype(np.int8)), num_boost_round=rounds)


def asked(count: int, features: int = 6) -> np.ndarray:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(count, features)).astype(np.float32)
    rows[:, 3 % features] = rng.integers(0, 3, count)
    rows[: count // 2] = rows[0]  # many are alike but for one feature
    rows[: count // 2, 0] = rng.normal(size=count // 2)
    return rows


def theirs(model: lightgbm.Booster, rows: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(rows, pred_contrib=True))[:, :-1]


@pytest.mark.parametrize(("leaves", "features"), [(31, 6), (63, 2), (4, 6), (2, 2)])
def test_shares_are_those_of_tree_shap(leaves: int, features: int) -> None:
    model, rows = learned(leaves=leaves, features=features), asked(2500, features)  # more rows than are seen at once
    shares = TreeShares(lightgbm.Booster(model_str=model.model_to_string()), threads=3)
    assert shares.columns == model.feature_name()
    np.testing.assert_allclose(shares.contributions(rows), theirs(model, rows), atol=1e-12)
    np.testing.assert_allclose(shares.contributions(rows[::-1]), theirs(model, rows)[::-1], atol=1e-12)
    np.testing.assert_array_equal(shares.contributions(rows), TreeShares(model, threads=1).contributions(rows))
    assert shares.contributions(rows[:0]).shape == (0, features) and shares.contributions(rows[:1]).any()


def test_a_row_at_a_threshold_and_a_row_without_a_value_pass_as_they_do_in_the_model() -> None:
    model = learned(rounds=3)
    cuts = np.concatenate([_cuts(one["tree_structure"]) for one in model.dump_model()["tree_info"]])
    cuts = cuts[np.abs(cuts[:, 1]) > 1e-30]  # the library takes what is nearer to 0 for 0
    rows = np.repeat(asked(1), 3 * len(cuts), axis=0)
    near = cuts[:, 1].astype(np.float32)
    at = np.concatenate([near, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))])
    rows[np.arange(len(rows)), np.tile(cuts[:, 0].astype(int), 3)] = at
    rows = np.concatenate([rows, np.where(np.eye(6, dtype=bool), np.float32(np.nan), rows[:1])])
    np.testing.assert_allclose(TreeShares(model, 1).contributions(rows), theirs(model, rows), atol=1e-12)


def _cuts(node: dict[str, object]) -> np.ndarray:
    """Feature and threshold of each split of a tree."""
    if "split_index" not in node:
        return np.zeros((0, 2))
    below = [_cuts(node[side]) for side in ("left_child", "right_child")]  # type: ignore[arg-type]
    return np.concatenate([[[node["split_feature"], node["threshold"]]], *below])


def test_unknown_values_that_training_saw_go_where_they_went() -> None:
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(2000, 2)).astype(np.float32)
    hit = rows[:, 0] > 0
    rows[hit & (rng.random(2000) < 0.5), 1] = np.nan
    given = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    model = lightgbm.train(given, lightgbm.Dataset(rows, hit.astype(np.int8)), num_boost_round=4)
    np.testing.assert_allclose(TreeShares(model, 1).contributions(rows), theirs(model, rows), atol=1e-12)


def test_shares_are_means_over_all_orders_of_what_a_feature_adds() -> None:
    """By hand, of one tree: a feature that is not there is averaged over by the data that went either way."""
    model = learned(rounds=1, leaves=12, features=3)
    (root,) = (one["tree_structure"] for one in model.dump_model()["tree_info"])

    def expected(node: dict[str, object], row: np.ndarray, there: set[int]) -> float:
        if "split_index" not in node:
            return float(node["leaf_value"])  # type: ignore[arg-type]
        sides = [node["left_child"], node["right_child"]]
        if node["split_feature"] in there:
            return expected(sides[int(not row[node["split_feature"]] <= node["threshold"])], row, there)  # type: ignore
        counts = [one.get("internal_count", one.get("leaf_count")) for one in sides]  # type: ignore[attr-defined]
        return sum(n * expected(one, row, there) for n, one in zip(counts, sides, strict=True)) / sum(counts)  # type: ignore

    rows, orders = asked(6, 3), list(permutations(range(3)))
    for row, shares in zip(rows, TreeShares(model, 1).contributions(rows), strict=True):
        for feature in range(3):
            before = [set(order[: order.index(feature)]) for order in orders]
            gains = [expected(root, row, {*there, feature}) - expected(root, row, there) for there in before]
            assert shares[feature] == pytest.approx(np.mean(gains), abs=1e-12)


def test_what_is_forgotten_is_worked_out_again() -> None:
    """More ways of passing one tree than are remembered, twice over."""
    model = learned(rounds=1, leaves=63, features=6, min_data_in_leaf=5)
    shares, rows = TreeShares(model, 1), np.random.default_rng(2).normal(size=(4 << PLACES, 6)).astype(np.float32)
    again = [shares.contributions(rows), shares.contributions(rows)]
    np.testing.assert_array_equal(*again)
    np.testing.assert_allclose(again[0][::97], theirs(model, rows[::97]), atol=1e-12)


def test_a_model_without_splits_shares_out_nothing() -> None:
    rows = np.zeros((50, 2), np.float32)
    data = lightgbm.Dataset(rows, np.r_[np.ones(25), np.zeros(25)])
    model = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, num_boost_round=2)
    assert not TreeShares(model, 1).contributions(rows).any()


def test_trees_that_cannot_be_explained_are_refused() -> None:
    with pytest.raises(ValueError, match=f"{SPLITS} at most"):
        TreeShares(learned(rounds=1, leaves=SPLITS + 30, min_data_in_leaf=1), 1)
    rows = np.tile(np.arange(4.0), 100)[:, None]
    data = lightgbm.Dataset(rows, rows[:, 0] == 2, categorical_feature=[0])
    model = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, num_boost_round=1)
    with pytest.raises(ValueError, match="==: only sizes"):
        TreeShares(model, 1)
