"""Reasons: the largest contribution in plain words, and never a habit the user does not have."""

import ast
import inspect
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from pipeline import explain
from pipeline.features.responses import NAMES
from pipeline.models.recommendations import Lists

TITLES = ["Milk", "Bread", "Soap"]
SHELVES = ["fluid milk", "bread", "bar soap"]
COLUMNS = (
    "personal/slow.log", "personal/days_since", "personal/gap", "personal/days_due", "co_visitation/next.log",
    "complements/all.log", "neighbours/habits.log", "transformer/next.log", "linear/next.log", "text/taste.log",
    "popularity/recent.log", "promotion/stores", "user/baskets",
)  # fmt: skip
ORDER = SimpleNamespace(columns=COLUMNS, contributions=lambda features: features)


def known(baskets: float = 0, age: float = 0, gap: float = 0, flows: Any = ()) -> Any:
    """One user who knows item 0, or not; others can be bought after it."""

    def cell(value: float) -> sp.csr_matrix:
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
    into = sp.csc_matrix((values, (rows, columns)), shape=(3, 3))
    return SimpleNamespace(history=history, columns=np.arange(3), into=into)


def reason(facts: Any, item: int = 0, **features: float) -> str:
    """The words for one item whose features contribute so much."""
    values = np.zeros((1, 1, len(COLUMNS)), np.float32)
    for name, value in features.items():
        values[0, 0, COLUMNS.index(name)] = value
    lists = Lists(np.array([0]), np.array([[item]]), np.zeros((1, 1)), values)
    return str(explain.Words(facts, ORDER, TITLES, SHELVES).reasons(lists, np.ones((1, 1), bool))[0, 0])


@pytest.mark.parametrize(
    ("facts", "item", "feature", "words"),
    [
        (known(1, 1), 0, "personal/slow.log", "You bought it once, last today"),
        (known(2, 2), 0, "personal/slow.log", "You bought it twice, last yesterday"),
        (known(5, 11), 0, "personal/slow.log", "You bought it 5 times, last 10 days ago"),
        (known(3, 8, 7), 0, "personal/gap", "You buy it about every 7 days, last 7 days ago"),
        (known(3, 8, 7), 0, "personal/days_due", "You buy it about every 7 days, last 7 days ago"),
        (known(flows=[(0, 2, 0.5), (1, 2, 0.6)]), 2, "co_visitation/next.log", "Often in the next basket after Milk"),
        (known(flows=[(0, 2, 0.1), (1, 2, 0.6)]), 2, "complements/all.log", "Often in the next basket after Bread"),
        (known(), 2, "neighbours/habits.log", "Bought by shoppers with baskets like yours"),
        (known(), 2, "transformer/next.log", "Fits your latest baskets"),
        (known(), 2, "linear/next.log", "Fits your latest baskets"),
        (known(), 2, "text/taste.log", "Close to what you buy: bar soap"),
        (known(), 2, "popularity/recent.log", "9 shoppers bought it in the last 4 weeks"),
        (known(), 1, "promotion/stores", "On display or in the mailer this week (2 placements)"),
    ],
)
def test_the_largest_contribution_speaks(facts: Any, item: int, feature: str, words: str) -> None:
    assert reason(facts, item, **{feature: 9}) == words


def test_nobody_is_told_of_a_habit_they_do_not_have() -> None:
    """Recency features may weigh for goods never bought; the words then tell the next reason."""
    never = {"personal/days_since": 9.0, "personal/days_due": 8.0, "popularity/recent.log": 1.0}
    assert reason(known(), 2, **never) == "9 shoppers bought it in the last 4 weeks"
    one_day = {"personal/days_due": 9.0, "personal/slow.log": 1.0}  # bought on one day: no rhythm
    assert reason(known(1, 3), 0, **one_day) == "You bought it once, last 2 days ago"


def test_a_flow_from_nothing_the_user_bought_is_not_told() -> None:
    assert "Often in the next basket" not in reason(known(), 2, **{"co_visitation/next.log": 9})


