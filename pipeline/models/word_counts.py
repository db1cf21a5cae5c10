"""Texts as weighted counts of words and characters, with a linear model over them: a strong, quick reader of sentiment.

TF-IDF with sublinear counts over words (one and two) and characters (one to three, across spaces or not), and logistic
regression or a linear support vector machine. Which counts and how strong a penalty is chosen on texts held out of the
fit. Kept as safetensors and JSON: terms, their rarity, and weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from pipeline.learning import champions
from pipeline.metrics import classification

Kind = Literal["logistic", "margin"]
PENALTIES: Mapping[Kind, tuple[float, ...]] = MappingProxyType(
    {"logistic": (2.0, 8.0, 32.0), "margin": (0.1, 0.3, 1.0)}
)
WORDS: dict[str, Any] = {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b|[!?]"}
PIECES: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (2, 5)}
CHARACTERS: dict[str, Any] = {"analyzer": "char", "ngram_range": (1, 3)}
VIEWS: Mapping[str, tuple[dict[str, Any], ...]] = MappingProxyType(
    {"words": (WORDS,), "words and pieces": (WORDS, PIECES), "characters": (CHARACTERS,)}
)
MIN_TEXTS = 2  # a term of one text teaches nothing
MAX_TERMS = 200_000
CHOSEN_BY = 20_000  # texts by which counts and penalty are chosen, at most; the choice is fitted to all
NEVER = -20.0


@dataclass(frozen=True)
class Counts:
    """Fitted counting.

    Attributes:
        view: one of VIEWS.
        parts: a vectorizer each.
    """

    view: str
    parts: tuple[TfidfVectorizer, ...]

    @classmethod
    def learn(cls, texts: Sequence[str], view: str) -> tuple["Counts", sp.csr_matrix]:
        """Terms and their rarity among some texts, and the rows of these as `of` gives them."""
        least = MIN_TEXTS if len(texts) > MIN_TEXTS * 10 else 1
        parts = [
            TfidfVectorizer(sublinear_tf=True, min_df=least, max_features=MAX_TERMS, dtype=np.float32, **how)
            for how in VIEWS[view]
        ]
        rows = [part.fit_transform(texts) for part in parts]
        return cls(view, tuple(parts)), sp.csr_matrix(sp.hstack(rows))

    def of(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Weighted counts: CSR [N, F], each part's rows of unit length."""
        return sp.csr_matrix(sp.hstack([part.transform(texts) for part in self.parts]))


@dataclass(frozen=True)
class WordModel:
    """A fitted linear model.

    Attributes:
        kind: logistic regression or support vector machine.
        counts: what it reads.
        weights: float64 [F, C].
        intercept: float64 [C].
        penalty: the inverse strength that was chosen.
    """

    kind: Kind
    counts: Counts
    weights: np.ndarray
    intercept: np.ndarray
    penalty: float

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Score of each class, higher is likelier: float64 [N, C]."""
        return np.asarray(self.counts.of(texts) @ self.weights + self.intercept)

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON, under names of their own."""
        arrays = {"weights": self.weights.astype(np.float32), "intercept": self.intercept}
        arrays |= {f"idf.{place}": part.idf_.astype(np.float32) for place, part in enumerate(self.counts.parts)}
        save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, folder / "words.safetensors")
        champions.write_json(
            folder / "words.json",
            {
                "kind": self.kind,
                "view": self.counts.view,
                "penalty": self.penalty,
                "terms": [part.get_feature_names_out().tolist() for part in self.counts.parts],
            },
        )


def load(folder: Path) -> WordModel:
    """What `WordModel.save` wrote."""
    arrays, config = load_file(folder / "words.safetensors"), champions.read_json(folder / "words.json")
    parts = []
    for place, (how, terms) in enumerate(zip(VIEWS[config["view"]], config["terms"], strict=True)):
        part = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, vocabulary=terms, **how)
        part.idf_ = arrays[f"idf.{place}"]
        parts.append(part)
    counts = Counts(config["view"], tuple(parts))
    weights = arrays["weights"].astype(np.float64)
    return WordModel(config["kind"], counts, weights, arrays["intercept"], config["penalty"])


def learn(
    fit: Sequence[str],
    fit_class: np.ndarray,
    valid: Sequence[str],
    valid_class: np.ndarray,
    classes: int,
    kind: Kind,
    seed: int,
) -> WordModel:
    """Choose counts and penalty of one kind of model: see `learn_each`."""
    return learn_each(fit, fit_class, valid, valid_class, classes, (kind,), seed)[kind]


def learn_each(
    fit: Sequence[str],
    fit_class: np.ndarray,
    valid: Sequence[str],
    valid_class: np.ndarray,
    classes: int,
    kinds: Sequence[Kind],
    seed: int,
) -> dict[Kind, WordModel]:
    """Choose counts and penalty by macro-F1 on held-out texts.

    Args:
        fit: texts to learn from.
        fit_class: int [N] of each, every class among them.
        valid: texts to choose by.
        valid_class: int [V].
        classes: how many there are.
        kinds: of linear model.
        seed: of their solvers.

    Returns:
        The best of each kind, fitted to `fit` alone, or to CHOSEN_BY texts of it.
    """
    if len(fit) > CHOSEN_BY:
        some = np.sort(np.random.default_rng(seed).permutation(len(fit))[:CHOSEN_BY])
        fit, fit_class = [fit[place] for place in some], fit_class[some]
    best = dict.fromkeys(kinds, -1.0)
    found: dict[Kind, WordModel] = {}
    for view in VIEWS:
        counts, rows = Counts.learn(fit, view)
        judged = counts.of(valid)
        for kind in kinds:
            for penalty in PENALTIES[kind]:
                weights, intercept = linear(rows, fit_class, classes, kind, penalty, seed)
                given = np.asarray(judged @ weights + intercept).argmax(1)
                score = classification.macro_f1(valid_class, given)
                if score > best[kind]:
                    best[kind], found[kind] = score, WordModel(kind, counts, weights, intercept, penalty)
    return found


def again(model: WordModel, texts: Sequence[str], truth: np.ndarray, classes: int, seed: int) -> WordModel:
    """The same choices fitted to more texts."""
    counts, rows = Counts.learn(texts, model.counts.view)
    weights, intercept = linear(rows, truth, classes, model.kind, model.penalty, seed)
    return WordModel(model.kind, counts, weights, intercept, model.penalty)


def linear(
    rows: sp.csr_matrix | np.ndarray, truth: np.ndarray, classes: int, kind: Kind, penalty: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a linear model: weights [F, C] and intercepts [C].

    Of two classes each gets half the log-odds; a class that no text is of is never told.
    """
    if kind == "logistic":
        model = LogisticRegression(C=penalty, max_iter=500, random_state=seed)
    else:
        model = LinearSVC(C=penalty, max_iter=5000, random_state=seed)
    model.fit(rows, truth)
    told, level = np.asarray(model.coef_, np.float64).T, np.asarray(model.intercept_, np.float64)
    if told.shape[1] == 1:
        told, level = np.hstack([-told, told]) / 2, np.array([-level[0], level[0]]) / 2
    weights, intercept = np.zeros((told.shape[0], classes)), np.full(classes, NEVER)
    weights[:, model.classes_], intercept[model.classes_] = told, level
    return weights, intercept
