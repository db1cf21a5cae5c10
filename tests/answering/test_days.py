"""Days are told from the business day, whatever stands around them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answering.days import named, plain

TODAY = date(2017, 11, 30)  # a Thursday


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
    assert named(f"it was {text}!", TODAY) == date.fromisoformat(day)


def test_a_day_that_is_none_is_not_named():
    assert named("on 2017-02-31, feb 31", TODAY) is None
    assert named("may I have 2 of 12 oz", TODAY) is None


def test_the_first_day_that_a_calendar_has_is_meant():
    assert named("not 2017-02-31 but 2017-03-01 or yesterday", TODAY) == date(2017, 3, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("what did I buy on 2017-11-20?", "what did I buy on yesterday?"),
        ("what did I buy today", "what did I buy today"),
        ("我11月20日买了什么", "我昨天买了什么"),
        ("2 of 12 oz", "2 of 12 oz"),
    ],
)
def test_what_is_asked_does_not_hang_on_the_day(text, said):
    assert plain(text) == said


@given(st.integers(1, 300))
def test_days_ago_are_counted(days):
    assert named(f"{days} days ago", TODAY) == TODAY - timedelta(days)


@given(st.text(max_size=40))
def test_whatever_is_said_names_a_day_or_none(text):
    assert named(text, TODAY) is None or isinstance(named(text, TODAY), date)
