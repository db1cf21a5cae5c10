"""What turns want, as a shop's own dialogues teach it: one intent, or several that stand together in what was taught.

The likeliest intent is told as sentiment is, by a tuned encoder and word counts weighed together. Which others a turn
has besides is told by a margin of its own for each intent that ever stands in company. Not here: common intents for a
shop without dialogues (`intents`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from pipeline.errors import NoData
from pipeline.learning import champions
from pipeline.metrics import classification
from pipeline.models import sentiment
from pipeline.models.sentiment import Lesson, Progress, Sentiment
from pipeline.models.text_classifier import Labelled, TextClassifier
from pipeline.models.word_counts import NEVER, Counts, linear
from pipeline.record import Recorder
from pipeline.settings import SentimentSettings

NAME = "answers"
LEAST = 30  # turns with an intent, and two intents, below which nothing is learned
FLOORS = np.arange(-5, 6) / 10  # margins above which another intent may be told; one is chosen
COMPANY, COMPANY_CONFIG = "company.safetensors", "company.json"

Told = tuple[str, ...]


@dataclass(frozen=True)
class Lessons:
    """Turns that teach.

    Attributes:
        texts: what was said.
        intents: of each, at least one, in alphabetical order.
        valid: bool [N]: choose and weigh.
    """

    texts: Sequence[str]
    intents: Sequence[Told]
    valid: np.ndarray

    @property
    def classes(self) -> list[str]:
        """Every intent, in order."""
        return sorted({one for told in self.intents for one in told})

    def lesson(self) -> Lesson:
        """A turn of several intents stands once for each.

        Raises:
            NoData: too few turns, or only one intent.
        """
        place = {name: number for number, name in enumerate(self.classes)}
        rows = np.array([row for row, told in enumerate(self.intents) for _ in told], np.int64)
        truth = np.array([place[one] for told in self.intents for one in told], np.int64)
        if len(self.texts) < LEAST or len(place) < 2 or not self.valid.any() or self.valid.all():
            raise NoData(f"{len(self.texts)} turns of {len(place)} intents: too few to learn from")
        valid = self.valid[rows]
        return Lesson(Labelled([self.texts[row] for row in rows], truth), np.flatnonzero(~valid), np.flatnonzero(valid))


@dataclass(frozen=True)
class Company:
    """Which intents a turn has besides the likeliest.

    Attributes:
        weights: float64 [F, C] over word counts.
        level: float64 [C]; NEVER for an intent that always stood alone.
        known: the sets that were taught, of two and more.
        floor: margin above which another is told.
    """

    weights: np.ndarray
    level: np.ndarray
    known: frozenset[Told]
    floor: float = 0.0

    @classmethod
    def learn(
        cls,
        counts: Counts,
        penalty: float,
        texts: Sequence[str],
        intents: Sequence[Told],
        classes: Sequence[str],
        seed: int,
    ) -> "Company":
        """A linear margin for each intent that stands beside others."""
        known = frozenset(told for told in intents if len(told) > 1)
        rows = counts.of(texts)
        weights, level = np.zeros((rows.shape[1], len(classes))), np.full(len(classes), NEVER)
        for name in sorted({one for told in known for one in told}):
            has = np.array([name in told for told in intents], np.int64)
            if 0 < has.sum() < len(has):
                place = list(classes).index(name)
                halves, start = linear(rows, has, 2, "margin", penalty, seed)
                weights[:, place], level[place] = halves[:, 1] * 2, start[1] * 2
        return cls(weights, level, known)

    def told(self, counts: Counts, texts: Sequence[str], best: Sequence[str], classes: Sequence[str]) -> list[Told]:
        """The likeliest intent of each text with the others above the floor, as long as that set was taught."""
        if not self.known:
            return [(one,) for one in best]
        margins = np.asarray(counts.of(texts) @ self.weights + self.level)
        found = []
        for first, row in zip(best, margins, strict=True):
            also = [classes[one] for one in np.argsort(-row, kind="stable") if row[one] > self.floor]
            named = [first, *(one for one in also if one != first)]
            while len(named) > 1 and tuple(sorted(named)) not in self.known:
                named.pop()
            found.append(tuple(sorted(named)))
        return found


@dataclass(frozen=True)
class Intents:
    """A fitted model; `intents.IntentReader` for who wants the likeliest alone."""

    reader: Sentiment
    company: Company

    @property
    def classes(self) -> list[str]:
        """Names, in the order of probabilities."""
        return self.reader.classes

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Calibrated probability that each is the first intent: float64 [N, C]."""
        return self.reader.probabilities(texts)

    def told(self, texts: Sequence[str], chance: np.ndarray) -> list[Told]:
        """All intents of texts, given their probabilities."""
        best = [self.classes[one] for one in chance.argmax(1)]
        return self.company.told(self.reader.words.counts, texts, best, self.classes)

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON."""
        self.reader.save(folder)
        save_file({"weights": self.company.weights.astype(np.float32), "level": self.company.level}, folder / COMPANY)
        known = [list(told) for told in sorted(self.company.known)]
        champions.write_json(folder / COMPANY_CONFIG, {"known": known, "floor": self.company.floor})


def load(folder: Path, home: Path) -> Intents:
    """What `Intents.save` wrote."""
    arrays, config = load_file(folder / COMPANY), champions.read_json(folder / COMPANY_CONFIG)
    known = frozenset(tuple(told) for told in config["known"])
    company = Company(arrays["weights"].astype(np.float64), arrays["level"], known, config["floor"])
    return Intents(sentiment.load(folder, home), company)


def codes(*told: Sequence[Told]) -> list[np.ndarray]:
    """Sets of intents as classes of their own, the same numbers in each."""
    place = {one: number for number, one in enumerate(sorted({one for column in told for one in column}))}
    return [np.array([place[one] for one in column], np.int64) for column in told]


def learn(
    lessons: Lessons,
    settings: SentimentSettings,
    *,
    home: Path,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Progress,
    frozen: Callable[[TextClassifier, np.ndarray, np.ndarray], None] = lambda _encoder, _states, _truth: None,
    champion: Path | None = None,
) -> Intents:
    """Teach the reader, then what stands in company; how surely another intent must be there is chosen on `valid`.

    Args:
        lessons: turns.
        settings: checkpoint and rates.
        home: under which checkpoints are unpacked.
        folder: for the Trainer's own checkpoints.
        seed: of all drawing.
        recorder: gets the loss curves and weights.
        progress: called as (step, done, total).
        frozen: as of `sentiment.learn`.
        champion: a kept model of the same classes and checkpoint to carry on from.

    Raises:
        NoData: too few turns, or only one intent.
    """
    classes = lessons.classes
    reader = sentiment.learn(
        lessons.lesson(),
        classes,
        settings,
        home=home,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=progress,
        frozen=frozen,
        champion=champion,
    )
    counts, penalty = reader.words.counts, reader.words.penalty
    fit, valid = np.flatnonzero(~lessons.valid), np.flatnonzero(lessons.valid)
    tried = _only(lessons, fit)
    sought = Company.learn(counts, penalty, *tried, classes, seed)
    company = Company.learn(counts, penalty, lessons.texts, lessons.intents, classes, seed)
    asked, truth = _only(lessons, valid)
    best = [classes[one] for one in reader.probabilities(asked).argmax(1)]

    def worth(floor: float) -> float:
        told = Company(sought.weights, sought.level, sought.known, floor).told(counts, asked, best, classes)
        right, given = codes(truth, told)
        return classification.accuracy(right, given) + classification.macro_f1(right, given)

    floor = float(max(FLOORS, key=worth))
    recorder.params({"intents.floor": floor, "intents.together": len(company.known)})
    return Intents(reader, Company(company.weights, company.level, company.known, floor))


def _only(lessons: Lessons, places: np.ndarray) -> tuple[list[str], list[Told]]:
    return [lessons.texts[place] for place in places], [lessons.intents[place] for place in places]
