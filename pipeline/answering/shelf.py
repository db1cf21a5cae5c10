"""Answers that need no user: made once a night for the table, and the same ones, by the same code, in a talk.

A precomputed answer is looked up by what is asked, of what and in which language, so every way of asking gets it.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.answering import words as phrases
from pipeline.answering.facts import SHOP, Fact, Reply, Sentence
from pipeline.answering.tools import Row, Shop
from pipeline.answering.words import say

OF_ITEM = ("price", "stock", "about", "opinion")
TOLD, UNTOLD = 1.0, 0.5  # confidence where the shop tells the fact, and where it tells that it does not
Key = tuple[str, str, str]


class Shelf:
    """Precomputed answers by what is asked, subject and language; what is not among them is made from the tables."""

    def __init__(self, rows: Mapping[Key, Mapping[str, Any]]) -> None:
        """Keep rows of the table answers."""
        self._rows = rows

    @classmethod
    def of(cls, rows: list[dict[str, Any]]) -> "Shelf":
        """From rows of the table."""
        return cls({(row["asked"], row["subject"], row["answer_language"]): row for row in rows})

    def of_item(self, shop: Shop, asked: str, item: Row, language: str) -> Reply:
        """What is asked of an article."""
        return self.kept(asked, item.key, language) or of_item(shop, asked, item, language)

    def popular(self, shop: Shop, language: str) -> Reply:
        """What most users bought of late."""
        return self.kept("popular", SHOP, language) or popular(shop, language)

    def campaign(self, row: Row, language: str) -> Reply:
        """When a campaign runs."""
        return self.kept("campaign", row.key, language) or campaign(row, language)

    def kept(self, asked: str, subject: str, language: str) -> Reply | None:
        """The row of that key; None where there is none."""
        row = self._rows.get((asked, subject, language))
        if row is None:
            return None
        facts = tuple(Fact(**fact) for fact in row["answer_facts"])
        sentence = Sentence(row["answer"], facts)
        return Reply(asked, subject, language, (sentence,), row["confidence"], source="answers")


def of_item(shop: Shop, asked: str, item: Row, language: str) -> Reply:
    """Price, stock, facts or reviews of an article."""
    untold = False
    if asked == "price":
        said, untold = [phrases.price(item, language)], item["price_cents"] is None
    elif asked == "stock":
        said, untold = phrases.stock(item, language), item["in_stock"] is None
    elif asked == "opinion":
        found = shop.opinion(item.key)
        said, untold = [phrases.opinion(item, found, language)], found is None
    else:
        said = phrases.about(item, language) or [phrases.price(item, language)]
    return Reply(asked, item.key, language, tuple(said), UNTOLD if untold else TOLD)


def popular(shop: Shop, language: str) -> Reply:
    """What most users bought of late."""
    said = [
        say("popular", language, buyers=row.fact("buyers_recent"), title=row.fact("title")) for row in shop.popular()
    ]
    return Reply("popular", SHOP, language, tuple(said) or (say("unknown", language),), TOLD, abstained=not said)


def campaign(row: Row, language: str) -> Reply:
    """When a campaign runs."""
    return Reply("campaign", row.key, language, (phrases.campaign(row, language),), TOLD)


def piece(document: Row, text: str) -> Fact:
    """A passage of a document as a fact."""
    return Fact(document.table, document.key, "document_text", text)
