"""Learn on a file's rows, predict those held out, and say how each way of reading does on them.

Labels of held-out rows are looked at once everything is chosen, to judge by; nothing is tuned on them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.learning import checkpoints
from pipeline.metrics import calibration, classification, intervals
from pipeline.models import lexicon, sentiment, word_counts
from pipeline.models.sentiment import Lesson, Sentiment
from pipeline.models.text_classifier import Labelled, TextClassifier
from pipeline.record import Recorder
from pipeline.reviews import files
from pipeline.reviews.files import Reviews
from pipeline.settings import Method, SentimentSettings
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

ENGLISH, ANY = "embedded:minilm-l6", "embedded:me5-small"
FOREIGN, FIRST_FOREIGN = 0.05, "\u00c0"  # share of letters that English lacks, from which many languages are read
OURS = "tuned encoder + words"
LAYERS = {ANY: 12}  # tuned where it is not as usual: as pretrained, this one tells opinions less

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        figures: by who reads: accuracy and macro-F1 with ends of their intervals; empty where nothing held out is
            labelled.
        gain: accuracy of the tuned model less that of the best baseline, with its paired interval; None likewise.
        facts: of the run: rows, checkpoint, weights.
        model: fitted.
    """

    figures: Figures
    gain: tuple[str, float, float, float] | None
    facts: Mapping[str, object]
    model: Sentiment


def checkpoint_for(texts: list[str]) -> str:
    """The embedded encoder that reads these texts: English alone, or of many languages where it is installed."""
    letters = [letter for text in texts for letter in text if letter.isalpha()]
    foreign = sum(letter >= FIRST_FOREIGN for letter in letters) / max(len(letters), 1)
    return ANY if foreign > FOREIGN and checkpoints.is_at_hand(ANY) else ENGLISH


def settings_for(texts: list[str], checkpoint: str, method: Method) -> SentimentSettings:
    """How a bare file is learned from: by the checkpoint named or that which reads its texts; as much of it as pays."""
    chosen, usual = checkpoint or checkpoint_for(texts), SentimentSettings()
    layers = LAYERS.get(chosen, usual.trained_layers)
    training = usual.training.model_copy(update={"method": method})
    return usual.model_copy(update={"checkpoint": chosen, "trained_layers": layers, "training": training})


def run(
    reviews: Reviews,
    settings: SentimentSettings,
    out: Path,
    *,
    home: Path,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: sentiment.Progress,
) -> Outcome:
    """Learn, predict the held-out rows, write them, and judge.

    Args:
        reviews: the file.
        settings: checkpoint and rates.
        out: Parquet with row, label, predicted and the probability of each class.
        home: under which checkpoints are unpacked.
        folder: for the Trainer's checkpoints.
        seed: of all drawing.
        recorder: gets curves.
        progress: called as (step, done, total).

    Raises:
        NoData: too few rows to learn from.
    """
    taught, asked = files.learnable(reviews), np.flatnonzero(reviews.held_out)
    lesson = Lesson.of(Labelled([reviews.texts[row] for row in taught], reviews.truth[taught]))
    texts = [reviews.texts[row] for row in asked]
    fit, valid, count = lesson.all.only(lesson.fit), lesson.all.only(lesson.valid), len(reviews.classes)
    sought = word_counts.learn_each(fit.texts, fit.truth, valid.texts, valid.truth, count, ("margin", "logistic"), seed)
    baselines = _simple(lesson.all, texts, count)
    plain = word_counts.again(sought["logistic"], lesson.all.texts, lesson.all.truth, count, seed)
    baselines["TF-IDF + logistic regression"] = plain.logits(texts).argmax(1)
    progress("baselines", 1, 1)

    def frozen(encoder: TextClassifier, states: np.ndarray, truth: np.ndarray) -> None:
        encoder.fit_head(states, truth, seed)
        baselines["frozen encoder + logistic regression"] = encoder.logits(texts).argmax(1)

    model = sentiment.learn(
        lesson,
        reviews.classes,
        settings,
        home=home,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=progress,
        frozen=frozen,
        sought=sought["margin"],
    )
    baselines["TF-IDF + linear SVM"] = model.words.logits(texts).argmax(1)
    encoded = model.encoder.logits(texts, lambda done, total: progress("predict", done, total))
    chance = model.probabilities(texts, encoded)
    baselines["tuned encoder alone"] = encoded.argmax(1)
    _write(reviews, asked, chance, out)
    figures, gain = _judge(reviews.truth[asked], chance, baselines, seed)
    facts = {
        "checkpoint": settings.checkpoint,
        "learned from": len(taught),
        "held out": len(asked),
        "held out by": "the file's split" if reviews.is_given else f"text hash, {files.TEST_SHARE:.0%}",
        "classes": " ".join(reviews.classes),
        "counts": model.words.counts.view,
        "weights": " ".join(f"{weight:.2f}" for weight in model.mix.weights),
    }
    return Outcome(figures, gain, facts, model)


def _simple(taught: Labelled, texts: list[str], classes: int) -> dict[str, np.ndarray]:
    """Classes that the commonest one and a lexicon give."""
    cuts = lexicon.cuts(lexicon.scores(taught.texts), taught.truth, classes, range(classes))
    return {
        "commonest class": np.full(len(texts), np.bincount(taught.truth, minlength=classes).argmax()),
        lexicon.name(taught.texts): np.searchsorted(cuts, lexicon.scores(texts), side="right"),
    }


def _judge(
    truth: np.ndarray, chance: np.ndarray, baselines: Mapping[str, np.ndarray], seed: int
) -> tuple[Figures, tuple[str, float, float, float] | None]:
    known = truth >= 0
    if not known.any():
        return {}, None
    truth, chance = truth[known], chance[known]
    told = {OURS: chance.argmax(1)} | {name: given[known] for name, given in baselines.items()}
    measures: dict[str, Callable[..., float]] = {
        "accuracy": classification.accuracy,
        "macro_f1": classification.macro_f1,
    }
    figures: Figures = {}
    for who, given in told.items():
        figures[who] = {}
        for name, measure in measures.items():
            value, low, high = intervals.bootstrap_statistic(measure, truth, given, seed=seed)
            figures[who] |= {name: value, f"{name}_low": low, f"{name}_high": high}
    sure = chance.max(1)
    figures[OURS]["calibration_error"] = calibration.expected_calibration_error(sure, (told[OURS] == truth).astype(int))
    best = max((who for who in baselines if "tuned" not in who), key=lambda who: figures[who]["accuracy"])
    gain = intervals.paired_gain(told[OURS] == truth, told[best] == truth, seed=seed)
    return figures, (best, *gain)


def _write(reviews: Reviews, asked: np.ndarray, chance: np.ndarray, out: Path) -> None:
    names = np.array(reviews.classes, dtype=object)
    truth = reviews.truth[asked]
    columns = {
        "row": pa.array(asked, pa.int64()),
        "label": pa.array([names[one] if one >= 0 else None for one in truth], pa.string()),
        "predicted": pa.array(names[chance.argmax(1)], pa.string()),
    }
    columns |= {f"p_{name}": pa.array(chance[:, place]) for place, name in enumerate(reviews.classes)}
    with durable.filled(out.resolve(), Step.TABLE) as path:
        pq.write_table(pa.table(columns), path, compression="zstd")
