"""Exposure by group: hand-worked shares, brute force over places, planted favours refused."""

import math
from collections import Counter
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.audit import exposure
from pipeline.audit.finding import Finding
from pipeline.policy import load_policy

DAY, FIRST = date(2017, 6, 1), date(2017, 1, 1)
RULES = load_policy("default").audit
NONE = pd.DataFrame({"item_id": [], "rank": []})


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


def judged(goods: pd.DataFrame, places: pd.DataFrame, made: pd.DataFrame | None = None) -> list[Finding]:
    """Findings of all lists, and of those that models made, which are the same unless given."""
    kinds = exposure.grouped(goods, DAY, FIRST)
    told, own = (exposure.rows(goods, kinds, one, {}) for one in (places, places if made is None else made))
    return exposure.findings(told, own, RULES)


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
    merit = goods.merit.to_numpy(float)
    fair = judged(goods, shown(goods, merit))
    assert [one.violations for one in fair] == [0, 0, 0, 0] and min(one.cases for one in fair) >= 2
    favoured = merit * np.where(goods.brand == "Own", 20, 1)
    (brand, *_) = judged(goods, shown(goods, favoured))
    assert brand.violations >= 1 and "outside: " in brand.sentence


def test_nothing_shown_and_one_group_only_are_no_pass() -> None:
    goods = shop(40).assign(brand="Own")
    assert [(one.cases, one.sentence[:8]) for one in judged(goods, NONE)] == [(0, "No input")] * 4
    (brand, *_) = judged(goods, shown(goods, goods.merit.to_numpy(float)))
    assert brand.cases == 0


@pytest.mark.parametrize("axis", ["popularity", "newness"])
def test_a_hidden_tail_is_a_models_bias_and_not_that_of_what_is_popular(axis: str) -> None:
    goods, hidden = shop(), {"popularity": "tail", "newness": "new"}[axis]
    merit, kinds = goods.merit.to_numpy(float), exposure.grouped(goods, DAY, FIRST)
    without = shown(goods, np.where(kinds[axis] == hidden, 1e-9, merit))
    name = f"exposure_{axis}"
    (model,) = [one for one in judged(goods, without) if one.promise == name]
    assert (
        model.violations == 1 and f"outside: {hidden}" in model.sentence and model.worst == pytest.approx(0, abs=0.01)
    )
    (popular,) = [one for one in judged(goods, without, NONE) if one.promise == name]
    assert popular.violations == 0 and "fewer than 30 people" in popular.sentence
    # Popular lists beside them do not make up for a model that hides, nor are they held against one that does not.
    fair, both = shown(goods, merit), pd.concat([without, shown(goods, merit)])
    assert [one.violations for one in judged(goods, both, without) if one.promise == name] == [1]
    assert [one.violations for one in judged(goods, both, fair) if one.promise == name] == [0]


def test_lists_of_enough_people_that_models_made_are_looked_at_and_no_others() -> None:
    users = [f"u{n:02d}" for n in range(40) for _ in range(2)]
    lists = pa.table({"user_key": users, "is_fallback": [n < 20 for n in range(80)]})
    assert exposure.made_by_models(lists, 30).column("user_key").to_pylist() == users[20:]
    assert exposure.made_by_models(lists, 31).num_rows == 0
