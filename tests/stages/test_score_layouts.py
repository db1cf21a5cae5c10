"""What the judged week says of three orders of a page; the rest of the stage is run by tests/test_night.py."""

import numpy as np
import pytest

from pipeline.balance.dwell import Patience, Worth
from pipeline.balance.plan import Plan
from pipeline.pages import MODULES, Page
from pipeline.stages.score_layouts import judged

PAGE = Page.model_validate(
    {
        "slots": [{"module": "offers", "anchor": True}, {"module": "buy_again"}, {"module": "your_categories"}],
        "candidates": ["shop_favourites"],
    }
)
PLAN = Plan.of({"cart": PAGE}, ())
FAVOURITES, AGAIN = MODULES.index("shop_favourites"), MODULES.index("buy_again")
CALM = Patience(dwell=7, moves=1, margin=0.1)


def test_an_order_gains_what_it_shows_higher() -> None:
    users = 40
    hits = np.zeros((users, len(MODULES)))
    hits[:30, AGAIN], hits[30:, FAVOURITES] = 4, 4
    value = np.where(hits > 0, 4.0, 0.1)
    worth = Worth(value, np.ones_like(value, bool), hits.mean(axis=0))
    found = judged(PLAN, worth, CALM, hits, seed=7)
    second, third = PLAN.visibility[1:3]
    # For all, buy_again comes first and shop_favourites next; by default shop_favourites are not on the page.
    assert found["layout/hits/default"] == pytest.approx(0.75 * 4 * second)
    assert found["layout/hits/common"] == pytest.approx(4 * (0.75 * second + 0.25 * third))
    assert found["layout/hits/own"] == pytest.approx(4 * second)
    assert found["layout/gain/own_over_common_low"] > 0 < found["layout/gain/common_over_default_low"]


def test_what_nobody_took_says_nothing() -> None:
    nothing = np.zeros((3, len(MODULES)))
    assert judged(PLAN, Worth(nothing, nothing > -1, nothing[0]), CALM, nothing, seed=7) == {}
