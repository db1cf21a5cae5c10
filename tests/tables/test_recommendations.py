"""Rows of the recommendations: surfaces, ranks, rest, fallback."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from pipeline.contracts.tables import RECOMMENDATIONS
from pipeline.explain import Words
from pipeline.models.recommendations import Lists
from pipeline.tables import recommendations as table

ITEMS = 6
IDS = pa.array([f"i{n}" for n in range(ITEMS)])
NAMES = [f"Item {n}" for n in range(ITEMS)]
COLUMNS = ("personal/slow.log", "popularity/recent.log")
ORDER = SimpleNamespace(columns=COLUMNS, contributions=lambda features: features)


@pytest.fixture
def known():
    """Two users; the first bought item 0 today and item 1 ten days ago."""
    age = sp.csr_matrix(np.array([[1, 11, 0, 0, 0, 0], [0] * ITEMS], np.float32))
    history = SimpleNamespace(
        users=pa.array(["u1", "u2"]), age=age, baskets=(age > 0).astype(np.float32), gap=sp.csr_matrix((2, ITEMS)),
        weight=(age > 0).astype(np.float32), buyers_recent=np.arange(ITEMS) + 1.0, stores=np.zeros(ITEMS),
    )  # fmt: skip
    return SimpleNamespace(history=history, columns=np.arange(ITEMS), into=sp.csc_matrix((ITEMS, ITEMS)))


@pytest.fixture
def lists():
    items = np.array([[0, 1, 2, 3], [4, 5, 2, -1]])
    scores = np.where(items >= 0, -np.arange(4.0), 0)
    return Lists(np.arange(2), items, scores, np.ones((2, 4, len(COLUMNS)), np.float32))


def rows(lists, known, **sizes):
    given = SimpleNamespace(**{"list_size": 3, "email_size": 2, "email_rest_days": 7, **sizes})
    made = RECOMMENDATIONS.enforce(table.fused_rows(lists, Words(known, ORDER, NAMES, NAMES), IDS, given))
    out = {}
    for row in made.to_pylist():
        assert row["reason"]
        assert row["is_fallback"] is False
        out.setdefault((row["user_key"], row["surface"]), []).append((row["rank"], row["item_id"], row["score"]))
    return out


def test_home_is_the_head_of_the_ranking(lists, known):
    out = rows(lists, known)
    assert out["u1", "home"] == [(1, "i0", 0.0), (2, "i1", -1.0), (3, "i2", -2.0)]
    assert out["u2", "home"] == [(1, "i4", 0.0), (2, "i5", -1.0), (3, "i2", -2.0)]


def test_email_is_the_same_ranking_without_what_was_just_bought(lists, known):
    out = rows(lists, known)
    assert out["u1", "email"] == [(1, "i1", -1.0), (2, "i2", -2.0)]
    assert out["u2", "email"] == [(1, "i4", 0.0), (2, "i5", -1.0)]


@pytest.mark.parametrize(("rest", "first"), [(0, "i0"), (1, "i1"), (10, "i1"), (11, "i2")])
def test_goods_rest_as_many_days_as_asked(lists, known, rest, first):
    assert rows(lists, known, email_rest_days=rest)["u1", "email"][0][1] == first


def test_short_lists_are_not_padded(lists, known):
    assert [item for _, item, _ in rows(lists, known, list_size=4)["u2", "home"]] == ["i4", "i5", "i2"]


def test_the_fallback_is_popular_says_so_and_falls_in_score(known):
    ranked = np.repeat(np.array([[5, 4, 3]]), 2, axis=0)
    made = table.fallback_rows(pa.array(["n1", "n2"]), ranked, known.history, IDS, home_size=3, email_size=1)
    told = RECOMMENDATIONS.enforce(made).to_pylist()
    assert all(row["is_fallback"] for row in told)
    home = [row for row in told if (row["user_key"], row["surface"]) == ("n1", "home")]
    assert [(row["rank"], row["item_id"]) for row in home] == [(1, "i5"), (2, "i4"), (3, "i3")]
    assert [row["score"] for row in home] == sorted((row["score"] for row in home), reverse=True)
    assert home[0]["reason"] == "6 shoppers bought it in the last 4 weeks"
    assert sum(row["surface"] == "email" for row in told) == 2


def test_nobody_to_fall_back_for_gives_no_rows(known):
    none = table.fallback_rows(
        pa.array([], pa.string()), np.zeros((0, 3), int), known.history, IDS, home_size=3, email_size=1
    )
    assert len(RECOMMENDATIONS.enforce(none)) == 0
