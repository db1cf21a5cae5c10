"""What the tools for little data buy over plain fine-tuning: python -m benchmarks.little_data [--seeds 5] [--help].

Each way of teaching gets the same labelled texts, starting head and optimiser steps; what differs is what those steps
read. Accuracy on held-out reviews is compared with that of plain fine-tuning, seed by seed and review by review. Every
run is kept in build/little_data, so a run that was stopped goes on where it was.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import softmax

from benchmarks.reviews import CLASSES, foods
from benchmarks.side_by_side import FIGURES, note_figures
from pipeline.learning import augmentation, checkpoints, domain, harness, self_training
from pipeline.learning.domain import MaskedModel
from pipeline.models import text_classifier
from pipeline.models.sentiment import Lesson
from pipeline.models.text_classifier import Labelled, TextClassifier
from pipeline.record import JsonRecorder
from pipeline.reviews import files
from pipeline.settings import Training, home

PLAIN = "plain fine-tuning"
KEPT = FIGURES.parent / "little_data"


@dataclass
class Bench:
    """What all runs share.

    Attributes:
        asked: the command's settings.
        pool: texts among which labelled ones are drawn, seed by seed.
        unlabelled: others, whose labels nobody sees.
        held_out: to judge by.
        states: frozen states of the pool by start.
    """

    asked: argparse.Namespace
    pool: Labelled
    unlabelled: list[str]
    held_out: Labelled
    folder: Path
    states: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def rates(self) -> Training:
        """Of every way: as many steps, and half of them where a model goes on."""
        steps = self.asked.steps
        return Training(
            steps=steps,
            warm_steps=steps // 2,
            batch_size=16,
            learning_rate=self.asked.rate,
            warm_learning_rate=self.asked.rate / 3,
            eval_steps=steps // 3,
            patience=3,
        )

    def model(self, start: str) -> TextClassifier:
        """A classifier over one of the starting points: as pretrained, or as prepared in `start`."""
        one = TextClassifier(self.starts[start], len(CLASSES), self.asked.tokens)
        if start not in self.states:
            self.states[start] = one.states(self.pool.texts)
        return one

    starts: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Lot:
    """One seed's labelled texts: places in the pool, those that teach and those that choose."""

    places: np.ndarray
    fit: np.ndarray
    valid: np.ndarray
    seed: int


def begun(bench: Bench, lot: Lot, start: str) -> TextClassifier:
    """The starting point with the head that its frozen states of the labelled texts give."""
    model = bench.model(start)
    taught = lot.places[lot.fit]
    model.fit_head(bench.states[start][taught], bench.pool.truth[taught], lot.seed)
    model.tune_top(bench.asked.layers)
    return model


