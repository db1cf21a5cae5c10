"""How sentiment holds when reviews are written otherwise, and what noise and adversarial training do for it.

`python -m benchmarks.robustness REVIEWS OTHER [texts that teach] [texts asked]`: two files as `shopkeel sentiment`
takes them. One is learned from; it is asked about its held-out texts as they are and changed, and about the other's.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.side_by_side import FIGURES
from pipeline.learning import harness, robustness
from pipeline.learning.robustness import WORD
from pipeline.metrics import classification, intervals
from pipeline.models import lexicon, sentiment, word_counts
from pipeline.models.sentiment import Lesson, Sentiment
from pipeline.models.text_classifier import Labelled, TextClassifier
from pipeline.models.word_counts import WordModel
from pipeline.record import JsonRecorder
from pipeline.reviews import bench, files
from pipeline.settings import SentimentSettings, home

SEED, THREADS = 7, 2
RADIUS, NOISE = 0.05, 0.5
ALIKE, REPLACED = 0.5, 0.15  # how near a word's vector must be to stand for it, and the share of words replaced
NOUNS = ("tea", "taste", "price", "box", "product", "coffee", "flavor", "service")
WAYS: Mapping[str, Mapping[str, float]] = {
    "plain": {},
    "with noise": {"noise": NOISE},
    "adversarial": {"adversarial_radius": RADIUS},
}


class Synonyms:
    """Words in whose place the encoder's own word vectors put another; what carries an opinion stays."""

    def __init__(self, encoder: TextClassifier) -> None:
        """Take the vectors of whole words of letters, three at least."""
        table = encoder.body.get_input_embeddings().weight.detach()
        names = encoder.tokenizer.convert_ids_to_tokens(range(len(table)))
        places = [place for place, name in enumerate(names) if len(name) > 2 and WORD.fullmatch(name)]
        self.names = [names[place] for place in places]
        self.known = {name: place for place, name in enumerate(self.names)}
        self.vectors = torch.nn.functional.normalize(table[places], dim=-1)
        self.kept = lexicon.opinions("en") | lexicon.negations("en")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        """A text with some of its words replaced by the nearest."""

        def other(match: re.Match[str]) -> str:
            word = match.group().lower()
            if word in self.kept or word not in self.known or rng.random() > REPLACED:
                return match.group()
            near = self.vectors @ self.vectors[self.known[word]]
            near[self.known[word]] = -1
            best = int(near.argmax())
            return self.names[best] if near[best] >= ALIKE and self.names[best] not in self.kept else match.group()

        return WORD.sub(other, text)


def _turned(classes: int) -> Labelled:
    """Short sayings that say the contrary of one of their words: what is not good is not of the best class."""
    good, bad = ("good", "great", "excellent", "perfect"), ("bad", "terrible", "awful", "horrible")
    worst = [f"The {noun} is not {word}." for noun in NOUNS for word in good]
    best = [f"I love this {noun}, it is never {word}!" for noun in NOUNS for word in bad]
    return Labelled(worst + best, np.repeat([0, classes - 1], [len(worst), len(best)]))


def _asked(path: Path, other: Path, count: int, encoder: TextClassifier) -> dict[str, Labelled]:
    """Labelled texts by how they differ from what is learned from."""
    reviews, foreign = files.read(path), files.read(other)
    rows = np.flatnonzero(reviews.held_out & (reviews.truth >= 0))[:count]
    texts, truth = [reviews.texts[row] for row in rows], reviews.truth[rows]
    changes: dict[str, Callable[[str, np.random.Generator], str]] = {
        "typos": robustness.typos,
        "words left out": robustness.dropped,
        "capitals": robustness.shouted,
        "synonyms": Synonyms(encoder),
    }
    found = {"as written": Labelled(texts, truth)}
    for name, change in changes.items():
        rng = np.random.default_rng(SEED)
        found[name] = Labelled([change(text, rng) for text in texts], truth)
    labelled = np.flatnonzero(foreign.truth >= 0)
    some = labelled[np.sort(np.random.default_rng(SEED).permutation(len(labelled))[:count])]
    if len(reviews.classes) == 2:  # the best of the other's classes against all others
        best = (foreign.truth[some] == len(foreign.classes) - 1).astype(np.int64)
    else:
        best = foreign.truth[some]
        assert foreign.classes == reviews.classes, f"{other}: classes {foreign.classes}, not {reviews.classes}"
    elsewhere = Labelled([foreign.texts[row] for row in some], best)
    return found | {"negation": _turned(len(reviews.classes)), "another shop": elsewhere}


