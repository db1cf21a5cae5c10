"""Harmful text counted again in what would be shown: by words cut out one by one, not by the pattern that filters.

Not here: the list (`feeds.harmful`).
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cache

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.finding import Finding
from pipeline.feeds.harmful import ENDINGS, words

NAME = "harmful_text"
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


def is_harmful(text: str) -> bool:
    """Whether a text holds any word of the list."""
    parts = re.findall("[a-z0-9]+", text.lower())
    english = any(
        tuple(parts[place : place + size]) in known for size, known in _phrases().items() for place in range(len(parts))
    )
    return english or any(word in text for word in words()["zh"])


def texts(titles: Mapping[str, str], reviews: Mapping[str, str], tables: Mapping[str, pa.Table]) -> Finding:
    """Hold what staged tables say, name and quote against the list.

    Args:
        titles: as the shop hands them over, by item id.
        reviews: title and words, by review id.
        tables: staged.
    """
    rude_items, rude_reviews = (_rude(of.items()) for of in (titles, reviews))
    said = {text for table in tables.values() for text in _said(table)}
    shown = sum(_holds(table, "item_id", rude_items) for name, table in tables.items() if name not in QUOTING)
    quoted = _quoted(tables, rude_reviews)
    spoken = len(_rude((text, text) for text in said))
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


def _said(table: pa.Table) -> set[str]:
    found: set[str] = set()
    for name in SAID:
        if name in table.column_names:
            column = table.column(name)
            flat = pc.list_flatten(column) if pa.types.is_list(column.type) else column
            found |= {text for text in pc.unique(flat).to_pylist() if text}
    return found


def _holds(table: pa.Table, column: str, names: Collection[str]) -> int:
    if column not in table.column_names or not names:
        return 0
    return int(pc.sum(pc.is_in(table.column(column), pa.array(sorted(names), pa.string()))).as_py() or 0)


def _quoted(tables: Mapping[str, pa.Table], rude: Collection[str]) -> int:
    """Pieces of evidence that quote a harmful review."""
    rows: pd.Series = (
        tables["item_sentiment"].to_pandas().evidence if "item_sentiment" in tables else pd.Series([], dtype=object)
    )
    return sum(one["review_id"] in rude for evidence in rows for one in evidence)
