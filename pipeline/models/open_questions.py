"""Questions that went without an answer: grouped by what they mean, and shown without a word that tells who asked.

Groups are made by average-linkage clustering of unit vectors (scikit-learn), which needs no number of groups and draws
nothing. A word stands in what is shown only if enough different people said it; numbers never do.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import AgglomerativeClustering

from pipeline.models.tokens import GLUE, TOKEN

APART = 0.35  # cosine distance at which two groups stay two
NUMBER, RARE = "#", "…"
SMALL_TALK = frozenset({"greeting", "thanks", "goodbye", "confirmation", "rejection"})
GAP = re.compile(r"(?:… ?)+")


@dataclass(frozen=True)
class Questions:
    """What was asked.

    Attributes:
        texts: N of them.
        askers: who asked each.
    """

    texts: Sequence[str]
    askers: Sequence[str]


def words(text: str) -> list[str]:
    """Words, and of Chinese its characters, in lower case; numbers as NUMBER."""
    return [NUMBER if found.group()[0].isdigit() else found.group().lower() for found in TOKEN.finditer(text)]


def shared(questions: Questions, floor: int) -> frozenset[str]:
    """Words that at least `floor` different people said."""
    said = defaultdict(set)
    for text, asker in zip(questions.texts, questions.askers, strict=True):
        for word in words(text):
            said[word].add(asker)
    return frozenset(word for word, people in said.items() if len(people) >= floor)


def masked(text: str, known: Collection[str]) -> str:
    """A text of known words alone, others RARE; empty where none is left that says anything."""
    kept = [word if word in known or word == NUMBER else RARE for word in words(text)]
    if not any(word not in (NUMBER, RARE) and word not in GLUE for word in kept):
        return ""
    line = " ".join(kept)
    line = re.sub(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])", "", line)
    return GAP.sub(f"{RARE} ", line).strip()


def groups(vectors: np.ndarray) -> np.ndarray:
    """Group of each of N unit vectors: int [N], numbered by their first member.

    Args:
        vectors: [N, H].
    """
    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int64)
    found = AgglomerativeClustering(n_clusters=None, distance_threshold=APART, metric="cosine", linkage="average")
    labels = found.fit_predict(vectors.astype(np.float64))
    _, first, place = np.unique(labels, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return np.asarray(order[place], np.int64)
