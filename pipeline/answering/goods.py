"""Which article a question names: by its number, by its quoted name, or by the words that are not the question's own.

An article is named when its words hold most of what the question says; several may be. A name without quotes is known
by its words standing side by side, and a word of it may be misspelled. Not here: what is said of it.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from itertools import islice, takewhile

import numpy as np

from pipeline.answering.asking import SLOTS, asking_words, example_words
from pipeline.answering.facts import harmless
from pipeline.answering.meaning import Meaning
from pipeline.answering.search import WORD, Index, words
from pipeline.answering.tools import Row, Shop

NAMED = 0.62  # least share of a question's other words that an article's name must hold
ALIKE = 0.45  # least cosine at which an article is worth asking about
FILLERS = 1  # words of speech in a question that names an article by one word, at most
CLOSE, SPELLED = 0.84, 5  # how alike a misspelled word must be, and from how many letters on it is tried
REMEMBERED = 10_000  # spellings
QUOTE = re.compile(r"[\"“「『]([^\"”」』]+)[\"”」』]")
NUMBER = re.compile(r"(?<![\w.])\d{5,}(?![\w.]|\.\d)")
ENDS = re.compile(r"[.:;?!。:;?!]")
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

    def __init__(self, shop: Shop, meaning: Meaning | None = None) -> None:
        """Index the names.

        Args:
            shop: its items.
            meaning: vectors of texts and items; None finds by words alone.
        """
        self.shop, self._meaning = shop, meaning
        rows = shop.items
        titles = rows.column("title").to_pylist()
        names, self._named = np.unique(np.array(titles, dtype=str), return_inverse=True)
        self._order = np.argsort(self._named, kind="stable")
        self._starts = np.searchsorted(self._named[self._order], np.arange(len(names) + 1))
        self._listed = np.asarray(rows.column("is_recommendable"), bool)
        self._bought = np.asarray(rows.column("buyers_recent"), np.int64)
        self._index = Index([str(name) for name in names])
        shown = np.unique(self._named[self._listed])
        self._on_show = {word for at in shown for word in words(str(names[at]))}
        self._whole = {" ".join(words(str(name))): at for at, name in enumerate(names)}
        self._sorted = sorted(self._whole)
        self._spellings: dict[str, list[str]] = defaultdict(list)
        for word in self._index.vocabulary:
            if len(word) >= SPELLED and word.isalpha() and word.isascii():
                self._spellings[word[0]].append(word)
        self._meant = lru_cache(REMEMBERED)(self._closest)

    @cached_property
    def vectors(self) -> np.ndarray | None:
        """Of items by item id: float32 [I, H]."""
        return None if self._meaning is None else self._meaning.items(self.shop.items)

    def mentioned(self, question: str) -> Mention:
        """What a question names."""
        for number in NUMBER.findall(question):
            if (row := self.shop.item(number)) is not None:
                return Mention((row,), 1.0, said=True)
        question = unicodedata.normalize("NFKC", question)
        if quoted := QUOTE.findall(question):
            asked = words(" ".join(quoted))
        else:
            asked = self._own_words(NUMBER.sub(" ", question))
        if not asked:
            return Mention()
        asked = [self._meant(word) for word in asked]
        if (whole := self._whole.get(" ".join(asked))) is not None:
            return Mention(self._rows([whole]), 1.0, said=True)
        coverage, filled = self._index.held(asked)
        best = float(coverage.max(initial=0.0))
        if best >= NAMED:
            fitting = np.flatnonzero(coverage >= best)
            full = fitting[filled[fitting] >= 1.0]
            return Mention(self._rows(full if len(full) else fitting), best, said=True)
        return Mention(coverage=best, said=True, guess=self._guess(question))

    def narrowed(self, question: str, before: Mention) -> Mention | None:
        """Of articles called like the one spoken of before, those that a turn tells apart (`and the 12 oz one?`).

        None where the turn names an article of its own, or none is told apart.
        """
        question = unicodedata.normalize("NFKC", question)
        asked = set(self.other_words(question))
        if not asked or not before.items or QUOTE.search(question) or self._named_at(question)[1]:
            return None
        head = " ".join(words(before.items[0]["title"].partition(",")[0]))
        first = bisect_left(self._sorted, head)
        alike = takewhile(lambda name: f"{name} ".startswith(f"{head} "), islice(self._sorted, first, None))
        fits = [self._whole[name] for name in alike if asked <= set(name.removeprefix(head).split())]
        return Mention(self._rows(fits), 1.0, said=True) if fits else None

    def other_words(self, question: str) -> list[str]:
        """Words of a question that no question is made of."""
        return [word for word in words(NUMBER.sub(" ", question)) if word not in asking_words()]

    def masked(self, question: str) -> str:
        """A question with names of goods, campaigns and numbers replaced by what they are."""
        out: list[str] = []
        question = unicodedata.normalize("NFKC", question)
        start, stop = (0, 0) if QUOTE.search(question) else self._named_at(question)
        if stop:
            question = f"{question[:start]} “{question[start:stop]}” {question[stop:]}"
        for token in TOKEN.findall(question):
            held = [self._meant(word) for word in words(token)]
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

    def _own_words(self, question: str) -> list[str]:
        """The words that say of what a question is, in order.

        Apart from a name of several words, words that no article has are how people speak (`folks`); apart from a
        shorter name of what stands in lists, one of them. Beside a name they say that another article is meant
        (`tomato paste unicorn`), and what no tool answers of (`calories`) always counts.
        """
        start, stop = self._named_at(question)
        parts: list[list[str]] = [[]]
        named, end = -1, 0
        for one in WORD.finditer(question):
            if ENDS.search(question[end : one.start()]) and not start < one.start() < stop:
                parts.append([])
            is_name, end = start <= one.start() < stop, one.end()
            for word in words(one.group()):
                if is_name or word not in asking_words():
                    parts[-1].append(word)
                else:
                    parts.append([])
            named = len(parts) - 1 if is_name else named
        everything = [word for part in parts for word in part]
        kept = [
            word
            for place, part in enumerate(parts)
            if place == named or self._counts(part, is_named=named >= 0)
            for word in part
        ]
        is_talk = named >= 0 or len(everything) - len(kept) <= FILLERS
        return kept if kept and is_talk else everything

    def _counts(self, part: Sequence[str], *, is_named: bool) -> bool:
        """Whether words that stand apart from a name say of what a question is."""
        held = {self._meant(word) for word in part}
        return bool(held & example_words()) or (not is_named and bool(held & self._on_show))

    def _named_at(self, question: str) -> tuple[int, int]:
        """Where a name stands without quotes: most words side by side with which an article's name begins; else (0, 0).

        Two words at least, and one that no question is made of: `what is` may begin a name, and names none.
        """
        found = [(words(one.group()), one.start(), one.end()) for one in WORD.finditer(question)]
        best, place = 1, (0, 0)
        for first, (_, start, _) in enumerate(found):
            said: list[str] = []
            for count, (held, _, stop) in enumerate(found[first:], start=1):
                said += held
                if not self._begins(" ".join(said)):
                    break
                if count > best and not example_words().issuperset(said):
                    best, place = count, (start, stop)
        return place

    def _begins(self, said: str) -> bool:
        """Whether a name is made of these words, or begins with them."""
        at = bisect_left(self._sorted, said)
        return at < len(self._sorted) and f"{self._sorted[at]} ".startswith(f"{said} ")

    def _closest(self, word: str) -> str:
        """The word of a name that a misspelled one stands for; itself where it is known, short, or like none."""
        if word in self._index.vocabulary or word in example_words() or len(word) < SPELLED:
            return word
        near = [one for one in self._spellings.get(word[0], ()) if abs(len(one) - len(word)) < 3]
        return next(iter(get_close_matches(word, near, 1, CLOSE)), word)

    def _guess(self, question: str) -> Row | None:
        """The likest article that may stand in a list, best seller first among equals."""
        if self._meaning is None or self.vectors is None or not self._listed.any():
            return None
        likeness = np.where(self._listed, np.round(self.vectors @ self._meaning([question])[0], 4), -1)
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