def test_what_is_alike_names_the_users_item_that_adds_most() -> None:
    texts = np.array([[1, 0], [0.6, 0.8], [0.8, 0.6]], np.float32)
    lists = Lists(np.array([0]), np.array([[2]]), np.zeros((1, 1)), np.zeros((1, 1, len(COLUMNS)), np.float32))
    lists.features[0, 0, COLUMNS.index("text/taste.log")] = 1

    def words(*taken: float) -> str:
        facts = known()
        facts.taken = sp.csr_matrix(np.array([taken], np.float32))
        told = explain.Words(facts, ORDER, TITLES, SHELVES, texts=texts)
        return str(told.reasons(lists, np.ones((1, 1), bool))[0, 0])

    assert words(1, 1, 0) == "Close to Bread, which you bought"  # cosines .8 and .96
    assert words(2, 1, 0) == "Close to Milk, which you bought"
    assert words(0, 1, 9) == "Close to Bread, which you bought"  # not to itself
    assert words(0, 0, 9) == "Close to what you buy: bar soap"


def test_few_buyers_are_not_counted_out() -> None:
    assert explain.popular_words(explain.FEW) == "5 shoppers bought it in the last 4 weeks"
    assert explain.popular_words(1) == "Bought by other shoppers of late"


def test_no_reason_speaks_of_causes() -> None:
    """Only contacts that chance decided tell what causes what; reasons say what a model reads."""
    causal = re.compile(r"\b(because|causes?|caused|makes? you|leads? to|due to|thanks to|effects?|increases?)\b", re.I)
    said = [*explain.GROUP_WORDS.values(), *explain.AUDIENCE_WORDS.values()]
    tree = ast.parse(inspect.getsource(explain))
    said += [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    assert [words for words in said if words not in docs and causal.search(words)] == []


def test_what_was_explained_tells_how_much_each_feature_moved_it() -> None:
    tally = explain.Tally()
    assert tally.means(("a", "b")) == {}
    tally.add(np.array([[1.0, -2.0], [0.0, 3.0]]))
    tally.add(np.array([[-1.0, 0.0]]))
    assert tally.means(("a", "b")) == {"b": pytest.approx(5 / 3, abs=1e-6), "a": pytest.approx(2 / 3, abs=1e-6)}
    assert list(tally.means(("a", "b"))) == ["b", "a"]


def test_every_group_has_words() -> None:
    assert set(explain.GROUP_WORDS) == {*explain.GROUPS.values(), "rhythm"}


def test_only_wanted_places_are_explained() -> None:
    lists = Lists(np.array([0]), np.array([[0, 1, -1]]), np.zeros((1, 3)), np.ones((1, 3, len(COLUMNS)), np.float32))
    out = explain.Words(known(), ORDER, TITLES, SHELVES).reasons(lists, np.array([[False, True, False]]))
    assert [bool(words) for words in out[0]] == [False, True, False]


def test_groups_of_contributions_are_all_but_what_is_the_same_for_all_of_a_users_items() -> None:
    shares = np.random.default_rng(1).normal(size=(20, len(COLUMNS)))
    parts = explain.group_contributions(shares, COLUMNS)
    np.testing.assert_allclose(sum(parts.values()), shares[:, :-1].sum(1))


def test_audience_reasons_are_the_largest_positive_contributions():
    rows = np.zeros((3, len(NAMES)))
    rows[0, [NAMES.index("target_lines_180d"), NAMES.index("baskets_90d")]] = 0.5, 0.9
    rows[1, NAMES.index("spend_90d")], rows[1, NAMES.index("target_share_180d")] = -3, 0.2
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


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("You buy it about every 6 days, last yesterday", "You buy it about every 7 days, last 4 days ago"),
        ("You bought it twice, last 3 days ago", "You bought it twice, last 4 days ago"),
        ("9 shoppers bought it in the last 4 weeks", "You bought it twice, last 4 days ago"),
        (
            "On display or in the mailer this week (1 placements)",
            "On display or in the mailer this week (3 placements)",
        ),
        ("Often in the next basket after Milk", "Often in the next basket after Milk"),
        ("Close to Milk, which you bought", "Close to Milk, which you bought"),
    ],
)
def test_what_was_said_last_night_is_said_with_tonights_days_and_counts(then, now):
    assert explain.renewed(then, 7.0, 2, 5, 8, 3) == now


@pytest.mark.parametrize("then", ["9 shoppers bought it in the last 4 weeks", "Bought by other shoppers of late"])
def test_of_what_the_user_never_bought_buyers_are_counted_anew(then):
    assert explain.renewed(then, 0.0, 0, 0, 8, 0) == "8 shoppers bought it in the last 4 weeks"
    assert explain.renewed(then, 0.0, 0, 0, 1, 0) == "Bought by other shoppers of late"
    assert explain.renewed("On display or in the mailer this week (2 placements)", 0.0, 0, 0, 8, 0).startswith("8 shop")
