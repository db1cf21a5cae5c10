"""What kind a question is, by linear models over examples: learned and kept by night, read without scikit-learn.

One logistic regression a kind, on words and letters and, where there is an encoder, on meaning. Kept as safetensors and
JSON. Not here: the examples and what is taken out of a question first (`asking`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from safetensors.numpy import load_file, save_file
from scipy.special import expit

from pipeline.answering.search import words
from pipeline.learning import champions


@dataclass(frozen=True)
class Regressions:
    """One logistic regression a kind, their chances made to sum to 1.

    Attributes:
        weights: float32 [K, F].
        biases: float32 [K].
    """

    weights: np.ndarray
    biases: np.ndarray

    @classmethod
    def fit(cls, rows: np.ndarray | sp.csr_matrix, kinds: Sequence[str]) -> "Regressions":
        """Learn from rows [N, F]; one against the rest takes a tenth of a second, where all at once take many."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier

        one = LogisticRegression(C=20.0, class_weight="balanced", solver="liblinear", random_state=0)
        parts = OneVsRestClassifier(one).fit(rows, kinds).estimators_
        weights, biases = (np.concatenate([getattr(part, name) for part in parts]) for name in ("coef_", "intercept_"))
        return cls(weights.astype(np.float32), biases.astype(np.float32))

    def chances(self, row: np.ndarray, places: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Probabilities [K] of one row, which holds but some of the features where places are given."""
        each = expit(self.weights[:, places].astype(np.float64) @ row + self.biases)
        return np.asarray(each / each.sum())


@dataclass(frozen=True)
class Kinds:
    """A fitted model.

    Attributes:
        names: of the kinds [K], in order.
        terms: pieces of text by place.
        rarity: float32 [F] of each.
        words: by pieces.
        meaning: by vectors; None where there was no encoder.
    """

    names: tuple[str, ...]
    terms: dict[str, int]
    rarity: np.ndarray
    words: Regressions
    meaning: Regressions | None = None

    @classmethod
    def learn(cls, questions: Sequence[str], kinds: Sequence[str], vectors: np.ndarray | None = None) -> "Kinds":
        """Learn from questions, what kind each is, and their vectors [N, H] where there are any."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        counts = TfidfVectorizer(analyzer=_pieces, sublinear_tf=True)
        rows = counts.fit_transform(questions)
        terms = {str(term): int(place) for term, place in counts.vocabulary_.items()}
        meaning = None if vectors is None else Regressions.fit(vectors, kinds)
        return cls(
            tuple(sorted(set(kinds))), terms, counts.idf_.astype(np.float32), Regressions.fit(rows, kinds), meaning
        )

    def by_words(self, question: str) -> np.ndarray:
        """Probability of each kind by words and letters: float64 [K].

        Pieces count 1 + log of how often they stand, times their rarity, at unit length, as scikit-learn's TF-IDF does.
        """
        held = Counter(self.terms[piece] for piece in _pieces(question) if piece in self.terms)
        places = np.array(sorted(held), np.int64)
        row = (1 + np.log([held[place] for place in places.tolist()])) * self.rarity[places]
        return self.words.chances(row / max(float(np.linalg.norm(row)), 1e-12), places)

    def save(self, folder: Path, lessons: str) -> None:
        """Write weights as safetensors and the rest as JSON, with a hash of what taught it."""
        arrays = {"rarity": self.rarity, "words.weights": self.words.weights, "words.biases": self.words.biases}
        if self.meaning is not None:
            arrays |= {"meaning.weights": self.meaning.weights, "meaning.biases": self.meaning.biases}
        save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, folder / champions.WEIGHTS)
        told = {"names": self.names, "terms": sorted(self.terms, key=self.terms.__getitem__), "lessons": lessons}
        champions.write_json(folder / champions.CONFIG, told)


def load(folder: Path) -> Kinds:
    """What `Kinds.save` wrote."""
    arrays, config = load_file(folder / champions.WEIGHTS), champions.config(folder)
    parts = {
        name: Regressions(arrays[f"{name}.weights"], arrays[f"{name}.biases"])
        for name in ("words", "meaning")
        if f"{name}.weights" in arrays
    }
    terms = {term: place for place, term in enumerate(config["terms"])}
    return Kinds(tuple(config["names"]), terms, arrays["rarity"], parts["words"], parts.get("meaning"))


def _pieces(text: str) -> list[str]:
    """Words, pairs of neighbouring words, and letters in threes."""
    held = words(text)
    pairs = [f"{one} {other}" for one, other in pairwise(held)]
    return [*held, *pairs, *_letters(held)]


def _letters(held: Sequence[str]) -> list[str]:
    return [f"~{padded[at : at + 3]}" for word in held for padded in [f"<{word}>"] for at in range(len(padded) - 2)]
