"""Opinion words as a baseline: what a review says by counting good and bad words, nothing learned from the shop.

Where `vaderSentiment` is installed (the extra `bench`), English is scored by its lexicon and rules (Hutto and Gilbert
2014); else, and for Chinese, by the short lists of `opinion_words.json`: a word counts 1 for or against, and the other
way when a negation stands in the three words (or the character) before it. Only the cut between classes is learned.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

LISTS = Path(__file__).with_name("opinion_words.json")
WINDOW = 3
WORD = re.compile(r"[a-z']+")
HAN = re.compile(r"[\u4e00-\u9fff]")


def name(texts: Sequence[str]) -> str:
    """Which lexicon reads these texts."""
    return "VADER lexicon" if _vader_reads(texts) else "opinion words"


def scores(texts: Sequence[str]) -> np.ndarray:
    """How good each text is by its words, 0 where nothing is said: float64 [N], higher is better."""
    score = _vader() if _vader_reads(texts) else _words
    return np.array([score(text) for text in texts], np.float64)


def opinions(language: str) -> frozenset[str]:
    """The words for and against of a language, `en` or `zh`."""
    return frozenset(_lists(language)["good"]) | frozenset(_lists(language)["bad"])


def negations(language: str) -> frozenset[str]:
    """The words that turn an opinion round, of a language, `en` or `zh`."""
    return frozenset(_lists(language)["not"])


def cuts(score: np.ndarray, truth: np.ndarray, classes: int, order: Sequence[int]) -> np.ndarray:
    """Cuts of the score between neighbouring classes, so that each class gets the share it has: [C - 1].

    Args:
        score: [N] of labelled texts.
        truth: int [N].
        classes: how many.
        order: classes, worst first.
    """
    shares = np.cumsum([np.mean(truth == one) for one in order])[: classes - 1]
    return np.quantile(score, np.minimum(shares, 1))


def _vader_reads(texts: Sequence[str]) -> bool:
    return find_spec("vaderSentiment") is not None and not _is_chinese(texts)


def _is_chinese(texts: Sequence[str]) -> bool:
    return sum(bool(HAN.search(text)) for text in texts) * 2 > len(texts)


def _vader() -> Callable[[str], float]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyser = SentimentIntensityAnalyzer()
    return lambda text: float(analyser.polarity_scores(text)["compound"])


@cache
def _lists(language: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(LISTS.read_text(encoding="utf-8"))[language]
    return found


def _words(text: str) -> float:
    if HAN.search(text):
        known = _lists("zh")
        return float(_found(text, known["good"], known["not"]) - _found(text, known["bad"], known["not"]))
    known, words, total = _lists("en"), WORD.findall(text.lower()), 0
    for place, word in enumerate(words):
        value = (word in known["good"]) - (word in known["bad"])
        total += -value if set(known["not"]) & set(words[max(0, place - WINDOW) : place]) else value
    return float(total)


def _found(text: str, terms: Sequence[str], negations: Sequence[str]) -> int:
    """How often terms stand in a text, less how often with a negation right before them."""
    starts = [match.start() for term in terms for match in re.finditer(term, text)]
    return sum(-1 if text[max(0, start - 1) : start] in negations else 1 for start in starts)
