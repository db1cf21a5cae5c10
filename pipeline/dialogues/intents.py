"""Learn intents on a file's turns, tell those held out, and say how each way of reading does on them.

Labels of held-out turns are looked at once everything is chosen, to judge by; nothing is tuned on them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dialogues.turns import Turns
from pipeline.metrics import calibration, classification, intervals
from pipeline.models import turn_intents, word_counts
from pipeline.models.sentiment import Progress
from pipeline.models.text_classifier import TextClassifier
from pipeline.models.turn_intents import Lessons, Told, codes
from pipeline.record import Recorder
from pipeline.settings import SentimentSettings
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

OURS, BASELINE = "tuned encoder + words, several", "TF-IDF + linear SVM"
MEASURES: dict[str, Callable[..., float]] = {"accuracy": classification.accuracy, "macro_f1": classification.macro_f1}

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        figures: by who reads: accuracy and macro-F1 over sets of intents, of all turns and (`single_`) of those with
            one intent, with ends of their intervals; empty where nothing held out is labelled.
        gains: of ours over BASELINE by measure, with their paired intervals.
        facts: of the run.
    """

    figures: Figures
    gains: dict[str, tuple[float, float, float]]
    facts: Mapping[str, object]


def run(
    turns: Turns,
    settings: SentimentSettings,
    out: Path,
    *,
    home: Path,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Progress,
) -> Outcome:
    """Learn, tell the held-out turns, write them, and judge.

    Args:
        turns: the file.
        settings: checkpoint and rates.
        out: Parquet with row, intents, predicted, confidence and the probability of each intent.
        home: under which checkpoints are unpacked.
        folder: for the Trainer's checkpoints.
        seed: of all drawing.
        recorder: gets curves.
        progress: called as (step, done, total).

    Raises:
        NoData: too few turns to learn from.
    """
    taught, asked = np.flatnonzero(~turns.held_out), np.flatnonzero(turns.held_out)
    lessons = Lessons([turns.texts[row] for row in taught], [turns.intents[row] for row in taught], turns.valid[taught])
    texts = [turns.texts[row] for row in asked]
    told: dict[str, list[Told]] = _counted(lessons, texts, seed)
    progress("baselines", 1, 1)

    def frozen(encoder: TextClassifier, states: np.ndarray, truth: np.ndarray) -> None:
        encoder.fit_head(states, truth, seed)
        told["frozen encoder + logistic regression"] = _single(lessons.classes, encoder.logits(texts))

    model = turn_intents.learn(
        lessons,
        settings,
        home=home,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=progress,
        frozen=frozen,
    )
    encoded = model.reader.encoder.logits(texts, lambda done, total: progress("predict", done, total))
    chance = model.reader.probabilities(texts, encoded)
    told["tuned encoder alone"] = _single(model.classes, encoded)
    told["tuned encoder + words, one"] = _single(model.classes, chance)
    told[OURS] = model.told(texts, chance)
    _write(turns, asked, told[OURS], chance, model.classes, out)
    figures, gains = judge([turns.intents[row] for row in asked], told, seed)
    if figures:
        known = np.array([bool(turns.intents[row]) for row in asked])
        right = np.array([turns.intents[row] == one for row, one in zip(asked, told[OURS], strict=True)])
        sure = chance.max(1)
        error = calibration.expected_calibration_error(sure[known], right[known].astype(int))
        figures[OURS]["calibration_error"] = error
    facts = {
        "checkpoint": settings.checkpoint,
        "learned from": len(taught),
        "held out": len(asked),
        "held out by": "the file's split" if turns.is_given else "a fifth of the dialogues, by hash",
        "intents": len(model.classes),
        "counts": model.reader.words.counts.view,
        "weights": " ".join(f"{weight:.2f}" for weight in model.reader.mix.weights),
        "floor of another intent": model.company.floor,
    }
    return Outcome(figures, gains, facts)


def judge(
    truth: Sequence[Told], told: Mapping[str, Sequence[Told]], seed: int
) -> tuple[Figures, dict[str, tuple[float, float, float]]]:
    """Figures and gains over turns whose intents are known."""
    known = [row for row, one in enumerate(truth) if one]
    if not known:
        return {}, {}
    names = list(told)
    right, *given = codes(*([column[row] for row in known] for column in (truth, *told.values())))
    single = np.array([len(truth[row]) == 1 for row in known])
    figures: Figures = {who: {} for who in names}
    for who, ours in zip(names, given, strict=True):
        for part, rows in (("", np.ones(len(known), bool)), ("single_", single)):
            for name, measure in MEASURES.items() if rows.any() else ():
                value, low, high = intervals.bootstrap_statistic(measure, right[rows], ours[rows], seed=seed)
                figures[who] |= {f"{part}{name}": value, f"{part}{name}_low": low, f"{part}{name}_high": high}
    pair = [given[names.index(who)] for who in (OURS, BASELINE) if who in names]
    gains = {name: _gain(measure, right, pair, seed) for name, measure in MEASURES.items() if len(pair) > 1}
    return figures, gains


def _gain(
    measure: Callable[..., float], right: np.ndarray, pair: Sequence[np.ndarray], seed: int
) -> tuple[float, float, float]:
    """Of the first over the second, with its paired interval."""
    return intervals.bootstrap_statistic(lambda r, a, b: measure(r, a) - measure(r, b), right, *pair, seed=seed)


def _counted(lessons: Lessons, texts: list[str], seed: int) -> dict[str, list[Told]]:
    """What the baselines without an encoder tell: each set of intents is a class of its own."""
    sets = sorted(set(lessons.intents))
    place = {told: number for number, told in enumerate(sets)}
    truth = np.array([place[told] for told in lessons.intents])
    fit, valid = np.flatnonzero(~lessons.valid).tolist(), np.flatnonzero(lessons.valid).tolist()
    chosen = word_counts.learn(
        [lessons.texts[row] for row in fit],
        truth[fit],
        [lessons.texts[row] for row in valid],
        truth[valid],
        len(sets),
        "margin",
        seed,
    )
    model = word_counts.again(chosen, lessons.texts, truth, len(sets), seed)
    commonest = sets[int(np.bincount(truth).argmax())]
    return {
        "commonest intent": [commonest] * len(texts),
        BASELINE: [sets[int(one)] for one in model.logits(texts).argmax(1)],
    }


def _single(classes: Sequence[str], scores: np.ndarray) -> list[Told]:
    return [(classes[int(one)],) for one in scores.argmax(1)]


def _write(
    turns: Turns, asked: np.ndarray, told: Sequence[Told], chance: np.ndarray, classes: Sequence[str], out: Path
) -> None:
    columns = {
        "row": pa.array(asked, pa.int64()),
        "intents": pa.array([list(turns.intents[row]) for row in asked], pa.list_(pa.string())),
        "predicted": pa.array([list(one) for one in told], pa.list_(pa.string())),
        "confidence": pa.array(chance.max(1)),
    }
    columns |= {f"p_{name}": pa.array(chance[:, place]) for place, name in enumerate(classes)}
    with durable.filled(out.resolve(), Step.TABLE) as path:
        pq.write_table(pa.table(columns), path, compression="zstd")
