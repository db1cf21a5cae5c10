"""What a turn of a dialogue wants: a reader that a shop's own dialogues taught, or one taught by a few common examples.

Not here: how a reader is trained on dialogues, which is `sentiment.learn` over intents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.special import softmax

from pipeline.learning import champions
from pipeline.models.word_counts import Counts, WordModel, linear

EXAMPLES = Path(__file__).with_name("shop_intents.json")
PENALTY = 32.0  # inverse strength: examples are few and were chosen to differ
VIEW = "words and pieces"


class IntentReader(Protocol):
    """What tells intents of texts."""

    @property
    def classes(self) -> Sequence[str]:
        """Names, in the order of probabilities."""

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Probability of each class: float64 [N, C]."""


@dataclass(frozen=True)
class CommonIntents:
    """Intents that every shop's users have, by a linear model over word counts of a few examples."""

    classes: Sequence[str]
    words: WordModel

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Probability of each class: float64 [N, C]; even where a text shares nothing with any example."""
        return np.asarray(softmax(self.words.logits(texts), axis=1)) if texts else np.zeros((0, len(self.classes)))


@cache
def common() -> CommonIntents:
    """The reader of common intents, in English and Chinese."""
    examples = champions.read_json(EXAMPLES)
    classes = sorted(examples)
    texts = [text for name in classes for text in examples[name]]
    truth = np.repeat(np.arange(len(classes)), [len(examples[name]) for name in classes])
    counts, rows = Counts.learn(texts, VIEW)
    weights, intercept = linear(rows, truth, len(classes), "logistic", PENALTY, 0)
    return CommonIntents(classes, WordModel("logistic", counts, weights, intercept, PENALTY))
