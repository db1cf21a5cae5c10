"""Harmful text counted again in what would be shown: by words cut out one by one, not by the pattern that filters.

Not here: the list (`feeds.harmful`).
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.dataset import Dataset

from pipeline.audit.finding import Finding
from pipeline.feeds.harmful import ENDINGS, words
from pipeline.warehouse.compact import compact

NAME, FEW = "harmful_text", 100_000
SAID = (
    "reason",
    "summary",
    "campaign_name",
    "top_reasons",
    "title",
    "question",
    "answer",
)  # columns of words for people


@cache
def _phrases() -> dict[int, set[tuple[str, ...]]]:
    """Harmful words and phrases with every ending, by their number of words."""
    found: dict[int, set[tuple[str, ...]]] = defaultdict(set)
    for phrase in words()["en"]:
        *head, tail = phrase.split()
        found[len(head) + 1] |= {(*head, tail + ending) for ending in ("", *ENDINGS)}
    return found


@cache
def _heads() -> set[str]:
    """The words that harmful phrases begin with; most texts hold none of them."""
    return {first for known in _phrases().values() for first, *_rest in known}


def is_harmful(text: str) -> bool:
    """Whether a text holds any word of the list."""
    parts = re.findall("[a-z0-9]+", text.lower())
    english = not _heads().isdisjoint(parts) and any(
        tuple(parts[place : place + size]) in known for size, known in _phrases().items() for place in range(len(parts))
    )
    return english or (not text.isascii() and any(word in text for word in words()["zh"]))


def texts(titles: Mapping[str, str], reviews: Mapping[str, str], tables: Mapping[str, Dataset]) -> Finding:
    """Hold what staged tables say, name and quote against the list.

    Args:
        titles: as the shop hands them over, by item id.
        reviews: title and words, by review id.
        tables: staged; read as asked for, column by column.
    """
    rude_items, rude_reviews = (_rude(of.items()) for of in (titles, reviews))
    said = _said(tables.values())
    shown = sum(_holds(table, "item_id", rude_items) for name, table in tables.items() if name not in QUOTING)
    quoted = _quoted(tables, rude_reviews)
    spoken = sum(map(is_harmful, _pythons(said)))
    cases = len(titles) + len(reviews) + len(said)
    if not cases:
        return Finding(NAME, 0, 0, None, "No input: nothing is said or named.")
    found = (
        f"No harmful text is shown: {len(rude_items):,} of {len(titles):,} titles and {len(rude_reviews):,} of "
        f"{len(reviews):,} reviews are kept back; {shown + quoted + spoken:,} places show one."
    )
    return Finding(NAME, cases, shown + quoted + spoken, float(shown + quoted + spoken), found)


# What stands there is an item's own page or a review's own row; it neither recommends nor quotes.
QUOTING = ("item_sentiment", "review_sentiment")


def _rude(texts: Iterable[tuple[str, str]]) -> set[str]:
    return {name for name, text in texts if text and is_harmful(text)}


def _said(tables: Iterable[Dataset]) -> pa.Array:
    """Each text that any table says, once."""
    columns = [compact(table, [name]).column(0) for table in tables for name in SAID if name in table.schema.names]
    flat = (pc.list_flatten(one) if pa.types.is_list(one.type) else one for one in columns)
    known = pc.unique(
        pa.concat_arrays([pa.array([], pa.string()), *(pc.unique(one).cast(pa.string()) for one in flat)])
    )
    return known.filter(pc.fill_null(pc.not_equal(known, ""), False))


def _pythons(texts: pa.Array) -> Iterator[str]:
    """Texts one by one, few at a time as Python's own."""
    for start in range(0, len(texts), FEW):
        yield from texts[start : start + FEW].to_pylist()


def _holds(table: Dataset, column: str, names: Collection[str]) -> int:
    if column not in table.schema.names or not names:
        return 0
    return int(table.count_rows(filter=pc.field(column).isin(sorted(names))))


def _quoted(tables: Mapping[str, Dataset], rude: Collection[str]) -> int:
    """Pieces of evidence that quote a harmful review."""
    if "item_sentiment" not in tables or not rude:
        return 0
    evidence = pc.list_flatten(tables["item_sentiment"].to_table(columns=["evidence"]).column(0))
    return sum(name in rude for name in pc.struct_field(evidence, "review_id").to_pylist())
