"""Which article a question names: by its number, by its quoted name, or by the words that are not the question's own.

An article is named when its words hold most of what the question says; several may be. Not here: what is said of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.answering.asking import SLOTS, asking_words, example_words
from pipeline.answering.facts import harmless
from pipeline.answering.search import Index, words
from pipeline.answering.tools import Row, Shop

NAMED = 0.62  # least share of a question's other words that an article's name must hold
ALIKE = 0.45  # least cosine at which an article is worth asking about
QUOTE = re.compile(r"[\"“「『]([^\"”」』]+)[\"”」』]")
NUMBER = re.compile(r"(?<![\w.])\d{5,}(?![\w.]|\.\d)")
TOKEN = re.compile(r"[\"“「『][^\"”」』]+[\"”」』]|[A-Za-z]+(?:'[a-z]+)?|\d+(?:[./]\d+)*|[\u3400-\u9fff]+|[^\s\w]")


@dataclass(frozen=True)
class Mention:
    """What a question names.

    Attributes:
        items: the articles that fit, best seller first; empty when none does.
        coverage: how much of the question's own words they hold, 0 to 1.
        said: the question has words that name something, whether or not the shop has it.
        guess: an article that may be meant when none fits.
    """

    items: tuple[Row, ...] = ()
    coverage: float = 0.0
    said: bool = False
    guess: Row | None = None

    @property
    def others(self) -> "Mention":
        """What is left when the first name was not meant; the same when there is but one."""
        left = tuple(row for row in self.items if row["title"] != self.items[0]["title"])
        return replace(self, items=left) if left else self

    @property
    def is_one(self) -> bool:
        """Whether all that fits has one name."""
        return len({row["title"] for row in self.items}) == 1


class Goods:
    """The articles of a shop, to be found in questions."""

    def __init__(self, shop: Shop, vectors: np.ndarray | None = None) -> None:
        """Index the names.

        Args:
            shop: its items.
            vectors: float32 [I, H] of item texts by item id; None finds by words alone.
        """
        self.shop = shop
        rows = shop.items
        titles = rows.column("title").to_pylist()
        names, self._named = np.unique(np.array(titles, dtype=str), return_inverse=True)
        self._order = np.argsort(self._named, kind="stable")
        self._starts = np.searchsorted(self._named[self._order], np.arange(len(names) + 1))
        self._listed = np.asarray(rows.column("is_recommendable"), bool)
        self._bought = np.asarray(rows.column("buyers_recent"), np.int64)
        self._index = Index([str(name) for name in names])
        self._whole = {" ".join(words(str(name))): at for at, name in enumerate(names)}
        self.vectors = vectors

    def mentioned(self, question: str, vector: np.ndarray | None = None) -> Mention:
        """What a question names.

        Args:
            question: as it was asked.
            vector: float32 [H] of it.
        """
        for number in NUMBER.findall(question):
            if (row := self.shop.item(number)) is not None:
                return Mention((row,), 1.0, said=True)
        quoted = QUOTE.findall(question)
        asked = words(" ".join(quoted)) if quoted else self.other_words(question)
        if not asked:
            return Mention()
        if (whole := self._whole.get(" ".join(asked))) is not None:
            return Mention(self._rows([whole]), 1.0, said=True)
        coverage, filled = self._index.held(asked)
        best = float(coverage.max(initial=0.0))
        if best >= NAMED:
            fitting = np.flatnonzero(coverage >= best)
            full = fitting[filled[fitting] >= 1.0]
            return Mention(self._rows(full if len(full) else fitting), best, said=True)
        return Mention(coverage=best, said=True, guess=self._guess(vector))

    def other_words(self, question: str) -> list[str]:
        """Words of a question that no question is made of."""
        return [word for word in words(NUMBER.sub(" ", question)) if word not in asking_words()]

    def masked(self, question: str) -> str:
        """A question with names of goods, campaigns and numbers replaced by what they are."""
        out: list[str] = []
        for token in TOKEN.findall(question):
            held = words(token)
            if QUOTE.fullmatch(token):
                kind = SLOTS["{item}"]
            elif NUMBER.fullmatch(token):
                kind = SLOTS["{item}" if self.shop.item(token) is not None else "{number}"]
            elif held and not set(held) & example_words() and set(held) & self._index.vocabulary.keys():
                kind = SLOTS["{item}"]
            elif token[0].isdigit():
                continue
            else:
                kind = token
            if not (kind in SLOTS.values() and out[-1:] == [kind]):
                out.append(kind)
        return " ".join(out)

    def _guess(self, vector: np.ndarray | None) -> Row | None:
        """The likest article that may stand in a list, best seller first among equals."""
        if vector is None or self.vectors is None or not self._listed.any():
            return None
        likeness = np.where(self._listed, np.round(self.vectors @ vector, 4), -1)
        best = np.lexsort((-self._bought, -likeness))[0]
        if likeness[best] < ALIKE:
            return None
        return self.shop.items_at([int(best)])[0]

    def _rows(self, names: Sequence[int] | np.ndarray) -> tuple[Row, ...]:
        """Items of some names; those that may stand in a list where there are any, best seller first."""
        places = np.concatenate([self._order[self._starts[at] : self._starts[at + 1]] for at in names])
        listed = places[self._listed[places]]
        places = listed if len(listed) else places
        places = places[np.lexsort((places, -self._bought[places]))]
        return tuple(row for row in self.shop.items_at(places) if harmless(row["title"]))
