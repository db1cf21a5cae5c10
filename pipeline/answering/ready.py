"""Precomputed answers by the very words of their questions: given before anything else of a chat is opened.

Of articles of one name the best seller is meant, as in the whole chat; where their prices differ, it is left to that to
say so, and likewise what two answers share the words of. Not here: other ways of asking (`answerer`), and what the
answers are (`shelf`).
"""

import re
import unicodedata
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.answering.facts import Reply
from pipeline.answering.shelf import OF_ITEM, Key, Shelf
from pipeline.answering.tools import Source
from pipeline.contracts.tables import ANSWERS, ITEM_FACTS

KEY = ["asked", "subject", "answer_language"]
# What parts words: marks, and points that no figure follows. `.18 oz` is not `18 oz`.
STOP, APART = r"\.+(\D|$)", r"[^\pL\pN.]+"


def spoken(text: str) -> str:
    """The words of a text: lower case, without marks."""
    plain = re.sub(STOP, r" \1", unicodedata.normalize("NFKC", text).lower())
    return re.sub(r"[^\w.]+|_", " ", plain).strip()


class Ready:
    """Questions of the table `answers`."""

    def __init__(self, source: Source) -> None:
        """Read the questions."""
        self._source = source
        rows = source.table(ANSWERS.name, [*KEY, "question"]).to_pylist()
        self._keys: dict[str, list[Key]] = {}
        for row in rows:
            key = (row["asked"], row["subject"], row["answer_language"])
            self._keys.setdefault(spoken(row["question"]), []).append(key)

    def reply(self, question: str) -> Reply | None:
        """The answer to a question in these words; None where there is none, or more than one may be meant."""
        keys = self._keys.get(spoken(question), [])
        if len({(asked, language) for asked, _, language in keys}) != 1:
            return None
        asked, subject, language = keys[0]
        if asked in OF_ITEM:
            subject = self._meant(asked, subject)
        mine = self._source.table(ANSWERS.name).filter(pc.field("subject") == subject)
        return Shelf.of(mine.to_pylist()).kept(asked, subject, language)

    def _meant(self, asked: str, subject: str) -> str:
        """Of the articles in lists that have an article's name the best seller; empty where their prices differ."""
        listed = self._listed
        twins = listed.filter(pc.equal(listed["name"], listed.filter(pc.field("item_id") == subject)["name"][0]))
        prices = pc.unique(twins["price_cents"].drop_null())
        if asked == "price" and len(prices) > 1:
            return ""
        return str(twins["item_id"][pc.index(twins["buyers_recent"], pc.max(twins["buyers_recent"])).as_py()])

    @cached_property
    def _listed(self) -> pa.Table:
        """Articles that may stand in a list, by item id, and the words of their names."""
        columns = ["item_id", "title", "price_cents", "buyers_recent", "is_recommendable"]
        rows = self._source.table(ITEM_FACTS.name, columns).filter(pc.field("is_recommendable"))
        plain = pc.replace_substring_regex(pc.utf8_lower(rows["title"]), pattern=STOP, replacement=" \\1")
        words = pc.replace_substring_regex(plain, pattern=APART, replacement=" ")
        return rows.append_column("name", pc.utf8_trim_whitespace(words))
