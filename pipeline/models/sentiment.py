"""What a review says of its item: classes (stars, or any labels) by a tuned encoder and word counts together.

The encoder reads meaning and order, the counts read rare words; their scores are weighted on texts that neither learned
from, and the same fit makes the probabilities true (temperature and level of each class). Kept as safetensors and JSON.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from pipeline.errors import NoData
from pipeline.learning import champions, checkpoints, robustness
from pipeline.learning.forms import Form
from pipeline.models import text_classifier, word_counts
from pipeline.models.text_classifier import Labelled, TextClassifier
from pipeline.models.word_counts import WordModel
from pipeline.record import Recorder
from pipeline.settings import SentimentSettings

NAME = "sentiment"
VALID_SHARE, VALID_MOST = 0.12, 1000  # of the texts choose and weigh, and teach the encoder nothing
LEAST = 30  # labelled texts, and two classes, below which nothing is learned
EVIDENCE = 1.0  # of a prior by which weights stay near those of the start
START = 0.5
HEAD_TEXTS = 2_000  # by which the head begins, at most: it has a few hundred weights
DIGITS = 5

POLARITIES = ("negative", "neutral", "positive")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Mix:
    """How scores of several readers become probabilities.

    Attributes:
        weights: [P] of each reader, 0 or more: its share and the temperature in one.
        level: [C] log-odds of each class, summing to 0.
    """

    weights: np.ndarray
    level: np.ndarray

    def logits(self, scores: Sequence[np.ndarray]) -> np.ndarray:
        """Weighted scores: [N, C]."""
        return np.asarray(sum(w * one for w, one in zip(self.weights, scores, strict=True)) + self.level)

    @classmethod
    def learn(cls, scores: Sequence[np.ndarray], truth: np.ndarray) -> "Mix":
        """The weights under which the truth is likeliest, drawn a little to equal shares and no levels.

        Args:
            scores: [V, C] of each reader, on texts that it did not learn from.
            truth: int [V].

        Source: temperature scaling, Guo et al. 2017, https://arxiv.org/abs/1706.04599, with a weight for each reader.
        """
        parts, classes = len(scores), scores[0].shape[1]
        scale = np.array([max(float(np.std(one)), 1e-6) for one in scores])
        stacked = np.stack([one / size for one, size in zip(scores, scale, strict=True)])
        start = np.r_[np.full(parts, START * 2), np.zeros(classes)]

        def loss(values: np.ndarray) -> float:
            mixed = np.tensordot(values[:parts], stacked, 1) + values[parts:]
            told = log_softmax(mixed, axis=1)[np.arange(len(truth)), truth].sum()
            return float(-told + EVIDENCE * np.square(values - start).sum() / 2)

        bounds = [(0.0, None)] * parts + [(None, None)] * classes
        found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
        level = found[parts:] - found[parts:].mean()
        return cls(found[:parts] / scale, level)


@dataclass(frozen=True)
class Sentiment:
    """A fitted model.

    Attributes:
        classes: names, in the order of probabilities.
        checkpoint: reference of the encoder's checkpoint.
        encoder: tuned.
        words: fitted.
        mix: of their scores.
        learned: texts that were known when it was taught.
    """

    classes: list[str]
    checkpoint: str
    encoder: TextClassifier
    words: WordModel
    mix: Mix
    learned: int = 0

    def probabilities(self, texts: Sequence[str], encoded: np.ndarray | None = None) -> np.ndarray:
        """Calibrated probability of each class: float64 [N, C].

        Args:
            texts: to read.
            encoded: the encoder's logits of them, where they are known already.
        """
        if not texts:
            return np.zeros((0, len(self.classes)))
        scores = [self.encoder.logits(texts) if encoded is None else encoded, self.words.logits(texts)]
        return np.asarray(softmax(self.mix.logits(scores), axis=1))

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """The same, rounded: a text's row does not depend on what stands beside it."""
        return np.round(self.probabilities(texts), DIGITS)

    def glance(self, texts: Sequence[str]) -> np.ndarray:
        """The same by the counts alone, for many short pieces: float64 [N, C]."""
        counts = Mix(self.mix.weights[1:], self.mix.level)
        return np.asarray(softmax(counts.logits([self.words.logits(texts)]), axis=1))

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON."""
        self.encoder.save(folder)
        self.words.save(folder)
        champions.write_json(
            folder / champions.CONFIG,
            {
                "kind": NAME,
                "classes": self.classes,
                "checkpoint": self.checkpoint,
                "max_tokens": self.encoder.max_tokens,
                "learned": self.learned,
                "weights": self.mix.weights.tolist(),
                "level": self.mix.level.tolist(),
            },
        )


def load(folder: Path, home: Path) -> Sentiment:
    """What `Sentiment.save` wrote, over the checkpoint it names."""
    config = champions.config(folder)
    body = checkpoints.resolve(config["checkpoint"], home)
    encoder = TextClassifier(body, len(config["classes"]), config["max_tokens"])
    encoder.read(folder)
    mix = Mix(np.array(config["weights"]), np.array(config["level"]))
    words, checkpoint = word_counts.load(folder), config["checkpoint"]
    return Sentiment(config["classes"], checkpoint, encoder.eval(), words, mix, config["learned"])


def polarities(classes: Sequence[str], chance: np.ndarray) -> np.ndarray:
    """Probability of each of POLARITIES from those of the stars: float64 [N, 3]; three stars are neutral."""
    stars = np.array([int(name) for name in classes])
    places = [stars <= 2, stars == 3, stars >= 4]
    return np.stack([chance[:, place].sum(1) for place in places], axis=1)


def with_noise(labelled: Labelled, share: float, seed: int) -> Labelled:
    """Labelled texts, and a share of them once more as they are wrongly written (`learning.robustness`)."""
    chosen = np.random.default_rng(seed).permutation(len(labelled.truth))[: round(share * len(labelled.truth))]
    some = labelled.only(np.sort(chosen))
    return Labelled([*labelled.texts, *robustness.noised(some.texts, seed)], np.r_[labelled.truth, some.truth])


@dataclass(frozen=True)
class Lesson:
    """Labelled texts in two parts: int [n] places that teach, and those that choose and weigh."""

    all: Labelled
    fit: np.ndarray
    valid: np.ndarray

    @classmethod
    def of(cls, labelled: Labelled) -> "Lesson":
        """Draw the parts by the texts' hashes, within each class, so that equal texts fall into one part.

        Raises:
            NoData: too few texts, or only one class.
        """
        count = len(labelled.truth)
        if count < LEAST or len(np.unique(labelled.truth)) < 2:
            raise NoData(f"{count} labelled texts of {len(np.unique(labelled.truth))} classes: too few to learn from")
        share = min(max(VALID_SHARE, LEAST / count), VALID_MOST / count, 1 / 3)
        chance = np.array([drawn(text) for text in labelled.texts])
        chosen = np.zeros(count, bool)
        for one in np.unique(labelled.truth):
            mine = np.flatnonzero(labelled.truth == one)
            least = np.quantile(chance[mine], share, method="lower")
            chosen[mine] = (chance[mine] <= least) & (len(mine) > 1)
        return cls(labelled, np.flatnonzero(~chosen), np.flatnonzero(chosen))


def drawn(text: str) -> float:
    """A number in 0 to 1 that only the text decides, whatever its case and spaces."""
    name = " ".join(text.lower().split()).encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:6], "big") / 2**48


def learn(
    lesson: Lesson,
    classes: list[str],
    settings: SentimentSettings,
    *,
    home: Path,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Progress,
    frozen: Callable[[TextClassifier, np.ndarray, np.ndarray], None] = lambda _encoder, _states, _truth: None,
    champion: Path | None = None,
    sought: WordModel | None = None,
) -> Sentiment:
    """Tune the encoder, fit the counts, weigh them.

    Args:
        lesson: labelled texts, classes as places in `classes`.
        classes: names.
        settings: checkpoint and rates.
        home: under which checkpoints are unpacked.
        folder: for the Trainer's own checkpoints.
        seed: of all drawing.
        recorder: gets the loss curves and weights.
        progress: called as (step, done, total).
        frozen: shown the frozen encoder, its states of the texts (HEAD_TEXTS at most) and their classes, before tuning.
        champion: a kept model of the same classes and checkpoint to carry on from.
        sought: counts and penalty, chosen by `word_counts.learn` on the lesson's parts; chosen here where left out.
    """
    fit, valid = lesson.all.only(lesson.fit), lesson.all.only(lesson.valid)
    sought = sought or word_counts.learn(fit.texts, fit.truth, valid.texts, valid.truth, len(classes), "margin", seed)
    progress("count words", 1, 1)
    encoder = TextClassifier(checkpoints.resolve(settings.checkpoint, home), len(classes), settings.max_tokens)
    if champion:
        encoder.read(champion)
    else:
        some = np.sort(np.random.default_rng(seed).permutation(len(lesson.all.truth))[:HEAD_TEXTS])
        read = lesson.all.only(some)
        states = encoder.states(read.texts, lambda done, total: progress("read as pretrained", done, total))
        frozen(encoder, states, read.truth)
        taught = np.isin(some, lesson.fit)
        encoder.fit_head(states[taught], read.truth[taught], seed)
    if encoder.form != (wanted := Form.of(settings.training, settings.trained_layers)):
        encoder.take(wanted, seed)
    encoder.radius = settings.adversarial_radius
    encoder = text_classifier.tune(
        encoder,
        with_noise(fit, settings.noise, seed),
        valid,
        settings.training,
        warm=champion is not None,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=lambda done, total: progress("tune the encoder", done, total),
    )
    mix = Mix.learn([encoder.logits(valid.texts), sought.logits(valid.texts)], valid.truth)
    recorder.params({"sentiment.mix": mix.weights.tolist(), "sentiment.counts": sought.counts.view})
    words = word_counts.again(sought, lesson.all.texts, lesson.all.truth, len(classes), seed)
    return Sentiment(classes, settings.checkpoint, encoder, words, mix, len(lesson.all.truth))
