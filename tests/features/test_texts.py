"""Item texts and the catalogue as models see it."""

import hashlib
from typing import Any

import ibis
import pyarrow as pa
import pytest

from pipeline import engine
from pipeline.contracts.features import CATALOGUE
from pipeline.errors import ConfigError
from pipeline.features import behaviour, texts
from pipeline.feeds import harmful, partitions

ITEM = {
    "item_id": "i", "title": "Hand  Soap\n", "category": "HOME > BATH > SOAP", "brand": "Örtel", "price_cents": 150,
    "in_stock": None, "sold_by_measure": False,
}  # fmt: skip
KINDS = {"price_cents": pa.int64(), "in_stock": pa.bool_(), "sold_by_measure": pa.bool_()}


def items(*changes: dict[str, Any]) -> ibis.Table:
    schema = pa.schema([(name, KINDS.get(name, pa.string())) for name in ITEM])
    return ibis.memtable(
        pa.Table.from_pylist([ITEM | {"item_id": f"i{n}"} | change for n, change in enumerate(changes)], schema)
    )


def text(template: str, **change: Any) -> str:
    rows = items(change)
    (found,) = rows.select(text=texts.item_text(rows, template)).to_pyarrow().column("text").to_pylist()
    return found


@pytest.mark.parametrize(
    ("template", "change", "expected"),
    [
        ("{title}", {}, "hand soap"),
        ("{category}, {brand} brand", {}, "home > bath > soap, örtel brand"),
        ("{category}, {brand} brand", {"brand": None}, "home > bath > soap, brand"),
        ("{brand}", {"brand": None}, ""),
        ("{{{title}}}", {"title": "Soap"}, "{soap}"),
        ("costs {price_cents}", {}, "costs 150"),
        ("{title} {title}", {"title": "{brand}"}, "{brand} {brand}"),  # a value is never a template
    ],
)
def test_a_template_is_filled(template: str, change: dict[str, Any], expected: str) -> None:
    assert text(template, **change) == expected


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{colour}", "no column 'colour'; choose from item_id, title"),
        ("{}", "no column ''"),
        ("{0}", "no column '0'"),
        ("{title.__class__}", "no column 'title.__class__'"),
        ("{title", "write columns as {title}"),
        ("title}", "write columns as {title}"),
        ("", "names no column"),
        ("an item", "names no column"),
    ],
)
def test_a_wrong_template_is_refused(template: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        texts.item_text(items({}), template)
    assert str(refused.value).startswith("encoder.item_text: ") and words in str(refused.value)


def catalogue(rows: ibis.Table, sales: list[tuple[str, int, int, int]], never: tuple[str, ...] = ()) -> dict[str, Any]:
    names = ("item_id", "baskets", "buyers", "buyers_recent")
    table = pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in sales],
        pa.schema([(name, pa.string() if name == "item_id" else pa.int64()) for name in names]),
    )
    found = engine.arrow(texts.catalogue(rows, ibis.memtable(table), "{title}", never), CATALOGUE)
    return {row["item_id"]: row for row in found.to_pylist()}


@pytest.mark.parametrize(
    ("change", "listable", "recommendable"),
    [
        ({}, True, True),
        ({"sold_by_measure": True}, False, False),
        ({"category": "FUEL > GAS"}, False, False),
        ({"category": "FUEL"}, False, False),
        ({"category": "HOME > FUEL"}, True, True),  # only the widest category bars
        ({"category": None}, True, True),
        ({"price_cents": None}, True, False),
        ({"price_cents": 0}, True, False),
        ({"in_stock": False}, True, False),
        ({"in_stock": True}, True, True),
        ({"title": "Soap for morons"}, False, False),
        ({"title": "狗屎"}, False, False),
        ({"item_id": "unsold"}, True, False),
        ({"item_id": "forgotten"}, True, False),
    ],
)
def test_what_may_stand_in_a_list(change: dict[str, Any], listable: bool, recommendable: bool) -> None:
    beside = {"item_id": "beside"}  # the shop tells prices
    found = catalogue(items(change, beside), [("i0", 3, 2, 1), ("forgotten", 3, 2, 0)], ("FUEL",))
    (row,) = (row for item, row in found.items() if item != "beside")
    assert (row["is_listable"], row["is_recommendable"]) == (listable, recommendable)


def test_no_words_made_of_the_catalogue_name_what_is_harmful() -> None:
    found = catalogue(items({"title": "Piss off"}, {}), [("i0", 3, 2, 1)])
    assert (found["i0"]["title"], found["i1"]["title"]) == (harmful.MASK, ITEM["title"])


def test_a_shop_that_tells_no_prices_lists_goods_without() -> None:
    found = catalogue(
        items({"price_cents": None}, {"price_cents": None, "in_stock": False}), [("i0", 3, 2, 1), ("i1", 3, 2, 1)]
    )
    assert {item: row["is_recommendable"] for item, row in found.items()} == {"i0": True, "i1": False}


def test_without_barred_categories_only_measures_are_barred() -> None:
    found = catalogue(items({"category": ""}, {"sold_by_measure": True}), [])
    assert {item: row["is_listable"] for item, row in found.items()} == {"i0": True, "i1": False}


def test_sales_text_and_its_hash_stand_beside_the_item() -> None:
    found = catalogue(items({}, {"title": "HAND SOAP"}, {"title": "Milk"}), [("i0", 3, 2, 1), ("other", 9, 9, 9)])
    assert set(found) == {"i0", "i1", "i2"}
    assert [tuple(found[i][name] for name in ("baskets", "buyers", "buyers_recent")) for i in ("i0", "i1")] == [
        (3, 2, 1),
        (0, 0, 0),
    ]
    assert found["i0"]["text_hash"] == found["i1"]["text_hash"] == hashlib.sha256(b"hand soap").hexdigest()
    assert found["i2"]["text_hash"] != found["i0"]["text_hash"]


def test_the_real_catalogue_has_each_item_once_and_lists_no_fuel(
    landed: Any, grocer: Any, connection: Any, purchases: ibis.Table
) -> None:
    rows = partitions.landed(connection, landed.root, "items", landed.day)
    shop, newest = grocer.shop, partitions.latest(rows, "item_id")
    sales = behaviour.item_sales(purchases, landed.day)
    found = engine.arrow(texts.catalogue(newest, sales, shop.encoder.item_text, shop.never_recommend), CATALOGUE)
    goods = found.to_pylist()
    assert len(goods) == rows.item_id.nunique().to_pyarrow().as_py() > 1000
    barred = [row for row in goods if (row["category"] or "").split(" > ")[0] in shop.never_recommend]
    assert barred and not any(row["is_listable"] for row in barred)
    listed = [row for row in goods if row["is_recommendable"]]
    assert listed and all(row["is_listable"] and row["price_cents"] > 0 and row["buyers_recent"] for row in listed)
