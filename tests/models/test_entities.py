"""What turns name: known ones by hand, and laws that hold whatever is said."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.entities import KINDS, Names, entities

TODAY = date(2017, 11, 30)  # a Thursday
NAMES = Names(
    ["p1", "p2", "p3", "p4", "p5"],
    ["Pepperoni Pizza", "Diet Coke 12 oz", "Classic Caesar Salad", "牛肉干", "Cheese Pizza"],
)


def told(text):
    return [(one.kind, one.value) for one in entities(text, NAMES, TODAY)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("2 peperoni pizzas and a large diet coke",
         [("quantity", "2"), ("item", "p1"), ("size", "large"), ("item", "p2")]),
        ("a dozen classic caesar salads", [("quantity", "12"), ("item", "p3")]),
        ("pepperoni pizza diet coke", [("item", "p1"), ("item", "p2")]),
        ("订单号123456 昨天买的牛肉干两包",
         [("order", "123456"), ("date", "2017-11-29"), ("item", "p4"), ("quantity", "2")]),
        ("where is order no. A-12345", [("order", "A-12345")]),
        ("#998877 please", [("order", "998877")]),
        ("I have nothing to say", []),
        ("quantum chromodynamics", []),
    ],
)  # fmt: skip
def test_what_is_named(text, named):
    assert told(text) == named


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("yesterday", "2017-11-29"),
        ("the day before yesterday", "2017-11-28"),
        ("last Monday", "2017-11-27"),
        ("last thursday", "2017-11-23"),
        ("next thursday", "2017-12-07"),
        ("this thursday", "2017-11-30"),
        ("3 days ago", "2017-11-27"),
        ("2 weeks ago", "2017-11-16"),
        ("2017-1-5", "2017-01-05"),
        ("Nov 3rd", "2017-11-03"),
        ("3 January", "2018-01-03"),  # the nearest one
        ("December 24, 2016", "2016-12-24"),
        ("1月3号", "2018-01-03"),
        ("2017年1月3日", "2017-01-03"),
        ("29 february", "2016-02-29"),
        ("5天前", "2017-11-25"),
    ],
)
def test_days_are_told_from_the_business_day(text, day):
    assert told(f"it was {text}!") == [("date", day)]


def test_a_day_that_is_none_is_not_named():
    assert "date" not in {kind for kind, _ in told("on 2017-02-31, feb 31")}


def test_an_item_that_may_be_several_says_which():
    (one,) = [one for one in entities("a pizza", NAMES, TODAY) if one.kind == "item"]
    assert set(one.candidates) == {"p1", "p5"}
    assert one.score < 0.9


def test_the_earlier_of_equal_items_is_meant():
    assert Names(["b", "a"], ["Tea", "Tea"]).find("tea")[0].candidates == ("b", "a")


SAID = st.lists(
    st.sampled_from(["pepperoni pizza", "2", "two", "large", "12 oz", "order 12345", "#99887", "yesterday", "nov 3",
                     "牛肉干", "and", "please", "!", "牛", "9876543210"])
).map(" ".join) | st.text(max_size=30)  # fmt: skip


@given(SAID)
def test_each_stands_where_it_says_and_none_but_items_and_sizes_overlap(text):
    found = entities(text, NAMES, TODAY)
    for one in found:
        assert one.kind in KINDS
        assert text[one.start : one.stop] == one.text
        assert 0 < one.score <= 1
        if one.kind == "date":
            date.fromisoformat(one.value)
    apart = [one for one in found if one.kind not in ("item",)]
    for one in apart:
        assert not any(one.start < other.stop and other.start < one.stop for other in apart if other is not one)
    assert found == entities(text, NAMES, TODAY)


@given(st.integers(1, 300))
def test_days_ago_are_counted(days):
    assert told(f"{days} days ago") == [("date", (TODAY - timedelta(days)).isoformat())]
