"""Who rests from a campaign, worked out by hand, and campaigns about what is sensitive."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.features.history import Items
from pipeline.features.responses import Campaign, Contacts, Lines
from pipeline.settings import load_shop
from pipeline.stages import suppressions

TODAY = 100
ITEMS = ["beer", "bread", "milk"]


def inputs(lines=(), contacts=(), **settings):
    """Lines of (user, item, day); contacts of (user, day, is a response)."""
    shop = load_shop("grocer")
    shop = shop.model_copy(update={"audiences": shop.audiences.model_copy(update=settings)})
    user, item, day = np.array(lines, np.int64).reshape(-1, 3).T
    none = np.zeros(len(user), np.int64)
    who, when, answered = np.array(contacts, np.int64).reshape(-1, 3).T
    flags = np.ones(3, bool)
    catalogue = pa.table({"item_id": ITEMS, "category": ["DRUG > ALCOHOL", "GROCERY > BAKERY", None]})
    return SimpleNamespace(
        today=TODAY,
        night=SimpleNamespace(shop=shop),
        lines=Lines(pa.array(["u", "v", "w"]), user, item, day, none, none),
        contacts=Contacts(np.full(len(who), "c", object), who, when, answered.astype(bool)),
        ranking=SimpleNamespace(space=Items(pa.array(ITEMS), flags, flags, none[:0]), catalogue=catalogue),
    )


def about(*items):
    return Campaign("c", "C", "", TODAY, TODAY + 9, np.array(items, np.int64), "")


def test_by_default_nobody_rests():
    assert not suppressions.resting(inputs([(0, 1, TODAY)], [(0, TODAY, 0)] * 9), about(1)).any()


def test_who_was_contacted_as_often_as_the_cap_rests():
    contacts = [(0, TODAY, 0), (0, TODAY - 29, 0), (1, TODAY, 0), (1, TODAY - 30, 0), (2, TODAY, 0), (2, TODAY, 1)]
    rests = suppressions.resting(inputs([], contacts, contact_cap=2, contact_days=30), about())
    assert rests.tolist() == [True, False, False]


def test_who_has_just_bought_all_of_a_few_goods_rests():
    lines = [(0, 1, TODAY), (0, 2, TODAY - 6), (1, 1, TODAY), (1, 1, TODAY - 1), (2, 1, TODAY), (2, 2, TODAY - 7)]
    known = inputs(lines, just_bought_days=7)
    assert suppressions.resting(known, about(1, 2)).tolist() == [True, False, False]
    assert suppressions.resting(known, about(1)).tolist() == [True, True, True]
    assert not suppressions.resting(known, about()).any()
    assert not suppressions.resting(known, about(*range(suppressions.NARROW + 1))).any()


@pytest.mark.parametrize(
    ("items", "barred", "found"),
    [
        ((0, 1), ("drug",), "DRUG"),
        ((1, 2), ("drug",), None),
        ((0,), (), None),
        ((), ("drug",), None),
        ((-1,), ("drug",), None),
    ],
)
def test_a_campaign_about_what_is_sensitive_is_named(items, barred, found):
    assert suppressions.sensitive(inputs(sensitive=barred), about(*items)) == found


def test_room_is_what_the_cap_leaves():
    contacts = [(0, TODAY, 0), (0, TODAY - 1, 0), (0, TODAY, 0), (1, TODAY, 0), (2, TODAY - 30, 0), (2, TODAY, 1)]
    assert suppressions.room(inputs([], contacts, contact_cap=2, contact_days=30)).tolist() == [0, 1, 2]
    assert suppressions.room(inputs([], contacts)) is None
