"""Exposure by group: hand-worked shares, brute force over places, planted favours refused."""

import math
from collections import Counter
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from pipeline.audit import exposure
from pipeline.policy import load_policy

DAY, FIRST = date(2017, 6, 1), date(2017, 1, 1)
RULES = load_policy("default").audit


def shop(count: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "item_id": [f"i{n:04d}" for n in range(count)],
            "brand": np.array(["Own", "National", None], object)[rng.choice(3, count, p=[0.4, 0.5, 0.1])],
            "shelf": rng.choice(["Tea", "Soap", "Milk"], count),
            "price_cents": rng.integers(50, 900, count).astype(float),
            "merit": rng.integers(1, 200, count),
            "first_on": [DAY - timedelta(int(days)) for days in rng.integers(0, 140, count)],
        }
    )


def shown(goods: pd.DataFrame, chance: np.ndarray, lists: int = 400, size: int = 10, seed: int = 1) -> pd.DataFrame:
    """Lists drawn by chance, best first in no order."""
    rng = np.random.default_rng(seed)
    p = chance / chance.sum()
    rows = [rng.choice(len(goods), size, replace=False, p=p) for _ in range(lists)]
    return pd.DataFrame(
        {"item_id": goods.item_id.to_numpy()[np.concatenate(rows)], "rank": np.tile(np.arange(size) + 1, lists)}
    )


def test_groups_say_what_they_are() -> None:
    goods = pd.DataFrame(
        {
            "item_id": ["a", "b", "c", "d"],
            "brand": ["Own", None, "", "Own"],
            "shelf": ["Tea"] * 4,
            "price_cents": [100.0, 200, 400, np.nan],
            "merit": [5, 3, 1, 1],
            "first_on": [DAY, DAY - timedelta(28), DAY - timedelta(27), FIRST],
        }
    )
    found = exposure.grouped(goods, DAY, FIRST)
    assert found.brand.tolist() == ["Own", "(unknown)", "(unknown)", "Own"]
    assert found.price_band.tolist() == ["value", "middle", "premium", "(unknown)"]
    assert found.popularity.tolist() == ["head", "middle", "tail", "tail"]
    assert found.newness.tolist() == ["new", "settled", "new", "settled"]
    assert set(exposure.grouped(goods, FIRST + timedelta(55), FIRST).newness) == {"settled"}, "all goods are new there"


@pytest.mark.parametrize("seed", range(3))
def test_shares_and_ratios_equal_counting_places(seed: int) -> None:
    goods = shop(60, seed)
    places, groups = shown(goods, goods.merit.to_numpy(float), 50, seed=seed), exposure.grouped(goods, DAY, FIRST)
    seen: Counter[str] = Counter()
    for item, rank in places.itertuples(index=False):
        seen[item] += 1 / math.log2(rank + 1)
    names = dict(zip(goods.item_id, exposure.pooled(groups.brand, goods.merit.to_numpy(float)), strict=True))
    for row in exposure.rows(goods, groups, places, {("brand", "Own"): 0.2}).to_pylist():
        if row["axis"] == "brand":
            mine = [item for item in goods.item_id if names[item] == row["group_name"]]
            share = sum(seen[item] for item in mine) / sum(seen.values())
            merit = goods.merit[goods.item_id.isin(mine)].sum() / goods.merit.sum()
            assert row["goods"] == len(mine)
            assert (row["exposure_share"], row["merit_share"]) == pytest.approx((share, merit), abs=1e-6)
            assert row["exposure_ratio"] == pytest.approx(share / merit, abs=1e-5)
            assert row["exposure_penalty"] == (0.2 if row["group_name"] == "Own" else 0)


def test_small_groups_stand_together() -> None:
    names = pd.Series(["a"] * 5 + ["b", "c"])
    assert exposure.pooled(names, np.array([10] * 5 + [1, 1.0])).tolist() == ["a"] * 5 + ["(others)"] * 2


def test_lists_by_merit_are_within_and_a_favour_is_not() -> None:
    goods = shop()
    merit, groups = goods.merit.to_numpy(float), exposure.grouped(goods, DAY, FIRST)
    fair = exposure.findings(exposure.rows(goods, groups, shown(goods, merit), {}), RULES)
    assert [one.violations for one in fair] == [0, 0, 0, 0] and min(one.cases for one in fair) >= 2
    favoured = merit * np.where(goods.brand == "Own", 20, 1)
    (brand, *_) = exposure.findings(exposure.rows(goods, groups, shown(goods, favoured), {}), RULES)
    assert brand.violations >= 1 and "outside: " in brand.sentence


def test_nothing_shown_and_one_group_only_are_no_pass() -> None:
    goods = shop(40).assign(brand="Own")
    none = exposure.rows(goods, exposure.grouped(goods, DAY, FIRST), pd.DataFrame({"item_id": [], "rank": []}), {})
    assert [(one.cases, one.sentence[:8]) for one in exposure.findings(none, RULES)] == [(0, "No input")] * 4
    places = shown(goods, goods.merit.to_numpy(float))
    (brand, *_) = exposure.findings(exposure.rows(goods, exposure.grouped(goods, DAY, FIRST), places, {}), RULES)
    assert brand.cases == 0
