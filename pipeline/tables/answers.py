"""The answers table: what is asked most and needs no user, answered in each language by the code that a talk uses."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.answering import shelf
from pipeline.answering.answerer import Answerer
from pipeline.answering.copying import all_copied
from pipeline.answering.facts import LANGUAGES, SHOP, Reply
from pipeline.answering.library import passages
from pipeline.answering.tools import Row, Shop
from pipeline.answering.words import say
from pipeline.contracts.tables import ANSWERS

TRIED = 400  # questions that the chat is asked each night
QUESTIONS = {
    "price": {"en": "How much is “{name}”?", "zh": "“{name}”多少钱?"},
    "stock": {"en": "Is “{name}” in stock?", "zh": "“{name}”有货吗?"},
    "about": {"en": "What is “{name}”?", "zh": "介绍一下“{name}”"},
    "opinion": {"en": "What do reviews say about “{name}”?", "zh": "“{name}”的评价怎么样?"},
    "campaign": {"en": "Until when does “{name}” run?", "zh": "“{name}”什么时候结束?"},
    "popular": {"en": "What do most people buy?", "zh": "大家都买什么?"},
    "policy": {"en": "“{name}”", "zh": "“{name}”"},
}


def rows(shop: Shop, most: int) -> pa.Table:
    """Answers about the best sellers, live campaigns, documents and the shop; only what passes the copy check.

    Args:
        shop: what anybody may know, of the staged night.
        most: items that answers are made for.
    """
    told = [
        _row(reply, name) for reply, name in _replies(shop, most) if reply.sentences and all_copied(reply.sentences)
    ]
    return pa.Table.from_pylist(told, ANSWERS.schema)


def tried(answers: pa.Table, chat: Answerer, most: int = TRIED) -> pa.Table:
    """The same rows with what the chat makes of their questions: the first of each language, best sellers first.

    Args:
        answers: as of `rows`.
        chat: answers from the same tables, by the models that serve tonight.
        most: rows that are tried.
    """
    told, left = answers.to_pylist(), dict.fromkeys(LANGUAGES, most // len(LANGUAGES))
    for row in told:
        if left[row["answer_language"]]:
            left[row["answer_language"]] -= 1
            reply = chat.reply((row["question"],))
            same = (reply.asked, reply.subject) == (row["asked"], row["subject"])
            row["is_understood"] = same and not reply.abstained
    return pa.Table.from_pylist(told, ANSWERS.schema)


def _replies(shop: Shop, most: int) -> Iterator[tuple[Reply, str]]:
    items = best_sellers(shop, most)
    for language in LANGUAGES:
        for item in items:
            for asked in shelf.OF_ITEM:
                yield shelf.of_item(shop, asked, item, language), item.fact("title").shown
        for row in shop.campaigns:
            yield shelf.campaign(row, language), row.fact("campaign_name").shown
        for document in shop.documents:
            yield _document(document, language), document.fact("document_title").shown
        reply = shelf.popular(shop, language)
        if not reply.abstained:
            yield reply, ""


def best_sellers(shop: Shop, most: int) -> list[Row]:
    """Items that may stand in a list, most bought of late first, ties by item id."""
    listed = np.where(shop.items.column("is_recommendable"), shop.items.column("buyers_recent"), -1)
    best = np.lexsort((np.arange(len(listed)), -listed))[:most]
    return shop.items_at(best[listed[best] >= 0])


def _document(document: Row, language: str) -> Reply:
    """How a document begins."""
    first = passages(document["document_text"])[:1]
    said = [
        say("passage", language, document=document.fact("document_title"), passage=shelf.piece(document, text))
        for text in first
    ]
    return Reply("policy", document.key, language, tuple(said), shelf.TOLD)


def _row(reply: Reply, name: str) -> dict[str, Any]:
    return {
        "asked": reply.asked,
        "subject": reply.subject if reply.asked != "popular" else SHOP,
        "answer_language": reply.language,
        "question": QUESTIONS[reply.asked][reply.language].format(name=name),
        "answer": reply.text,
        "answer_facts": [asdict(fact) for fact in reply.facts],
        "confidence": reply.confidence,
    }
