"""The placement policy: rates by hand, better items more often, and never beyond the cap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.placements import click_rates, policy


def test_rates_are_drawn_to_the_common_one_the_more_the_less_is_known():
    item, clicked = np.array([0] * 90 + [1] * 10), np.zeros(100)
    clicked[:9] = clicked[90] = 1
    found = click_rates(item, clicked, 3, prior=50)
    assert found == pytest.approx([(9 + 5) / 140, (1 + 5) / 60, 5 / 50])


@given(st.lists(st.floats(1e-4, 0.5), min_size=2, max_size=40), st.floats(1.0, 10.0))
def test_better_items_are_shown_more_often_within_the_cap(rates, cap):
    given_rates = np.array(rates)
    shares = policy(given_rates, cap)
    assert shares.sum() == pytest.approx(1)
    assert shares.max() <= cap / len(rates) + 1e-9
    order = np.argsort(given_rates, kind="stable")
    assert (np.diff(shares[order]) >= -1e-12).all()


def test_a_higher_cap_is_sharper_and_a_cap_of_one_is_chance():
    rates = np.array([0.01, 0.02, 0.03, 0.04])
    assert policy(rates, 1.0) == pytest.approx(np.full(4, 0.25))
    assert policy(rates, 3.0) @ rates > policy(rates, 1.5) @ rates > rates.mean()
