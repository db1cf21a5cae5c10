"""Harmful or insulting text, by a short reviewed list of words in English and Chinese (`harmful_words.json`).

A list is no judge: it finds what is written out, and misses what is meant. What it finds is not shown, and is counted.
Not here: what becomes of it (`features.texts`, `tables.sentiment`), and the recount of what is shown (`audit.texts`).
"""

import json
from functools import cache
from importlib import resources
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

FILE = "harmful_words.json"
ENDINGS = ("s", "es", "ed", "er", "ers", "y", "ing")
MASK = "(name withheld)"


@cache
def words() -> dict[str, tuple[str, ...]]:
    """The words by language."""
    read = json.loads((resources.files("pipeline.feeds") / FILE).read_text(encoding="utf-8"))
    return {language: tuple(read[language]) for language in ("en", "zh")}


@cache
def pattern() -> str:
    """A regular expression of what RE2, Java and Python all know: whole English words, Chinese ones anywhere."""
    whole = "|".join(word.replace(" ", "[^a-z0-9]+") for word in words()["en"])
    chinese = "|".join(words()["zh"])
    return f"(?i)(?:^|[^a-z0-9])(?:{whole})(?:{'|'.join(ENDINGS)})?(?:[^a-z0-9]|$)|(?:{chinese})"


def is_harmful(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text holds any of the words; a missing one holds none."""
    return text.fill_null("").re_search(pattern())


def harmful(texts: "pa.Array[Any] | pa.ChunkedArray[Any]") -> "pa.Array[Any]":
    """The same of texts at hand: booleans [n] without nulls."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    return pc.fill_null(pc.match_substring_regex(texts.cast(pa.string()), pattern()), False)