def taught(bench: Bench, model: TextClassifier, fit: Labelled, lot: Lot, *, warm: bool = False) -> TextClassifier:
    """Tune on texts, as often repeated as the steps of every way ask."""
    valid = bench.pool.only(lot.places[lot.valid])
    rates = bench.rates
    count = rates.batch_size * (rates.warm_steps if warm else rates.steps // 2)
    repeated = fit.only(np.resize(np.arange(len(fit.truth)), max(count, len(fit.truth))))
    with tempfile.TemporaryDirectory() as folder:
        return text_classifier.tune(
            model,
            repeated,
            valid,
            rates,
            warm=warm,
            folder=Path(folder) / "run",
            seed=lot.seed,
            recorder=JsonRecorder(Path(folder) / "notes"),
        )


def plain(bench: Bench, lot: Lot) -> TextClassifier:
    """What the others are held to."""
    return taught(bench, begun(bench, lot, "pretrained"), bench.pool.only(lot.places[lot.fit]), lot)


def from_domain(bench: Bench, lot: Lot) -> TextClassifier:
    """The same, after masked-language pretraining on the shop's text."""
    return taught(bench, begun(bench, lot, "domain"), bench.pool.only(lot.places[lot.fit]), lot)


def from_other_stars(bench: Bench, lot: Lot) -> TextClassifier:
    """The same, after tuning on the stars of another shop."""
    return taught(bench, begun(bench, lot, "other shop"), bench.pool.only(lot.places[lot.fit]), lot)


def with_own_labels(bench: Bench, lot: Lot) -> TextClassifier:
    """Plain first, then on with what that model is sure of."""
    model, fit = plain(bench, lot), bench.pool.only(lot.places[lot.fit])
    valid = bench.pool.only(lot.places[lot.valid])
    least = self_training.thresholds(softmax(model.logits(valid.texts), axis=1), valid.truth)
    shares = np.bincount(fit.truth, minlength=len(CLASSES)) / len(fit.truth)
    chance = softmax(model.logits(bench.unlabelled), axis=1)
    places, told = self_training.pick(chance, least, shares, len(bench.unlabelled))
    both = Labelled([*fit.texts, *(bench.unlabelled[place] for place in places)], np.r_[fit.truth, told])
    return taught(bench, model, both, lot, warm=True)


def said_otherwise(how: Callable[[list[str], MaskedModel, int], list[str]]) -> Callable[[Bench, Lot], TextClassifier]:
    """The labelled texts and a copy of each, its label kept."""

    def teach(bench: Bench, lot: Lot) -> TextClassifier:
        fit = bench.pool.only(lot.places[lot.fit])
        model = domain.load(bench.starts["domain"], bench.asked.tokens)
        copy = how(list(fit.texts), model, lot.seed)
        both = Labelled([*fit.texts, *copy], np.r_[fit.truth, fit.truth])
        order = np.arange(len(both.truth)).reshape(2, -1).T.ravel()
        return taught(bench, begun(bench, lot, "pretrained"), both.only(order), lot)

    return teach


WAYS: dict[str, Callable[[Bench, Lot], TextClassifier]] = {
    PLAIN: plain,
    "pretrained on its own text": from_domain,
    "another shop's stars first": from_other_stars,
    "self-training": with_own_labels,
    "synonyms": said_otherwise(augmentation.synonyms),
    "words guessed in context": said_otherwise(augmentation.contextual),
}


def prepare(bench: Bench, other: Path | None) -> None:
    """The starting points: as pretrained, masked-language pretrained, taught by another shop's stars."""
    asked = bench.asked
    pretrained = checkpoints.resolve("embedded:minilm-l6", home())
    bench.starts["pretrained"] = pretrained
    adapted = bench.folder / "domain"
    if not (adapted / "config.json").exists():
        adapted.mkdir(parents=True, exist_ok=True)
        rates = bench.rates.model_copy(update={"steps": asked.domain_steps, "eval_steps": asked.domain_steps // 4})
        model = domain.adapt(
            MaskedModel(pretrained, asked.tokens),
            [*bench.pool.texts, *bench.unlabelled],
            rates,
            trained_layers=asked.layers,
            folder=bench.folder / "domain-run",
            seed=0,
            recorder=JsonRecorder(bench.folder / "domain-notes"),
        )
        model.save(adapted)
    bench.starts["domain"] = adapted
    if other:
        target = bench.folder / "other"
        if not (target / "config.json").exists():
            target.mkdir(parents=True, exist_ok=True)
            _by_other(bench, other, target)
        bench.starts["other shop"] = target


def _by_other(bench: Bench, other: Path, target: Path) -> None:
    """Tune on another shop's stars, five against fewer, as many of each as there are; keep the encoder alone."""
    read = files.read(other)
    best = read.truth == len(read.classes) - 1
    rng = np.random.default_rng(0)
    few = min(best.sum(), (~best).sum(), bench.asked.other)
    places = np.concatenate([rng.permutation(np.flatnonzero(best == one))[:few] for one in (False, True)])
    every = Labelled([read.texts[place] for place in places], best[places].astype(np.int64))
    lesson = Lesson.of(every)
    model = bench.model("pretrained")
    fit = every.only(lesson.fit)
    model.fit_head(model.states(fit.texts), fit.truth, 0)
    model.tune_top(bench.asked.layers)
    text_classifier.tune(
        model,
        fit,
        every.only(lesson.valid),
        bench.rates,
        warm=False,
        folder=bench.folder / "other-run",
        seed=0,
        recorder=JsonRecorder(bench.folder / "other-notes"),
    )
    model.body.save_pretrained(target)
    model.tokenizer.save_pretrained(target)


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """All runs that are not kept yet, seed by seed; returns every kept one by name."""
    harness.settle(0, asked.threads)
    sizes = "-".join(
        str(getattr(asked, name)) for name in ("tokens", "layers", "steps", "pool", "held_out", "unlabelled")
    )
    folder = KEPT / f"{sizes}-{asked.rate}-{asked.domain_steps}-{asked.other}"
    folder.mkdir(parents=True, exist_ok=True)
    data = foods()
    order = np.random.default_rng(0).permutation(len(data.taught.truth))
    pool, rest = order[: asked.pool], order[asked.pool : asked.pool + asked.unlabelled]
    bench = Bench(
        asked,
        data.taught.only(pool),
        list(data.taught.only(rest).texts),
        data.held_out.only(np.arange(asked.held_out)),
        folder,
    )
    prepare(bench, asked.other_reviews)
    kept: dict[str, Any] = {}
    for seed in range(asked.seeds):
        for size in asked.sizes:
            places = np.random.default_rng(100 + seed).permutation(asked.pool)[:size]
            lesson = Lesson.of(bench.pool.only(places))
            lot = Lot(places, lesson.fit, lesson.valid[: asked.valid], seed)
            for way, teach in WAYS.items():
                if way == "another shop's stars first" and not asked.other_reviews:
                    continue
                name = f"{way}/{size}/{seed}"
                path = folder / f"{name.replace('/', '-').replace(' ', '_')}.json"
                if not path.exists():
                    began = perf_counter()
                    told = teach(bench, lot).logits(bench.held_out.texts).argmax(1)
                    right = (told == bench.held_out.truth).astype(int)
                    facts = {"right": right.tolist(), "seconds": perf_counter() - began}
                    path.write_text(json.dumps(facts))
                    print(f"{name}: {right.mean():.3f} in {facts['seconds']:.0f} s", flush=True)
                kept[name] = json.loads(path.read_text())
    return kept


def compared(kept: dict[str, Any], seeds: int, sizes: list[int]) -> dict[str, tuple[float, ...]]:
    """By way and size: accuracy, gain over plain, ends of its interval: seeds and reviews are drawn anew together."""
    rng, found = np.random.default_rng(0), {}
    for way in WAYS:
        for size in sizes:
            names = [seed for seed in range(seeds) if f"{way}/{size}/{seed}" in kept]
            if not names:
                continue
            mine, base = (
                np.array([kept[f"{one}/{size}/{seed}"]["right"] for seed in names], float) for one in (way, PLAIN)
            )
            gain = mine - base
            drawn = [
                gain[rng.integers(len(gain), size=len(gain))][:, rng.integers(gain.shape[1], size=gain.shape[1])].mean()
                for _ in range(2000)
            ]
            low, high = np.percentile(drawn, (2.5, 97.5))
            found[f"{way}/{size}"] = (float(mine.mean()), float(gain.mean()), float(low), float(high), len(names))
    return found


def main() -> None:
    """Run, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--tokens", type=int, default=40, help="of a text that are read")
    parser.add_argument("--layers", type=int, default=2, help="top layers that are tuned")
    parser.add_argument("--steps", type=int, default=80, help="of the optimiser, 16 texts each, in every way")
    parser.add_argument("--rate", type=float, default=2e-4, help="of learning")
    parser.add_argument("--pool", type=int, default=1200, help="texts among which labelled ones are drawn")
    parser.add_argument("--unlabelled", type=int, default=2500)
    parser.add_argument("--held-out", type=int, default=400)
    parser.add_argument("--valid", type=int, default=60, help="labelled texts that choose, at most")
    parser.add_argument("--domain-steps", type=int, default=300)
    parser.add_argument("--other-reviews", type=Path, help="another shop's reviews with stars")
    parser.add_argument("--other", type=int, default=1000, help="of them, of either kind")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    found = compared(run(asked), asked.seeds, asked.sizes)
    table = Table("taught by", "labels", "accuracy", "over plain", "seeds", title="little_data")
    figures = {}
    for name, (accuracy, gain, low, high, seeds) in found.items():
        way, size = name.split("/")
        shown = "" if way == PLAIN else f"{gain:+.4f} [{low:+.4f}, {high:+.4f}]"
        table.add_row(way, size, f"{accuracy:.4f}", shown, str(seeds))
        values = {"accuracy": accuracy, "gain": gain, "gain_low": low, "gain_high": high, "seeds": seeds}
        figures |= {f"little_data/{way}/{size}/{key}": value for key, value in values.items()}
    Console().print(table)
    note_figures("little_data", figures)


if __name__ == "__main__":
    main()
