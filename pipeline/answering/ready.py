"""Precomputed answers by the very words of their questions: given before anything else of a chat is opened.

A question whose words several answers share, or whose article another has the name of, is left to the whole chat, which
says so. Not here: other ways of asking (`answerer`), and what the answers are (`shelf`).
"""

import re
import unicodedata

import pyarrow.compute as pc

from pipeline.answering.facts import Reply
from pipeline.answering.shelf import OF_ITEM, Key, Shelf
from pipeline.answering.tools import Source
from pipeline.contracts.tables import ANSWERS, ITEM_FACTS

KEY = ["asked", "subject", "answer_language"]
APART = r"[^\pL\pN]+"


def spoken(text: str) -> str:
    """The words of a text: lower case, without marks."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).lower()).strip()


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
        if len(keys) != 1 or not self._is_alone(*keys[0][:2]):
            return None
        asked, subject, language = keys[0]
        mine = self._source.table(ANSWERS.name).filter(pc.field("subject") == subject)
        return Shelf.of(mine.to_pylist()).kept(asked, subject, language)

    def _is_alone(self, asked: str, subject: str) -> bool:
        """Whether no other article has the name of the one that is asked of."""
        if asked not in OF_ITEM:
            return True
        rows = self._source.table(ITEM_FACTS.name, ["item_id", "title"])
        names = pc.utf8_trim_whitespace(
            pc.replace_substring_regex(pc.utf8_lower(rows.column("title")), pattern=APART, replacement=" ")
        )
        own = names.filter(pc.equal(rows.column("item_id"), subject))
        return len(own) == 1 and pc.sum(pc.equal(names, own[0])).as_py() == 1
