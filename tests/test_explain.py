"""Reasons: the largest contribution in plain words, and never a habit the user does not have."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from pipeline import explain
from pipeline.features.responses import NAMES
from pipeline.models.recommendations import FEATURES, Fusion, Lists

PLAIN = Fusion([0.0] * len(FEATURES), [1.0] * len(FEATURES), [1.0] * len(FEATURES), 0.0)
TITLES = ["Milk", "Bread", "Soap"]
SHELVES = ["fluid milk", "bread", "bar soap"]


def known(baskets=0, age=0, gap=0, flows=()):
    """One user who knows item 0, or not; others can be bought after it."""

    def cell(value):
        return sp.csr_matrix(([np.float32(value)], ([0], [0])), shape=(1, 3)) if value else sp.csr_matrix((1, 3))

    history = SimpleNamespace(
        baskets=cell(baskets),
        age=cell(age),
        gap=cell(gap),
        weight=sp.csr_matrix(np.array([[1, 0.5, 0]], np.float32)),
        buyers_recent=np.array([7, 8, 9]),
        stores=np.array([3.0, 2, 1]),
    )
    rows, columns, values = zip(*flows, strict=True) if flows else ((), (), ())
    return SimpleNamespace(history=history, transitions=sp.csr_matrix((values, (rows, columns)), shape=(3, 3)))


def reason(facts, item=0, **features):
    values = np.zeros((1, 1, len(FEATURES)))
    for name, value in features.items():
        values[0, 0, FEATURES.index(name)] = value
    lists = Lists(np.array([[item]]), np.zeros((1, 1)), values)
    return explain.item_reasons(lists, PLAIN, facts, TITLES, SHELVES, np.ones((1, 1), bool))[0, 0]


@pytest.mark.parametrize(
    ("facts", "item", "features", "words"),
    [
        (known(1, 1), 0, {"recent_baskets": 9}, "You bought it once, last today"),
        (known(2, 2), 0, {"all_baskets": 9}, "You bought it twice, last yesterday"),
        (known(5, 11), 0, {"bought_before": 9}, "You bought it 5 times, last 10 days ago"),
        (known(3, 8, 7), 0, {"due": 9}, "You buy it about every 7 days, last 7 days ago"),
        (known(3, 8, 7), 0, {"overdue": 9}, "You buy it about every 7 days, last 7 days ago"),
        (known(flows=[(0, 2, 0.5), (1, 2, 0.6)]), 2, {"co_visitation": 9}, "Often in the next basket after Milk"),
        (known(flows=[(0, 2, 0.1), (1, 2, 0.6)]), 2, {"co_visitation": 9}, "Often in the next basket after Bread"),
        (known(), 2, {"transformer": 9}, "Fits your latest baskets"),
        (known(), 2, {"text": 9}, "Close to what you buy: bar soap"),
        (known(), 2, {"popularity": 9}, "9 shoppers bought it in the last 4 weeks"),
        (known(), 1, {"promoted": 9}, "On display or in the mailer this week (2 placements)"),
    ],
)
def test_the_largest_contribution_speaks(facts, item, features, words):
    assert reason(facts, item, **features) == words


def test_nobody_is_told_of_a_habit_they_do_not_have():
    """Recency features may weigh for goods never bought; the words then tell the next reason."""
    assert reason(known(), 2, days_since=9, due=8, popularity=1) == "9 shoppers bought it in the last 4 weeks"
    assert reason(known(1, 3), 0, due=9, all_baskets=1) == "You bought it once, last 2 days ago"  # one day: no rhythm


def test_a_flow_from_nothing_the_user_bought_is_not_told():
    assert "Often in the next basket" not in reason(known(), 2, co_visitation=9)


def test_only_wanted_places_are_explained():
    lists = Lists(np.array([[0, 1, -1]]), np.zeros((1, 3)), np.ones((1, 3, len(FEATURES))))
    out = explain.item_reasons(lists, PLAIN, known(), TITLES, SHELVES, np.array([[False, True, False]]))
    assert [bool(words) for words in out[0]] == [False, True, False]


def test_groups_of_contributions_add_up_to_the_score():
    draw = np.random.default_rng(1)
    fusion = Fusion(*(draw.uniform(0.5, 2, len(FEATURES)).tolist() for _ in range(3)), intercept=0.3)
    features = draw.normal(size=(4, 5, len(FEATURES)))
    parts = explain.group_contributions(features, fusion)
    rest = [name for name in FEATURES if not any(name in names for names in explain.GROUPS.values())]
    assert rest == ["activity"]  # the same for all of a user's items, so it explains none
    at = FEATURES.index("activity")
    alone = (features[..., at] - fusion.mean[at]) / fusion.deviation[at] * fusion.weights[at]
    assert np.allclose(sum(parts.values()) + alone + fusion.intercept, fusion.score(features))


def test_audience_reasons_are_the_largest_positive_contributions():
    rows = np.zeros((3, len(NAMES)))
    rows[0, [3, 1]] = 0.5, 0.9
    rows[1, 2], rows[1, 4] = -3, 0.2
    found = explain.audience_reasons(rows, NAMES)
    assert found == [
        "Shops often and often buys the advertised goods",
        "The advertised goods fill much of the basket",
        "Like the average contact",
    ]
    assert explain.audience_reasons(rows, NAMES, most=1)[0] == "Shops often"


def test_every_feature_has_words():
    assert set(explain.AUDIENCE_WORDS) == set(NAMES)


def test_shelves_are_the_narrowest_category():
    paths = pa.chunked_array([["DAIRY > MILK > FLUID MILK", "SOAP", None]])
    assert explain.shelf_names(paths) == ["fluid milk", "soap", "other"]
