"""What a question asks for, learned from example questions in two languages (`questions.json`).

By words and letters first and, where these leave it open, by meaning, too; then the mean of both is the confidence.
Where a shop's own dialogues taught a reader intents of the same names, it has as much to say. Names of goods are taken
out first, so that the words of a question decide and not what it is about. Not here: the linear model (`kinds`), and
what is looked up.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.answering.facts import CHINESE
from pipeline.answering.kinds import Kinds, Regressions
from pipeline.answering.search import Encode, words

if TYPE_CHECKING:
    from pipeline.models.intents import IntentReader

NAME = "asking"  # of the model, as a night keeps it
UNTOOLED = ("policy", "outside", "person")  # what documents or people answer
# Of examples held out of five folds words told 81 % right where they were as sure as that, and both told 82 % of them.
SURE_BY_WORDS = 0.5
FOLDS = 5
SLOTS = {"{item}": "item", "{number}": "number", "{campaign}": "campaign"}


@dataclass(frozen=True)
class Asked:
    """What a question is taken to ask, and the probability of that."""

    about: str
    confidence: float


@cache
def examples() -> tuple[tuple[str, str], ...]:
    """Example questions with slots as words, and what each asks."""
    out = []
    for about, by_language in _read("questions.json").items():
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
    """Words by scikit-learn's list of stop words, without those that name goods, too (`bill`, `mill`, `top`)."""
    return frozenset(word for one in _read("function_words.json") for word in words(one))


def _read(name: str) -> Any:
    return json.loads(resources.files("pipeline.answering").joinpath(name).read_text(encoding="utf-8"))


def language_of(text: str) -> str:
    """Zh where a text has Chinese characters outside quoted names, else en."""
    bare = re.sub(r"[\"“「『][^\"”」』]*[\"”」』]", " ", text)
    return "zh" if CHINESE.search(bare) else "en"


@cache
def learned() -> Kinds:
    """The model that goes by words alone."""
    questions, about = zip(*examples(), strict=True)
    return Kinds.learn(questions, about)


def learned_with(encode: Encode) -> Kinds:
    """The model that goes by meaning, too."""
    questions, about = zip(*examples(), strict=True)
    return replace(learned(), meaning=Regressions.fit(encode(questions), about))


def held_out(encode: Encode | None = None) -> np.ndarray:
    """Chances [N, K] of each example by models that learned from four fifths of the others, drawn by their hashes."""
    questions, about = (np.array(column) for column in zip(*examples(), strict=True))
    fold = np.array([hashlib.sha256(question.encode()).digest()[0] % FOLDS for question in questions])
    vectors = None if encode is None else encode(questions.tolist())
    out = np.zeros((len(questions), len(set(about.tolist()))))
    for one in range(FOLDS):
        taught = fold != one
        kinds = Kinds.learn(
            questions[taught].tolist(), about[taught].tolist(), None if vectors is None else vectors[taught]
        )
        asking = Asking(kinds, encode)
        out[~taught] = [asking.chances(str(question)) for question in questions[~taught]]
    return out


def lessons(encoder: str | None) -> str:
    """What a model was taught by, as a hash: the examples, and the version of the encoder."""
    return hashlib.sha256(json.dumps([examples(), encoder], ensure_ascii=False).encode()).hexdigest()


class Asking:
    """Tells what a question asks."""

    def __init__(
        self, kinds: Kinds | None = None, encode: Encode | None = None, reader: "IntentReader | None" = None
    ) -> None:
        """Take a learned model.

        Args:
            kinds: as a night kept it, by vectors of `encode`; learned now when left out.
            encode: unit vectors [N, H] of texts; None goes by words alone.
            reader: of the shop's own intents, as judged by night; None goes by the examples alone.
        """
        self.kinds = kinds or (learned() if encode is None else learned_with(encode))
        self._encode, self._reader = encode, reader

    def of(self, question: str, said: str = "") -> Asked:
        """What a question asks, names taken out of it and replaced by `item`, `number` or `campaign`.

        Args:
            question: so masked.
            said: the question with its names, as the shop's own reader was taught; empty asks it nothing.
        """
        chance = self.chances(question)
        if self._reader is not None and said:
            chance = (chance + self._own(self._reader, said, chance)) / 2
        best = int(np.argmax(np.round(chance, 9)))
        return Asked(self.kinds.names[best], float(chance[best]))

    def chances(self, question: str) -> np.ndarray:
        """Probability of each kind [K] by the examples: by words where they are sure, else by meaning, too."""
        chance = self.kinds.by_words(question)
        meaning = self.kinds.meaning
        if meaning is None or self._encode is None or language_of(question) != "en":
            return chance
        if round(float(chance.max()), 9) >= SURE_BY_WORDS:
            return chance
        return np.asarray((chance + meaning.chances(self._encode([question])[0])) / 2)

    def _own(self, reader: "IntentReader", said: str, chance: np.ndarray) -> np.ndarray:
        """What the shop's reader says [K]; what it gives to intents of other names stays shared out as it is."""
        told = dict(zip(reader.classes, reader.probabilities([said])[0], strict=True))
        known = np.array([told.get(name, 0.0) for name in self.kinds.names])
        return np.asarray(known + (1 - known.sum()) * chance)
