"""Templates: both languages, the same slots, and every sentence passes the copy check."""

import re

import pytest

from pipeline.answering import words as phrases
from pipeline.answering.copying import all_copied
from pipeline.answering.facts import LANGUAGES
from pipeline.answering.tools import Account, Shop
from tests.small_shop import ANN, Source, rows


@pytest.mark.parametrize("name", phrases.templates())
def test_a_template_says_the_same_slots_in_every_language_and_no_number(name):
    said = phrases.templates()[name]
    assert set(said) == set(LANGUAGES)
    slots = {language: sorted(re.findall(r"{(\w+)}", text)) for language, text in said.items()}
    assert slots["en"] == slots["zh"]
    assert not any(re.search(r"\d", text) for text in said.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_rests_on_its_facts(language):
    source = Source(rows())
    shop = Shop(source)
    mine = Account(source, shop, ANN)
    items = [shop.item(number) for number in ("10001", "10002", "10003", "10004", "10005")]
    said = [phrases.price(item, language) for item in items] + [phrases.price_span(items, language)]
    said += [
        sentence for item in items for sentence in (*phrases.stock(item, language), *phrases.about(item, language))
    ]
    said += [phrases.opinion(item, shop.opinion(item.key), language) for item in items]
    said += [phrases.campaign(row, language) for row in shop.campaigns]
    said += [sentence for order in mine.orders for sentence in phrases.order(order, language)]
    said += phrases.orders(mine.orders, language) + phrases.offers(mine.offers(), language)
    said += phrases.recommended(mine.recommended(), language) + phrases.profile(mine.profile(), language)
    said += phrases.goes_with(items[0], shop.goes_with("10001"), language)
    assert all_copied(said)
    assert all(sentence.facts for sentence in said)


def test_a_price_that_was_derived_or_is_not_told_is_said_to_be_so():
    shop = Shop(Source(rows()))
    told = {number: phrases.price(shop.item(number), "en").text for number in ("10001", "10004", "10005")}
    assert told == {
        "10001": "“Tomato paste, private brand, 6 oz” costs 0.39 USD.",
        "10004": "The shop tells no price of “Dark chocolate, national brand, 3.5 oz”.",
        "10005": "“Dr Pepper soda, national brand, 12 oz” was last sold at 1.20 USD a piece.",
    }


def test_stock_that_the_shop_does_not_tell_is_not_made_up():
    shop = Shop(Source(rows()))
    said = {number: phrases.stock(shop.item(number), "en")[0].text for number in ("10001", "10003", "10004")}
    assert [words.split("”")[1] for words in said.values()] == [" is in stock.", " is out of stock.", " is in stock."]
    assert said["10004"].startswith("The shop does not tell whether")


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_there_is_nothing_that_is_said(language):
    none = [phrases.orders([], language), phrases.offers([], language), phrases.recommended([], language)]
    assert all(len(said) == 1 and not said[0].facts for said in (*none, phrases.profile(None, language)))
