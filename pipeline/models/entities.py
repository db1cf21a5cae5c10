"""What a turn of a dialogue names: items, quantities, sizes, dates and order numbers, each with its place in the text.

Items are found by the words of their names, spelled a little wrong or in part; the rest by patterns in English and
Chinese. Not here: what the user wants (`intents`), and what carries over from turn to turn (`understanding`).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

KINDS = ("item", "quantity", "size", "date", "order")
TOKEN = re.compile(r"[\u3400-\u9fff]|\d+(?:[.,]\d+)*%?|[^\W\d_]+(?:['’][^\W\d_]+)*")
GLUE = frozenset({*ENGLISH_STOP_WORDS, *"的了吗呢吧啊哦有没是我你要这那在和也不个请给"})
CLOSE, SPELLED = 0.84, 5  # how alike a misspelled word must be, and from how many letters on it is tried
FLOOR = 0.45  # of a name and what was said, the rarity they share, below which nothing was named
NAMED = 5  # items at most that one mention may mean

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS = dict(zip(WORDS, range(1, 13), strict=True))
NUMBERS |= {"a dozen": 12, "dozen": 12, "a couple of": 2}
NUMBERS |= dict(zip("一二三四五六七八九十", range(1, 11), strict=True)) | {"两": 2}
MOST = 1000  # pieces; a larger number is none of pieces
MEASURES = r"fl\.? ?oz|oz|ml|cl|l|liters?|litres?|kg|grams?|g|lbs?|pounds?|gal(?:lons?)?|inch(?:es)?|cm|mm|pk|packs?|ct"
COUNTERS = "个份件瓶箱包盒罐袋斤只套双条杯块"
SIZE = re.compile(
    rf"(?<![\w.])\d+(?:\.\d+)? ?(?:{MEASURES}|毫升|升|公斤|千克|克)\b"
    r"|\b(?:extra[ -]?(?:small|large)|small|medium|large|regular|x{0,2}[sl]|xxx?l)\b|[小中大加特]+[号杯份码]",
    re.IGNORECASE,
)
ORDER = re.compile(
    r"(?:\border(?: (?:number|no\.?|id|is))*|订单(?:号|编号)?|单号)\s*(?:is|是|为)?\s*[:：#]?\s*#?\s*"
    r"(?P<named>[a-z]{0,4}-?\d[\d-]{2,}\d|[a-z]{0,4}\d{4,})"
    r"|#\s?(?P<marked>[a-z]{0,4}-?\d[\d-]*\d)|(?<![\w.+-])(?P<bare>\d{9,20})(?![\w.-])",
    re.IGNORECASE,
)
QUANTITY = re.compile(
    r"(?<![\w.#/-])(?:(?P<figure>\d{1,4})(?![\d.,%/-]*\d|%)(?: ?x\b)?"
    rf"|\b(?P<word>{'|'.join(sorted((one for one in NUMBERS if one.isascii()), key=len, reverse=True))})\b)"
    rf"|(?P<sign>[{''.join(one for one in NUMBERS if not one.isascii())}])(?=[{COUNTERS}])",
    re.IGNORECASE,
)
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
NEAR = {"day before yesterday": -2, "yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1}
NEAR |= {"前天": -2, "昨天": -1, "今天": 0, "明天": 1, "后天": 2}
DATE = re.compile(
    r"(?P<iso>\b\d{4}-\d{1,2}-\d{1,2}\b)|(?:(?P<year>\d{4})年)?(?P<month>\d{1,2})月(?P<day>\d{1,2})[日号]"
    rf"|(?P<written>\b(?:{MONTHS})[a-z]*\.? \d{{1,2}}(?:[snrt][tdh])?(?:,? \d{{4}})?\b"
    rf"|\b\d{{1,2}}(?:[snrt][tdh])? (?:of )?(?:{MONTHS})[a-z]*(?:,? \d{{4}})?\b)"
    rf"|(?P<near>{'|'.join(NEAR)})|\b(?P<ago>\d{{1,3}}) (?P<unit>day|week)s? ago\b|(?P<before>\d{{1,3}})天前"
    rf"|\b(?:(?P<which>last|next|this|on|since) )(?P<weekday>{DAYS})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Entity:
    """Something that was named.

    Attributes:
        kind: one of KINDS.
        value: item id, number of pieces, size as said in lower case, ISO date, or order number.
        text: as it was said.
        start: place of its first character in its turn.
        turn: place of the turn, 0 the first.
        score: how surely, 0 to 1.
        candidates: of an item, the ids it may mean, likeliest first.
    """

    kind: str
    value: str
    text: str
    start: int
    turn: int = 0
    score: float = 1.0
    candidates: tuple[str, ...] = ()

    @property
    def stop(self) -> int:
        """Place after its last character."""
        return self.start + len(self.text)


@dataclass(frozen=True)
class _Word:
    term: int
    start: int
    stop: int


class Names:
    """The names of a catalogue, to find its items in what people say."""

    def __init__(self, ids: Sequence[str], titles: Sequence[str]) -> None:
        """Count the words of the names.

        Args:
            ids: of items; where two fit equally well, the earlier is meant.
            titles: name of each.
        """
        self.ids = list(ids)
        split = [sorted({_stem(found.group()) for found in TOKEN.finditer(title)}) for title in titles]
        self.terms = {term: place for place, term in enumerate(sorted({one for row in split for one in row}))}
        columns = np.array([self.terms[term] for row in split for term in row], np.int64)
        rows = np.repeat(np.arange(len(split)), [len(row) for row in split])
        shape = (len(split), len(self.terms))
        held = sp.csc_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
        self._rarity = np.log1p(len(split) / np.maximum(np.diff(held.indptr), 1))
        self._weight = np.asarray(held @ self._rarity)
        self._held, self._rows = held, held.tocsr()
        self._spelled = [term for term in self.terms if len(term) >= SPELLED and term.isascii()]
        self._close = lru_cache(10_000)(self._closest)

    def find(self, text: str, turn: int = 0) -> list[Entity]:
        """Items named in a turn, in order."""
        found = [one for run in self._runs(text) for one in self._named(run, text, turn)]
        return sorted(found, key=lambda one: one.start)

    def _runs(self, text: str) -> Iterator[list[_Word]]:
        """Words of names that stand side by side; words of speech between them belong to none."""
        run: list[_Word] = []
        for found in TOKEN.finditer(text):
            word = found.group().lower()
            term = None if word in GLUE or word in NUMBERS else self._term(word)
            if term is not None:
                run.append(_Word(term, *found.span()))
            elif run:
                yield run
                run = []
        if run:
            yield run

    def _term(self, word: str) -> int | None:
        return self.terms.get(_stem(word), self._close(_stem(word)))

    def _closest(self, word: str) -> int | None:
        if len(word) < SPELLED or not word.isascii() or not word.isalpha():
            return None
        found = get_close_matches(word, self._spelled, 1, CLOSE)
        return self.terms[found[0]] if found else None

    def _named(self, run: list[_Word], text: str, turn: int) -> Iterator[Entity]:
        """The best item of a run, then those of what is left before and after it."""
        terms = sorted({word.term for word in run})
        shared = np.asarray(self._held[:, terms] @ self._rarity[terms])
        fit = 2 * shared / (self._weight + self._rarity[terms].sum())
        best = np.argsort(-fit, kind="stable")[:NAMED]
        own = set(self._rows[best[0]].indices)
        inside = [place for place, word in enumerate(run) if word.term in own]
        first, last = inside[0], inside[-1]
        start, stop = run[first].start, run[last].stop
        said = self._rarity[sorted({word.term for word in run[first : last + 1]})].sum()
        score = float(2 * shared[best[0]] / (self._weight[best[0]] + said))
        if score >= FLOOR:
            meant = tuple(self.ids[one] for one in best if fit[one] >= fit[best[0]] * FLOOR)
            yield Entity("item", meant[0], text[start:stop], start, turn, min(score, 1.0), meant)
        for rest in (run[:first], run[last + 1 :]):
            if rest:
                yield from self._named(rest, text, turn)


def _stem(word: str) -> str:
    """A word in lower case, an English plural as its singular."""
    word = word.lower().replace("’", "'").removesuffix("'s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def entities(text: str, names: Names, today: date, turn: int = 0) -> list[Entity]:
    """All that a turn names, in order; what belongs to one thing is not read as another.

    Args:
        text: of the turn.
        names: of the catalogue.
        today: the business day, from which `yesterday` counts.
        turn: its place in the dialogue.
    """
    taken = list(_dates(text, today, turn))
    taken += _free(_orders(text, turn), taken)
    taken += _free(
        (Entity("size", one.group().lower(), one.group(), one.start(), turn) for one in SIZE.finditer(text)), taken
    )
    items = names.find(text, turn)
    pieces = [one for one in _free(_quantities(text, turn), taken) if not any(_meets(one, item) for item in items)]
    return sorted([*taken, *items, *pieces], key=lambda one: (one.start, one.kind))


def _free(found: Iterator[Entity], taken: Sequence[Entity]) -> list[Entity]:
    return [one for one in found if not any(_meets(one, other) for other in taken)]


def _meets(one: Entity, other: Entity) -> bool:
    return one.start < other.stop and other.start < one.stop


def _orders(text: str, turn: int) -> Iterator[Entity]:
    for found in ORDER.finditer(text):
        name = next(one for one in ("named", "marked", "bare") if found[one])
        yield Entity("order", found[name].upper(), found[name], found.start(name), turn)


def _quantities(text: str, turn: int) -> Iterator[Entity]:
    for found in QUANTITY.finditer(text):
        name = next(one for one in ("figure", "word", "sign") if found[one])
        said = found[name]
        count = int(said) if name == "figure" else NUMBERS[said.lower()]
        if 0 < count <= MOST:
            yield Entity("quantity", str(count), said, found.start(name), turn)


def _dates(text: str, today: date, turn: int) -> Iterator[Entity]:
    for found in DATE.finditer(text):
        day = _day(found, today)
        if day:
            yield Entity("date", day.isoformat(), found.group(), found.start(), turn)


def _day(found: re.Match[str], today: date) -> date | None:
    """The day that was named; None where the calendar has none such."""
    if found["near"]:
        return today + timedelta(NEAR[found["near"].lower()])
    if found["ago"]:
        return today - timedelta(int(found["ago"]) * (7 if found["unit"].lower() == "week" else 1))
    if found["before"]:
        return today - timedelta(int(found["before"]))
    if found["weekday"]:
        ahead = (DAYS.split("|").index(found["weekday"].lower()) - today.weekday()) % 7
        which = found["which"].lower()
        return today + timedelta((ahead or 7) if which == "next" else ahead if which == "this" else ahead - 7)
    numbers = [int(one) for one in re.findall(r"\d+", found.group())]
    if found["iso"]:
        year, month, day = numbers
    elif found["month"]:
        *years, month, day = numbers
        year = years[0] if years else 0
    else:
        day, year = (*numbers, 0)[:2]
        month = 1 + MONTHS.split("|").index(re.search(MONTHS, found["written"].lower()).group())  # type: ignore[union-attr]
    return _in_year(year, month, day, today)


def _in_year(year: int, month: int, day: int, today: date) -> date | None:
    """A day of a year, or of that which brings it nearest to today where none was said."""
    found = []
    for one in [year] if year else [today.year + step for step in (-1, 0, 1)]:
        with suppress(ValueError):
            found.append(date(one, month, day))
    return min(found, key=lambda one: abs((one - today).days), default=None)
