"""What a question asks for, learned from example questions in two languages (`questions.json`).

Two regressions, on words and letters and, where there is an encoder, on meaning; their mean is the confidence. Where a
shop's own dialogues taught a reader intents of the same names, it has as much to say as both. Names of goods are taken
out first, so that the words of a question decide and not what it is about. Not here: what is looked up.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from pipeline.answering.facts import CHINESE
from pipeline.answering.search import Encode, words

if TYPE_CHECKING:
    from pipeline.models.intents import IntentReader

UNTOOLED = ("policy", "outside", "person")  # what documents or people answer
# Function words by scikit-learn's list that name goods, too.
GOODS_TOO = frozenset(["bill", "fire", "system", "mill", "bottom", "top", "side", "thick", "thin", "cry", "interest"])
SLOTS = {"{item}": "item", "{number}": "number", "{campaign}": "campaign"}


@dataclass(frozen=True)
class Asked:
    """What a question is taken to ask, and the probability of that."""

    about: str
    confidence: float


@cache
def examples() -> tuple[tuple[str, str], ...]:
    """Example questions with slots as words, and what each asks."""
    text = resources.files("pipeline.answering").joinpath("questions.json").read_text(encoding="utf-8")
    out = []
    for about, by_language in json.loads(text).items():
        for question in [one for said in by_language.values() for one in said]:
            for slot, word in SLOTS.items():
                question = question.replace(slot, word)
            out.append((question, about))
    return tuple(out)


@cache
def example_words() -> frozenset[str]:
    """All words of the examples: none of them is taken out of a question as the name of something."""
    return frozenset(word for question, _about in examples() for word in words(question)) | _function_words()


@cache
def asking_words() -> frozenset[str]:
    """Words of questions that the tools answer: they say what is asked for, not of what."""
    asked = (words(question) for question, about in examples() if about not in UNTOOLED)
    return frozenset(word for one in asked for word in one) | _function_words()


def _function_words() -> frozenset[str]:
    return frozenset(word for one in ENGLISH_STOP_WORDS - GOODS_TOO for word in words(one))


def language_of(text: str) -> str:
    """Zh where a text has Chinese characters outside quoted names, else en."""
    bare = re.sub(r"[\"“「『][^\"”」』]*[\"”」』]", " ", text)
    return "zh" if CHINESE.search(bare) else "en"


class Asking:
    """Tells what a question asks."""

    def __init__(self, encode: Encode | None = None, reader: "IntentReader | None" = None) -> None:
        """Learn from the examples.

        Args:
            encode: unit vectors [N, H] of texts; None goes by words alone.
            reader: of the shop's own intents, as judged by night; None goes by the examples alone.
        """
        self._reader = reader
        questions, about = zip(*examples(), strict=True)
        self._words, self._by_words = _learned_words()
        self._by_meaning = None if encode is None else _Regressions.fit(encode(questions), about)

    def of(self, question: str, vector: np.ndarray | None = None, said: str = "") -> Asked:
        """What a question asks, names taken out of it and replaced by `item`, `number` or `campaign`.

        Args:
            question: so masked.
            vector: float32 [H] of it; None goes by words alone.
            said: the question with its names, as the shop's own reader was taught; empty asks it nothing.
        """
        chance = self._by_words.chances(self._words.transform([question]).toarray()[0])
        if self._by_meaning is not None and vector is not None and language_of(question) == "en":
            chance = (chance + self._by_meaning.chances(vector)) / 2
        if self._reader is not None and said:
            chance = (chance + self._own(self._reader, said, chance)) / 2
        best = int(np.argmax(np.round(chance, 9)))
        return Asked(self._by_words.classes[best], float(chance[best]))

    def _own(self, reader: "IntentReader", said: str, chance: np.ndarray) -> np.ndarray:
        """What the shop's reader says [K]; what it gives to intents of other names stays shared out as it is."""
        told = dict(zip(reader.classes, reader.probabilities([said])[0], strict=True))
        known = np.array([told.get(name, 0.0) for name in self._by_words.classes])
        return np.asarray(known + (1 - known.sum()) * chance)


@dataclass(frozen=True)
class _Regressions:
    """One logistic regression an answer, their chances made to sum to 1.

    Attributes:
        classes: the answers [K].
        weights: float [K, F].
        biases: float [K].
    """

    classes: tuple[str, ...]
    weights: np.ndarray
    biases: np.ndarray

    @classmethod
    def fit(cls, rows: Any, about: Sequence[str]) -> "_Regressions":
        """Learn from rows [N, F]; one against the rest takes a tenth of a second, where all at once take many."""
        one = LogisticRegression(C=20.0, class_weight="balanced", solver="liblinear", random_state=0)
        learned = OneVsRestClassifier(one).fit(rows, about)
        parts = learned.estimators_
        weights, biases = (np.concatenate([getattr(part, name) for part in parts]) for name in ("coef_", "intercept_"))
        return cls(tuple(str(name) for name in learned.classes_), weights, biases)

    def chances(self, row: np.ndarray) -> np.ndarray:
        """Probabilities [K] of one row [F]."""
        each = expit(self.weights @ row + self.biases)
        return np.asarray(each / each.sum())


@cache
def _learned_words() -> tuple[TfidfVectorizer, _Regressions]:
    questions, about = zip(*examples(), strict=True)
    weights = TfidfVectorizer(analyzer=_pieces, sublinear_tf=True)
    return weights, _Regressions.fit(weights.fit_transform(questions), about)


def _pieces(text: str) -> list[str]:
    """Words, pairs of neighbouring words, and letters in threes."""
    held = words(text)
    pairs = [f"{one} {other}" for one, other in pairwise(held)]
    return [*held, *pairs, *_letters(held)]


def _letters(held: Sequence[str]) -> list[str]:
    return [f"~{padded[at : at + 3]}" for word in held for padded in [f"<{word}>"] for at in range(len(padded) - 2)]
