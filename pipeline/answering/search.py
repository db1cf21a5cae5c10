"""Finding texts: BM25 and vectors, fused by rank; and how much of a question a text's words hold.

BM25: Robertson and Zaragoza 2009, as bm25s computes it; fusion by reciprocal rank (Cormack et al. 2009). Not here: what
is done with what was found.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bm25s
import numpy as np
import scipy.sparse as sp

WORD = re.compile(r"(?:(?<![\w.])\.)?\d+(?:[./]\d+)*|[a-z]+|[\u3400-\u9fff]+", re.IGNORECASE)
RANK_DAMPING = 60  # of reciprocal rank fusion
DIGITS = 6  # scores that agree so far are equal
Encode = Callable[[Sequence[str]], np.ndarray]


def words(text: str) -> list[str]:
    """Lower-case words without a plural s, numbers, and Chinese in pairs of characters."""
    found: list[str] = []
    for word in WORD.findall(unicodedata.normalize("NFKC", text).lower()):
        if word[0] >= "\u3400":
            found += [word[at : at + 2] for at in range(max(len(word) - 1, 1))]
        else:
            found.append(_singular(word))
    return found


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("oes", "shes", "ches", "xes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us")) else word


@dataclass(frozen=True)
class Hit:
    """One text that was found.

    Attributes:
        place: of the text.
        coverage: share of the question's weight that its words hold, 0 to 1.
        likeness: cosine with the question; 0 without vectors.
    """

    place: int
    coverage: float
    likeness: float


class Index:
    """Texts [N] that can be searched for by words and, where there are vectors, by meaning."""

    def __init__(self, texts: Sequence[str], vectors: np.ndarray | None = None) -> None:
        """Index texts.

        Args:
            texts: what is searched.
            vectors: float32 [N, H] of unit length; None for words alone.
        """
        self.vectors, self.size = vectors, len(texts)
        held = [words(text) for text in texts]
        self.vocabulary = {word: at for at, word in enumerate(sorted({word for one in held for word in one}))}
        pairs = [(at, self.vocabulary[word]) for at, one in enumerate(held) for word in dict.fromkeys(one)]
        row, column = np.array(pairs, np.int64).reshape(-1, 2).T
        shape = (self.size, len(self.vocabulary))
        self._holds = sp.csc_matrix((np.ones(len(pairs), np.float32), (row, column)), shape=shape)
        self._weights = np.log1p(self.size / np.maximum(np.diff(self._holds.indptr), 1))
        # What no text holds weighs as the median word: it is as likely a word of the question as of a name.
        self._unknown = float(np.median(self._weights)) if len(self._weights) else 1.0
        self._totals = np.maximum(self._holds @ self._weights, 1e-9)
        self._bm25 = bm25s.BM25()
        if self.vocabulary:
            self._bm25.index([one or [""] for one in held], show_progress=False)

    def find(self, question: Sequence[str], vector: np.ndarray | None = None, most: int = 10) -> list[Hit]:
        """The best texts by both rankings, best first, ties by place.

        Args:
            question: words.
            vector: float32 [H] of the question.
            most: texts at most.
        """
        known = [word for word in dict.fromkeys(question) if word in self.vocabulary]
        ranks, likeness = np.zeros(self.size), np.zeros(self.size)
        if known:
            ranks += _reciprocal(np.asarray(self._bm25.get_scores(known)))
        if vector is not None and self.vectors is not None and self.size:
            likeness = self.vectors @ vector
            ranks += _reciprocal(likeness)
        coverage, _filled = self.held(question)
        order = np.lexsort((np.arange(self.size), -np.round(ranks, 9)))[:most]
        return [Hit(int(at), float(coverage[at]), float(likeness[at])) for at in order if ranks[at] > 0]

    def held(self, question: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Shares of weight, by text: of the question that the text holds, and of the text that the question names."""
        asked = dict.fromkeys(question)
        places = np.array([self.vocabulary[word] for word in asked if word in self.vocabulary], np.int64)
        weight = self._weights[places]
        total = float(weight.sum()) + self._unknown * (len(asked) - len(places))
        shared = self._holds[:, places] @ weight if len(places) else np.zeros(self.size)
        return np.round(shared / max(total, 1e-9), DIGITS), np.round(shared / self._totals, DIGITS)


def _reciprocal(scores: np.ndarray) -> np.ndarray:
    """1 / (damping + rank) of what scores above nothing; equal scores share the better rank."""
    rounded = -np.round(scores, DIGITS)
    rank = np.searchsorted(np.sort(rounded), rounded, side="left") + 1
    return np.where(rounded < 0, 1 / (RANK_DAMPING + rank), 0.0)
