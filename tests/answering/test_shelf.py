"""Precomputed answers are those that the tables give."""

from dataclasses import replace

import pytest

from pipeline.answering.facts import LANGUAGES
from pipeline.answering.shelf import OF_ITEM, TOLD, UNTOLD, Shelf, campaign, of_item, popular
from pipeline.answering.tools import Shop
from pipeline.tables import answers
from tests.small_shop import Source, rows


@pytest.fixture(scope="module")
def shop():
    return Shop(Source(rows()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_kept_answer_is_the_one_that_would_be_made(shop, language):
    kept, empty = Shelf.of(answers.rows(shop, 10).to_pylist()), Shelf({})
    item, row = shop.item("10001"), shop.campaigns[0]
    pairs = [(kept.of_item(shop, asked, item, language), of_item(shop, asked, item, language)) for asked in OF_ITEM]
    pairs += [
        (kept.popular(shop, language), popular(shop, language)),
        (kept.campaign(row, language), campaign(row, language)),
    ]
    for found, made in pairs:
        assert found.source == "answers"
        assert (found.text, found.facts, found.confidence) == (made.text, made.facts, made.confidence)
        assert replace(found, source="tools", sentences=()) == replace(made, sentences=())
    assert empty.of_item(shop, "price", item, language).source == "tools"


def test_less_is_sure_where_the_shop_does_not_tell(shop):
    assert of_item(shop, "price", shop.item("10001"), "en").confidence == TOLD
    assert of_item(shop, "price", shop.item("10004"), "en").confidence == UNTOLD
    assert of_item(shop, "stock", shop.item("10004"), "en").confidence == UNTOLD
    assert of_item(shop, "opinion", shop.item("10004"), "en").confidence == UNTOLD


def test_a_shop_that_sold_nothing_has_no_favourites():
    given = {"item_facts": [dict(one, buyers_recent=0) for one in rows()["item_facts"]]}
    assert popular(Shop(Source(given)), "en").abstained
