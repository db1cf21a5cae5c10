"""A layout file as arrays: slots in order, a candidate for what has no input, the top category required at home."""

import numpy as np
import pytest

from pipeline.balance.plan import Plan
from pipeline.pages import MODULES, Page, load_pages


def a_page(*slots: str, anchors: tuple[str, ...] = (), candidates: tuple[str, ...] = ()) -> Page:
    named = [{"module": module, "anchor": module in anchors} for module in slots]
    return Page.model_validate({"slots": named, "candidates": candidates})


HOME = a_page("offers", "buy_again", "your_categories", anchors=("offers",), candidates=("continue", "top_rated"))
CART = a_page("complements", "offers")


def names(modules: np.ndarray) -> list[str]:
    return [MODULES[module] for module in modules]


def order(plan: Plan, page: int) -> list[str]:
    allowed = np.flatnonzero(plan.place[page] >= 0)
    return names(allowed[np.argsort(plan.place[page, allowed])])


def test_slots_of_all_pages_stand_one_after_another() -> None:
    plan = Plan.of({"home": HOME, "cart": CART}, ())
    assert names(plan.default) == ["offers", "buy_again", "your_categories", "complements", "offers"]
    assert plan.page.tolist() == [0, 0, 0, 1, 1] and plan.slot.tolist() == [1, 2, 3, 1, 2]
    assert plan.anchor.tolist() == [True, False, False, False, False]
    assert plan.visibility.tolist() == [*HOME.visibility, *CART.visibility]
    assert order(plan, 0) == list(HOME.modules) and order(plan, 1) == list(CART.modules)
    assert names(np.flatnonzero(plan.required[0])) == ["your_categories"] and not plan.required[1].any()
    assert names(np.flatnonzero(plan.may_enter(0))) == [m for m in MODULES if m in HOME.modules and m != "offers"]
    assert plan.open(0).tolist() == [1, 2] and plan.open(1).tolist() == [3, 4]


def test_a_candidate_takes_the_slot_of_a_module_without_input_and_no_anchor_is_made_of_it() -> None:
    plan = Plan.of({"home": HOME, "cart": CART}, {"offers", "continue"})
    assert names(plan.default) == ["top_rated", "buy_again", "your_categories", "complements"]
    assert not plan.anchor.any()
    assert plan.visibility.tolist() == [*HOME.visibility, CART.visibility[0]], "the cart has a slot less"
    assert order(plan, 0) == ["top_rated", "buy_again", "your_categories"]


def test_a_more_visible_slot_comes_first_wherever_it_is() -> None:
    page = Page.model_validate(
        {"slots": [{"module": "offers", "visibility": 0.2}, {"module": "buy_again", "visibility": 0.9}]}
    )
    assert Plan.of({"cart": page}, ()).open(0).tolist() == [1, 0]


@pytest.mark.parametrize("name", ["default", "grocer", "movies"])
def test_built_in_pages_hold_each_module_once(name: str) -> None:
    plan = Plan.of(load_pages(name).surfaces, ())
    for page in range(len(plan.place)):
        held = plan.default[plan.page == page]
        assert len(set(held.tolist())) == len(held) and (plan.place[page, held] >= 0).all()
