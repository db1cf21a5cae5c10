"""Documents in passages, and the passage that answers a question; where none surely does, none is given."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.answering.facts import LONGEST_TEXT, Fact, harmless
from pipeline.answering.search import Encode, Index, words
from pipeline.answering.shelf import piece
from pipeline.answering.tools import Row

PASSAGE = 320  # characters of a passage at most; a longer sentence stays whole up to twice that
COVERED, ALIKE = 0.5, 0.5  # a passage holds half of what the question says, or means much the same
SENTENCE = re.compile(r"[^.!?。!?\n]+(?:[.!?](?!\s|$)[^.!?。!?\n]*)*[.!?。!?]*")


@dataclass(frozen=True)
class Passage:
    """A passage of a document, how much of the question it holds, and how like it is."""

    document: Row
    text: str
    coverage: float
    likeness: float

    @property
    def fact(self) -> Fact:
        """The passage as a fact: a piece of the document's text."""
        return piece(self.document, self.text)

    @property
    def confidence(self) -> float:
        """The better of the two."""
        return max(self.coverage, self.likeness)


def passages(text: str) -> list[str]:
    """Whole sentences in pieces of about PASSAGE characters, made harmless before they are cut."""
    out: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        held = ""
        for sentence in SENTENCE.findall(harmless(paragraph, LONGEST_TEXT)):
            if held and len(held) + len(sentence) > PASSAGE:
                out.append(held.strip())
                held = ""
            held += sentence[: 2 * PASSAGE]
        if held.strip():
            out.append(held.strip())
    return out


class Library:
    """The shop's documents."""

    def __init__(self, documents: Sequence[Row], encode: Encode | None = None) -> None:
        """Cut documents into passages and index them.

        Args:
            documents: rows of shop_documents.
            encode: unit vectors [N, H] of texts; None finds by words alone.
        """
        self._held = [(row, text) for row in documents for text in passages(row["document_text"])]
        self._encode = encode

    @cached_property
    def _index(self) -> Index:
        texts = [f"{row['document_title']}. {text}" for row, text in self._held]
        return Index(texts, None if self._encode is None else self._encode(texts))

    def find(self, question: str, said: Sequence[str]) -> Passage | None:
        """The passage that answers; None where none surely does.

        Args:
            question: as asked.
            said: its words without those all questions have.
        """
        if not self._held:
            return None
        vector = None if self._encode is None else self._encode([question])[0]
        hits = self._index.find(said or words(question), vector, most=3)
        found = [Passage(*self._held[hit.place], hit.coverage, hit.likeness) for hit in hits]
        return next((one for one in found if one.coverage >= COVERED or one.likeness >= ALIKE), None)
