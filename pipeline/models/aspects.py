"""What reviews speak of: names found in the shop's own reviews by counting, no list of them is kept.

In a language with spaces a name is a word or a pair of words that articles stand before and `is` and the like after:
"the taste", "delivery was"; a pair needs to stand together far more often than chance (pointwise mutual information,
Church and Hanks 1990). In Chinese it is a run of two to four characters that hold together in the same sense and that
words of degree follow: 味道很, 送餐太. Words of opinion and function words name nothing. Not here: whether it is well
spoken of.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from pipeline.models import lexicon

BEFORE = frozenset("the this that these those my your our its their his her a an".split())  # noqa: SIM905
AFTER = frozenset(("is", "was", "are", "were", "isn't", "wasn't", "tastes", "tasted", "arrived", "came"))
VAGUE = frozenset("thing things time times day days way lot bit one ones stuff people year years review".split())  # noqa: SIM905
DEGREE = ("很", "太", "不", "非常", "也", "都", "还", "真", "挺", "特别", "有点", "超")
PARTICLES = frozenset("的了是我你他她它们这那就也都很太不没还有在个和又再真挺超吧啊呢吗么什被把给让得着过好")
WORD = re.compile(r"[a-z][a-z'-]*[a-z]|[a-z]")
RUN = re.compile(r"[\u4e00-\u9fff]+")
CLAUSE = re.compile(r"[^.!?;,。！？；，\n]+")
LEAST_SHARE, LEAST = 0.004, 3  # of the reviews that must name it
MOST_SHARE = 0.4
NAMED, FOLLOWED = 0.3, 0.2  # share of its uses as a name
SUBJECT = 0.02  # and as what something is said of, which adjectives are not
TOGETHER = 3.0  # bits that hold a pair together
SWALLOWED = 0.7  # share of its uses in a longer name from which a name is not one of its own


@dataclass(frozen=True)
class Mention:
    """Where a text speaks of an aspect: the name's and the clause's places in it."""

    text: int
    aspect: str
    start: int
    stop: int
    clause: tuple[int, int]


def names(texts: Sequence[str], most: int = 40) -> list[str]:
    """The commonest aspects of some reviews, those named by most reviews first.

    Args:
        texts: reviews.
        most: names at most.
    """
    least = max(LEAST, math.ceil(LEAST_SHARE * len(texts)))
    found = [*_spaced(texts, least), *_unspaced(texts, least)]
    return [name for _, name in sorted(found, key=lambda one: (-one[0], one[1]))[:most]]


def mentions(texts: Sequence[str], known: Sequence[str]) -> Iterator[Mention]:
    """Each aspect once a text, at its first place, with the clause around it."""
    parts = [re.escape(name) if RUN.search(name) else rf"\b{re.escape(name)}\b" for name in sorted(known, key=_longest)]
    if not parts:
        return
    pattern = re.compile("|".join(parts))
    for place, text in enumerate(texts):
        seen: set[str] = set()
        for match in pattern.finditer(text.lower()):
            if match.group() not in seen and match.end() <= len(text):
                seen.add(match.group())
                yield Mention(place, match.group(), match.start(), match.end(), _clause(text, match.start()))


def _clause(text: str, place: int) -> tuple[int, int]:
    for match in CLAUSE.finditer(text):
        if match.start() <= place < match.end():
            return match.start(), match.end()
    return 0, len(text)


def _longest(name: str) -> tuple[int, str]:
    return -len(name), name


def _spaced(texts: Sequence[str], least: int) -> list[tuple[int, str]]:
    """Names in languages with spaces, with how many reviews hold them."""
    words, pairs, named, ahead = Counter[str](), Counter[tuple[str, str]](), Counter[str](), Counter[str]()
    held, pairs_held = Counter[str](), Counter[tuple[str, str]]()
    for text in texts:
        tokens = WORD.findall(text.lower())
        beside = list(pairwise(tokens))
        words.update(tokens)
        pairs.update(beside)
        held.update(set(tokens))
        pairs_held.update(set(beside))
        named.update(second for first, second in beside if first in BEFORE)
        ahead.update(first for first, second in beside if second in AFTER)
    total, often = sum(words.values()), MOST_SHARE * len(texts)
    dull = ENGLISH_STOP_WORDS | VAGUE | AFTER | lexicon.opinions("en")

    def is_name(word: str) -> bool:
        is_noun = named[word] + ahead[word] >= NAMED * words[word] and ahead[word] >= SUBJECT * words[word]
        return len(word) > 2 and word not in dull and is_noun

    kept = {
        pair: count
        for pair, count in pairs_held.items()
        if least <= count <= often
        and pair[0] not in dull
        and len(pair[0]) > 2
        and is_name(pair[1])
        and math.log2(pairs[pair] * total / (words[pair[0]] * words[pair[1]])) >= TOGETHER
    }
    inside = Counter[str]()
    for pair in kept:
        inside.update(dict.fromkeys(pair, pairs[pair]))
    single = [
        (count, word)
        for word, count in held.items()
        if least <= count <= often and is_name(word) and inside[word] <= SWALLOWED * words[word]
    ]
    return single + [(count, " ".join(pair)) for pair, count in kept.items()]


def _unspaced(texts: Sequence[str], least: int) -> list[tuple[int, str]]:
    """Names in Chinese, with how many reviews hold them."""
    grams, followed, held = Counter[str](), Counter[str](), Counter[str]()
    for text in texts:
        mine: set[str] = set()
        for run in RUN.findall(text):
            for size in range(1, 5):
                for start in range(len(run) - size + 1):
                    gram = run[start : start + size]
                    grams[gram] += 1
                    if size > 1 and not PARTICLES & set(gram):
                        mine.add(gram)
                        followed[gram] += run.startswith(DEGREE, start + size)
        held.update(mine)
    total = sum(count for gram, count in grams.items() if len(gram) == 1)
    dull = lexicon.opinions("zh")

    def holds(gram: str) -> bool:
        halves = ((gram[:cut], gram[cut:]) for cut in range(1, len(gram)))
        return all(math.log2(grams[gram] * total / (grams[a] * grams[b])) >= TOGETHER for a, b in halves)

    kept = [
        (count, gram)
        for gram, count in held.items()
        if least <= count <= MOST_SHARE * len(texts)
        and not any(word in gram for word in dull)
        and followed[gram] >= FOLLOWED * grams[gram]
        and holds(gram)
    ]
    longer = [gram for _, gram in kept]
    return [
        (count, gram)
        for count, gram in kept
        if not any(gram != other and gram in other and grams[other] > SWALLOWED * grams[gram] for other in longer)
    ]
