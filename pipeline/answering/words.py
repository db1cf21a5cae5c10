"""What is said of what was looked up, in English and Chinese: templates alone, filled with facts and nothing else.

Names stand in “quotes”, as the copy check expects. Not here: what to look up (`answerer`).
"""

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources

from pipeline.answering.facts import Fact, Sentence
from pipeline.answering.tools import Order, Row


@cache
def templates() -> dict[str, dict[str, str]]:
    """Templates by name and language, from `words.json`."""
    text = resources.files("pipeline.answering").joinpath("words.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def say(name: str, language: str, **facts: Fact) -> Sentence:
    """A template filled with the shown values of facts, which it then rests on."""
    words = templates()[name][language].format(**{slot: fact.shown for slot, fact in facts.items()})
    return Sentence(words, tuple(facts.values()))


def price(item: Row, language: str) -> Sentence:
    """What an item costs, or that the shop does not tell."""
    title = item.fact("title")
    if item["price_cents"] is None:
        return say("price_untold", language, title=title)
    name = "price_derived" if item["price_is_derived"] else "price"
    return say(name, language, title=title, price=item.fact("price_cents"))


def price_span(items: Sequence[Row], language: str) -> Sentence:
    """What several items cost: the cheapest and the dearest, ties by item id."""
    priced = sorted((row for row in items if row["price_cents"] is not None), key=lambda r: (r["price_cents"], r.key))
    cheap, dear = priced[0], priced[-1]
    facts = {"low": cheap.fact("price_cents"), "cheap": cheap.fact("title")}
    return say("price_span", language, **facts, high=dear.fact("price_cents"), dear=dear.fact("title"))


def stock(item: Row, language: str) -> list[Sentence]:
    """Whether an item is in stock; where the shop does not tell, how it sold."""
    title = item.fact("title")
    if item["in_stock"] is None:
        told = [say("stock_untold", language, title=title)]
        if item["buyers_recent"]:
            told.append(say("sold_lately", language, buyers=item.fact("buyers_recent")))
        return told
    name = "stock_yes" if item["in_stock"] else "stock_no"
    sentence = say(name, language, title=title)
    return [Sentence(sentence.text, (*sentence.facts, item.fact("in_stock")))]


def about(item: Row, language: str) -> list[Sentence]:
    """What is known of an item beside its price: brand, size, shelf."""
    title = item.fact("title")
    slots = {"brand": "brand", "package_size": "size", "category": "shelf"}
    return [
        say(name, language, title=title, **{column if column == "category" else name: item.fact(column)})
        for column, name in slots.items()
        if item[column]
    ]


def opinion(item: Row, found: Row | None, language: str) -> Sentence:
    """What reviews say of an item."""
    title = item.fact("title")
    if found is None:
        return say("opinion_none", language, title=title)
    counts = {name: found.fact(f"{name}_mentions") for name in ("positive", "negative")}
    return say("opinion", language, title=title, mentions=found.fact("mentions"), **counts)


def order(found: Order, language: str, lines: int = 10) -> list[Sentence]:
    """An order and what it holds."""
    number, day = found.row.fact("order_id"), found.row.fact("ordered_on")
    if found.row["order_cents"] is None:
        told = [say("order_bare", language, order=number, day=day)]
    else:
        told = [say("order", language, order=number, day=day, total=found.row.fact("order_cents"))]
    for item, pieces in found.lines[:lines]:
        held = Fact(found.row.table, found.row.key, "order_lines", f"{pieces}")
        told.append(say("order_line", language, pieces=held, title=item.fact("title")))
    return told


def orders(found: Sequence[Order], language: str, most: int = 5) -> list[Sentence]:
    """The latest orders, a sentence each."""
    if not found:
        return [say("orders_none", language)]
    return [
        say("order_listed", language, order=one.row.fact("order_id"), day=one.row.fact("ordered_on"))
        for one in found[:most]
    ]


def offers(found: Sequence[tuple[Row, Row, Row]], language: str) -> list[Sentence]:
    """Offers meant for a user: the placement, its campaign, and the item shown."""
    told = []
    for placement, campaign_row, item in found:
        facts = {"campaign": campaign_row.fact("campaign_name"), "ends": campaign_row.fact("ends_on")}
        sentence = say("offer", language, title=item.fact("title"), **facts)
        told.append(Sentence(sentence.text, (*sentence.facts, placement.fact("item_id"))))
    return told or [say("offers_none", language)]


def campaign(row: Row, language: str) -> Sentence:
    """When a campaign runs."""
    facts = {"campaign": row.fact("campaign_name"), "starts": row.fact("starts_on"), "ends": row.fact("ends_on")}
    return say("campaign", language, **facts)


def recommended(found: Sequence[tuple[Row, Row]], language: str) -> list[Sentence]:
    """The first places of a user's list, each with the reason that the list gives."""
    told = []
    for place, item in found:
        sentence = say("recommended", language, title=item.fact("title"), reason=place.fact("reason"))
        told.append(Sentence(sentence.text, (*sentence.facts, place.fact("item_id"))))
    return told or [say("recommended_none", language)]


def goes_with(item: Row, found: Sequence[tuple[Row, Row]], language: str) -> list[Sentence]:
    """What goes with an item, as the table says."""
    told = [
        say("goes_with", language, title=other.fact("title"), reason=place.fact("reason")) for place, other in found
    ]
    return told or [say("goes_with_none", language, title=item.fact("title"))]


def profile(row: Row | None, language: str) -> list[Sentence]:
    """What the shop has noted of a user."""
    if row is None:
        return [say("profile_none", language)]
    return [say("profile", language, summary=row.fact("summary"))]
