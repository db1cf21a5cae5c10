"""Goods of each module beside the plain way to choose them, and the worth learned from what was taken of them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.history import History
from pipeline.models import layouts
from pipeline.models.layouts import Evidence, Goods, Shelves, replayed, shrunken, top
from pipeline.pages import MODULES

COUNT = 3
CATEGORY = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, -1])


def goods_of(history: History, *, repeats: bool = True, unlisted: int = 10) -> Goods:
    """Items 2 and 5 are on offer, the later an item the better it is rated, user 0 looked at item 7 twice."""
    items = history.baskets.shape[1]
    touched = np.zeros(history.baskets.shape, np.float32)
    touched[0, [6, 7]] = 1, 2
    return Goods(
        history=history,
        listed=np.arange(items) != unlisted,
        category=CATEGORY,
        offered=np.isin(np.arange(items), [2, 5]),
        rating=np.arange(items) / 4,
        touched=sp.csr_matrix(touched),
        repeats=repeats,
    )


def named(shelves: Shelves, module: str, user: int, count: int = COUNT) -> set[int]:
    goods = shelves.shown(np.array([user]), count)[module]  # type: ignore[index]
    return set(shelves.columns[goods.indices].tolist())


def best(scores: dict[int, float], count: int = COUNT) -> set[int]:
    """The plain way: positive scores, largest first, ties by item."""
    return set(sorted((item for item in scores if scores[item] > 1e-12), key=lambda i: (-scores[i], i))[:count])


@given(rows=st.lists(st.lists(st.integers(-2, 5), min_size=6, max_size=6), min_size=1, max_size=5),
       count=st.integers(1, 7))  # fmt: skip
def test_top_is_the_largest_positive_of_each_row_ties_by_column(rows: list[list[int]], count: int) -> None:
    found = top(sp.csr_matrix(np.array(rows, float)), count).toarray()
    for row, kept in zip(rows, found, strict=True):
        assert set(np.flatnonzero(kept)) == best(dict(enumerate(row)), count)


@pytest.mark.parametrize("user", [0, 7, 20])
def test_buy_again_is_own_habit_that_is_due(shoppers: History, user: int) -> None:
    shelves = Shelves(goods_of(shoppers))
    weight, age, gap = (one.toarray()[user] for one in (shoppers.weight, shoppers.age, shoppers.gap))
    due = {i: weight[i] * (min(age[i] / gap[i], 1) if gap[i] else 0.5) for i in range(12) if i != 10 and weight[i] > 0}
    assert named(shelves, "buy_again", user) == best(due)


@pytest.mark.parametrize("user", [0, 7, 20])
def test_your_categories_are_popular_goods_of_them_not_bought_of_late(shoppers: History, user: int) -> None:
    shelves = Shelves(goods_of(shoppers))
    weight, age = shoppers.weight.toarray()[user], shoppers.age.toarray()[user]
    own = {c: sum(weight[i] for i in range(12) if CATEGORY[i] == c) for c in range(3)}
    popular = shoppers.buyers_recent
    most = {c: max(popular[i] for i in range(12) if CATEGORY[i] == c and i != 10) for c in range(3)}
    scores = {
        i: own[CATEGORY[i]] / sum(own.values()) * popular[i] / most[CATEGORY[i]]
        for i in range(11)
        if i != 10 and not 1 <= age[i] <= layouts.LATELY
    }
    assert named(shelves, "your_categories", user) == best(scores)


def test_what_is_common_is_the_same_for_everybody(shoppers: History) -> None:
    shelves = Shelves(goods_of(shoppers))
    listed = [i for i in range(12) if i != 10]
    popular = best({i: shoppers.buyers_recent[i] for i in listed})
    for user in (0, 30):
        assert named(shelves, "shop_favourites", user) == popular
        assert named(shelves, "offers", user) == {2, 5}
        ever = set(shoppers.baskets[user].indices.tolist())
        assert named(shelves, "top_rated", user) == best({i: i for i in listed if i not in ever})
    assert shelves.for_strangers == {"offers", "top_rated", "shop_favourites"}


def test_continue_is_what_was_touched_and_nothing_else(shoppers: History) -> None:
    shelves = Shelves(goods_of(shoppers))
    assert named(shelves, "continue", 0, count=1) == {7} and named(shelves, "continue", 0) == {6, 7}
    assert named(shelves, "continue", 1) == set()


def test_new_for_you_was_never_bought_and_complements_are_not_in_the_last_basket(
    a_history: Callable[..., History],
) -> None:
    # Everybody who has 0 has 1 the week after, and 2 and 3 always stand in one basket.
    pairs = [[[0], [1], [2, 3], [0], [1], [2, 3]] for _ in range(12)] + [[[0], [4], [2]], [[5]]]
    shelves = Shelves(replace(goods_of(a_history(pairs, 12)), offered=np.zeros(12, bool)))
    user = len(pairs) - 2
    new, beside = named(shelves, "new_for_you", user), named(shelves, "complements", user)
    assert 1 in new and not new & {0, 2, 4}
    assert beside == {3}


def test_a_shop_whose_goods_are_taken_once_never_shows_what_was_taken(shoppers: History) -> None:
    shelves = Shelves(goods_of(shoppers, repeats=False))
    for user in (0, 13, 39):
        ever = set(shoppers.baskets[user].indices.tolist())
        shown = {module: named(shelves, module, user) for module in MODULES}
        assert not shown["buy_again"]
        assert shown["new_for_you"] and shown["complements"]
        for module in ("your_categories", "new_for_you", "complements", "offers", "top_rated", "shop_favourites"):
            assert not shown[module] & ever, module


def test_hits_are_what_was_taken_of_the_goods_shown(shoppers: History, monkeypatch: pytest.MonkeyPatch) -> None:
    shelves = Shelves(goods_of(shoppers))
    taken = np.random.default_rng(1).integers(0, 3, shoppers.baskets.shape)
    hits, shows = replayed(shelves, sp.csr_matrix(taken), COUNT)
    for user in (0, 11, 39):
        for number, module in enumerate(MODULES):
            goods = named(shelves, module, user)
            assert hits[user, number] == sum(taken[user, item] for item in goods)
            assert shows[user, number] == bool(goods)
    monkeypatch.setattr(layouts, "BLOCK", 7)
    again, _ = replayed(shelves, sp.csr_matrix(taken), COUNT)
    assert (again == hits).all(), "users come in blocks"


def test_evidence_is_added_by_user_and_only_while_a_module_showed_something() -> None:
    evidence = Evidence.none(pa.array(["a", "b", "c"]))
    hits, shows = np.arange(16.0).reshape(2, 8), np.tile([True, False], (2, 4))
    evidence.add(pa.array(["c", "x"]), hits, shows)
    evidence.add(pa.array(["b", "c"]), hits, shows)
    assert evidence.hits.tolist() == [[0.0] * 8, hits[0].tolist(), (hits[0] + hits[1]).tolist()]
    assert evidence.weeks.tolist() == [[0] * 8, [1, 0] * 4, [2, 0] * 4]


def test_worth_is_the_posterior_mean_by_moments() -> None:
    draw = np.random.default_rng(2)
    weeks = draw.integers(0, 4, (60, 2)).astype(float)
    hits = draw.poisson(draw.gamma(1.5, 1.0, (60, 2)) * weeks).astype(float)
    value, common = shrunken(hits, weeks)
    for module in range(2):
        seen = [(h, w) for h, w in zip(hits[:, module], weeks[:, module], strict=True) if w]
        whole = sum(w for _, w in seen)
        mean = sum(h for h, _ in seen) / whole
        spread = sum(w * (h / w - mean) ** 2 for h, w in seen) - (len(seen) - 1) * mean
        spread /= whole - sum(w * w for _, w in seen) / whole
        assert spread > 0 and common[module] == pytest.approx(mean, abs=1e-6)
        shape, rate = mean**2 / spread, mean / spread
        expected = (shape + hits[:, module]) / (rate + weeks[:, module])
        assert value[:, module] == pytest.approx(expected, abs=1e-6)


@settings(max_examples=50)
@given(hits=st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=8),
       seed=st.integers(0, 99))  # fmt: skip
def test_worth_lies_between_own_rate_and_the_mean_of_all(hits: list[list[int]], seed: int) -> None:
    weeks = np.random.default_rng(seed).integers(0, 3, (len(hits), 3)).astype(float)
    counts = np.where(weeks > 0, np.array(hits, float), 0)
    value, common = shrunken(counts, weeks)
    rate = np.divide(counts, weeks, out=np.tile(common, (len(hits), 1)), where=weeks > 0)
    assert (value >= np.minimum(rate, common) - 1e-5).all() and (value <= np.maximum(rate, common) + 1e-5).all()
    assert (value[weeks == 0] == np.tile(common, (len(hits), 1))[weeks == 0]).all(), "of whom nothing is known"


def test_who_differ_no_more_than_by_chance_are_worth_the_same() -> None:
    value, common = shrunken(np.array([[2.0], [1.0], [2.0], [1.0]]), np.ones((4, 1)))
    assert (value == common).all() and common == 1.5
    assert shrunken(np.zeros((3, 1)), np.ones((3, 1)))[0].tolist() == [[0.0]] * 3
    assert shrunken(np.zeros((3, 1)), np.zeros((3, 1)))[0].tolist() == [[0.0]] * 3
