"""The rate: a burst, then as time goes by, each caller alone."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.chat import limits
from pipeline.chat.limits import Limits


def at(times):
    return iter(times).__next__


def test_a_burst_and_then_one_each_while():
    allowed = Limits(60, burst=2, clock=at([0, 0, 0, 0.5, 1.0, 1.1, 9, 9, 9]))
    assert [allowed.allows("a") for _ in range(9)] == [True, True, False, False, True, False, True, True, False]


def test_callers_do_not_share():
    allowed = Limits(1, burst=1, clock=at([0, 0, 0]))
    assert [allowed.allows(one) for one in "aba"] == [True, True, False]


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 5))
def test_no_more_than_the_burst_and_the_rate_are_ever_allowed(gaps, burst):
    now = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    allowed = Limits(60, burst, clock=at(now))
    count = sum(allowed.allows("a") for _ in gaps)
    assert count <= burst + (now[-1] - now[0] if now else 0) + 1e-6


def test_those_who_were_silent_longest_are_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "CALLERS", 2)
    allowed = Limits(1, burst=1, clock=at([0] * 9))
    assert [allowed.allows(one) for one in "abcca"] == [True, True, True, False, True]
