"""Layouts recounted: anchors, moves tonight and over a week, what had to go, and the categories a profile names."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from pipeline.audit import pages

HOME = ["offers", "buy_again", "your_categories", "new_for_you"]
CART = ["complements", "offers"]
LAYOUTS, PROFILES = pages.LAYOUTS, pages.PROFILES


@pytest.fixture(scope="module")
def world(make_shop):
    """The second night of a shop, 2 June 2017."""
    return make_shop(1, 2, users=3).world(readable=["ann", "bob"])


def layout(home=(), cart=CART, moved=None, cause="kept", user="ann", changed=()):
    """One user's pages, and the day of the last move; `changed` are slots of home that say another cause."""
    home = home or HOME
    rows = [
        {
            "user_key": user, "surface": surface, "slot": slot, "module": module, "is_anchor": slot == 1,
            "moved_on": moved, "change_cause": cause if surface == "home" and slot in changed else "kept",
        }
        for surface, modules in (("home", home), ("cart", cart))
        for slot, module in enumerate(modules, start=1)
    ]  # fmt: skip
    return {LAYOUTS: pa.Table.from_pylist(rows)}


SWAPPED = ["offers", "your_categories", "buy_again", "new_for_you"]
REPLACED = ["offers", "buy_again", "your_categories", "complements"]
TODAY = date(2017, 6, 2)


@pytest.mark.parametrize(
    ("now", "violations"),
    [
        (layout(), 0),
        (layout(SWAPPED, moved=TODAY), 0),
        (layout(REPLACED, moved=TODAY), 0),
        (layout(SWAPPED), 1),
        (layout(moved=TODAY), 1),
        (layout(["buy_again", "offers", "your_categories", "new_for_you"]), 1),
        (layout(["complements", *HOME[1:]]), 1),
        (layout(["offers", "your_categories", "new_for_you", "buy_again"]), 1),
        (layout(["offers", "complements", "your_categories", "top_rated"]), 1),
        (layout(SWAPPED, cart=["complements", "buy_again"]), 1),
        (layout(REPLACED, cart=["complements", "buy_again"], moved=TODAY, cause="forced", changed=[4]), 0),
        (layout(SWAPPED, cart=["complements", "buy_again"], cause="forced", changed=[2, 3]), 1),
        (layout(HOME[:3], moved=TODAY), 0),
        (layout(HOME[:2]), 1),
    ],
    ids=[
        "the same", "a swap", "a replacement", "a move untold", "a move made up", "an anchor swapped",
        "an anchor replaced", "three turned", "two replaced", "two pages", "one forced", "a swap called forced",
        "a slot less", "two slots less",
    ],
)  # fmt: skip
def test_anchors_stay_and_a_night_has_one_move(world, now, violations):
    found = pages.moves(now, layout(), world).finding()
    assert (found.cases, found.violations) == (1, violations)
    assert found.promise == "G6_layouts"


@pytest.mark.parametrize(("days", "violations"), [(1, 1), (6, 1), (7, 0), (30, 0)])
def test_a_second_move_waits_for_a_week(world, days, violations):
    assert world.day == TODAY
    moved = TODAY - timedelta(days)
    assert pages.moves(layout(SWAPPED, moved=TODAY), layout(moved=moved), world).violations == violations
    assert pages.moves(layout(moved=moved), layout(moved=moved), world).violations == 0
    assert pages.moves(layout(), layout(moved=moved), world).violations == 1, "forgotten"


def test_what_changes_with_a_consent_is_no_move(world):
    turned = ["offers", "new_for_you", "buy_again", "your_categories"]
    default = layout(turned, cause="forced", changed=[2, 3, 4], user="cid")
    assert pages.moves(default, layout(user="cid"), world).violations == 0
    assert pages.moves(layout(turned, user="cid"), layout(user="cid"), world).violations == 1


@pytest.mark.parametrize(("tonight", "last", "words"), [({}, layout(), "No input"), (layout(), {}, "No baseline")])
def test_without_layouts_it_says_so(world, tonight, last, words):
    found = pages.moves(tonight, last, world).finding()
    assert (found.cases, found.violations, found.worst) == (0, 0, None)
    assert found.sentence.startswith(words)


def test_a_home_page_keeps_the_categories_a_profile_names(world):
    liked, none = [{"name": "Dairy", "share": 0.5, "baskets": 3}], []
    profiles = pa.Table.from_pylist(
        [
            {"user_key": user, "category_affinities": names}
            for user, names in (("ann", liked), ("bob", none), ("cid", liked))
        ]
    )
    without = ["offers", "buy_again", "new_for_you"]
    rows = [layout(without, user=user)[LAYOUTS] for user in ("ann", "bob", "cid")]
    found = pages.lost_categories({LAYOUTS: pa.concat_tables(rows), PROFILES: profiles}, world)
    assert found == {"ann"}, "Bob's profile names none, Cid's may not be read"
    assert pages.lost_categories(layout() | {PROFILES: profiles}, world) == set()
    assert pages.lost_categories({PROFILES: profiles}, world) == set()
