"""The recount of ad slots: what is placed rightly passes, and whatever is tampered with is found and named."""

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.audit.placements import placements
from pipeline.contracts.tables import AD_PLACEMENTS

SLOTS, PAGES = {"ad": 2, "home": 1}, ["home"]


@pytest.fixture(scope="module")
def shop(make_shop):
    return make_shop(3, 1, users=12)


@pytest.fixture
def staged(shop):
    """Campaign c shows the first six users the first of their list of ads; the rest is the shop's own."""
    lists = shop.tonight["recommendations"].to_pandas().query("surface == 'ad'").sort_values(["user_key", "rank"])
    rows, keys = [], shop.keys.to_pylist()
    for number, key in enumerate(keys):
        first, second = lists[lists.user_key == key].item_id[:2]
        campaign = "c" if number < 6 else None
        rows += [(key, "ad", 1, campaign, first), (key, "ad", 2, None, second), (key, "home", 1, campaign, first)]
    frame = pd.DataFrame(rows, columns=["user_key", "surface", "slot", "campaign_id", "item_id"])
    audience = pd.DataFrame({"campaign_id": "c", "user_key": keys, "is_planned": [n < 6 for n in range(len(keys))]})
    layouts = pd.DataFrame({"user_key": keys, "surface": "home", "module": "offers"})
    tables = {name: pa.Table.from_pandas(one) for name, one in (("ad_audiences", audience), ("page_layouts", layouts))}
    return frame, tables | {"recommendations": shop.tonight["recommendations"]}


def audit(shop, frame, tables, **changes):
    goods = changes.pop("goods", {"c": frame.item_id[frame.campaign_id == "c"].tolist()})
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    return placements(tables | {"ad_placements": rows}, shop.world(**changes), goods, SLOTS, PAGES).finding()


def test_what_is_placed_rightly_passes(shop, staged):
    found = audit(shop, *staged)
    assert (found.cases, found.violations) == (36, 0)


def test_without_ads_there_is_nothing_to_judge(shop, staged):
    none = placements({"ad_placements": AD_PLACEMENTS.schema.empty_table()}, shop.world(), {}, {}, []).finding()
    assert (none.cases, none.sentence[:9]) == (0, "No input:")


def set_at(frame, place, **values):
    frame = frame.copy()
    for name, value in values.items():
        frame.loc[frame.index[place], name] = value
    return frame


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (lambda frame: set_at(frame, 18, campaign_id="c"), "out of the plan"),
        (lambda frame: set_at(frame, 0, campaign_id="d"), "other goods"),
        (lambda frame: set_at(frame, 1, item_id=frame.item_id[0]), "a gap or a repeat"),
        (lambda frame: set_at(frame, 1, campaign_id="c"), "a gap or a repeat"),
        (lambda frame: set_at(frame, 1, slot=3), "no such slot"),
        (lambda frame: set_at(frame, 2, surface="email"), "no such slot"),
        (lambda frame: frame.drop(index=0), "a gap or a repeat"),
        (lambda frame: set_at(frame, 1, item_id="i999"), "in no list of ads"),
        (lambda frame: set_at(frame, 0, item_id="i999"), "barred"),
    ],
)
def test_whatever_is_tampered_with_is_found(shop, staged, tamper, named):
    frame, tables = staged
    goods = {"c": [*frame.item_id[frame.campaign_id == "c"], "i999"]}
    found = audit(shop, tamper(frame), tables, goods=goods)
    assert found.violations > 0
    assert named in found.sentence


def test_goods_of_another_campaign_consents_withdrawn_and_pages_without_offers_are_found(shop, staged):
    frame, tables = staged
    assert "other goods" in audit(shop, frame, tables, goods={"d": frame.item_id.tolist()}).sentence
    assert "without consent" in audit(shop, frame, tables, ads=shop.keys.to_pylist()[1:]).sentence
    bare = tables | {"page_layouts": tables["page_layouts"].slice(1)}
    assert "not on the page" in audit(shop, frame, bare).sentence