def _learned(lesson: Lesson, classes: list[str], settings: SentimentSettings, words: WordModel) -> Sentiment:
    harness.settle(SEED, THREADS)
    with tempfile.TemporaryDirectory() as folder:
        return sentiment.learn(
            lesson,
            classes,
            settings,
            home=home(),
            folder=Path(folder) / "run",
            seed=SEED,
            recorder=JsonRecorder(Path(folder) / "notes"),
            progress=lambda step, done, total: print(step, done, total, file=sys.stderr) if done == total else None,
            sought=words,
        )


def main(path: Path, other: Path, taught: int, count: int) -> None:
    """Learn in each way, ask, and print accuracies with what they lose."""
    reviews = files.read(path)
    rows = files.learnable(reviews)
    rows = rows[np.sort(np.random.default_rng(SEED).permutation(len(rows))[:taught])]
    lesson = Lesson.of(Labelled([reviews.texts[row] for row in rows], reviews.truth[rows]))
    fit, valid, classes = lesson.all.only(lesson.fit), lesson.all.only(lesson.valid), len(reviews.classes)
    words = word_counts.learn(fit.texts, fit.truth, valid.texts, valid.truth, classes, "margin", SEED)
    checkpoint = bench.checkpoint_for(reviews.texts)
    asked: dict[str, Labelled] = {}
    told: dict[str, dict[str, np.ndarray]] = {}
    for way, options in WAYS.items():
        settings = SentimentSettings(checkpoint=checkpoint, **options)
        model = _learned(lesson, reviews.classes, settings, words)
        if not asked:
            asked = _asked(path, other, count, model.encoder)
            told["counts alone"] = {kind: model.words.logits(part.texts).argmax(1) for kind, part in asked.items()}
        told[way] = {kind: model.probabilities(part.texts).argmax(1) for kind, part in asked.items()}
    _show(asked, told, path, other, len(rows))


def _show(asked: dict[str, Labelled], told: dict[str, dict[str, np.ndarray]], path: Path, other: Path, n: int) -> None:
    figures: dict[str, float] = {}
    table = Table("taught", *asked, title=f"accuracy, {n} reviews of {path.stem} taught; another shop: {other.stem}")
    for way, given in told.items():
        cells = []
        for kind, part in asked.items():
            right = given[kind] == part.truth
            figures[f"robustness/{way}/{kind}"] = float(right.mean())
            cells.append(f"{right.mean():.3f}")
            if way not in ("plain", "counts alone"):
                gain, low, high = intervals.paired_gain(right, told["plain"][kind] == part.truth, seed=SEED)
                flips = classification.negative_flip_rate(part.truth, told["plain"][kind], given[kind])
                figures |= {f"robustness/{way}/{kind}/{name}": value for name, value in
                            (("gain", gain), ("gain_low", low), ("gain_high", high), ("flips", flips))}  # fmt: skip
                cells[-1] += f" {gain:+.3f} [{low:+.3f}, {high:+.3f}]"
        table.add_row(way, *cells)
    Console(width=240).print(table)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    FIGURES.mkdir(parents=True, exist_ok=True)
    note = {"taught": n, "load": os.getloadavg()[0], "commit": commit.stdout.strip()}
    (FIGURES / "robustness.json").write_text(json.dumps(figures | note, indent=1) + "\n")


if __name__ == "__main__":
    first, second, *counts = sys.argv[1:]
    main(Path(first), Path(second), *(int(word) for word in (counts + ["4000", "1000"][len(counts) :])))
