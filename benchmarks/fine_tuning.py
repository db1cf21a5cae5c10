"""What each way of tuning and of making smaller costs and gives: python -m benchmarks.fine_tuning [--help].

Every way learns from the same reviews with the same number of steps. Seconds are the process's own (CPU), since others
may be at work on the machine; memory is the most that was resident beyond what stood before; size is what is kept.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.reviews import CLASSES, foods
from benchmarks.side_by_side import note_figures
from pipeline.learning import checkpoints, harness
from pipeline.learning.adapters import RATES
from pipeline.learning.forms import Form
from pipeline.metrics import classification, intervals
from pipeline.models import students, text_classifier
from pipeline.models.text_classifier import WEIGHTS, Labelled, TextClassifier
from pipeline.record import JsonRecorder
from pipeline.settings import Training, home

MB = 2**20


@dataclass
class Bench:
    """The reviews, the settings, and what was found so far.

    Attributes:
        states: of the frozen encoder for the texts that teach, which all heads begin from.
        found: figures by way.
        told: class of each held-out review, by way.
    """

    asked: argparse.Namespace
    fit: Labelled
    valid: Labelled
    held_out: Labelled
    checkpoint: Path
    states: np.ndarray = field(default_factory=lambda: np.zeros(0))
    found: dict[str, dict[str, float]] = field(default_factory=dict)
    told: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def rates(self) -> Training:
        """Of whole layers; the harness makes them faster for adapters."""
        steps = self.asked.steps
        return Training(
            steps=steps,
            warm_steps=steps,
            batch_size=16,
            learning_rate=1e-4,
            warm_learning_rate=1e-4,
            eval_steps=steps,
            patience=3,
        )


@contextmanager
def peak() -> Iterator[Callable[[], float]]:
    """Gives the most that was resident since, in MB beyond what stood there (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")

    def resident(name: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

    before = resident("VmRSS")
    yield lambda: resident("VmHWM") - before


def judged(bench: Bench, name: str, model: TextClassifier, seconds: float, memory: float) -> None:
    """Note how a model reads the held-out reviews, what it cost, and how large it is kept."""
    model.logits(bench.held_out.texts[:32])
    began = process_time()
    told = model.logits(bench.held_out.texts).argmax(1)
    reading = process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        size = (Path(folder) / WEIGHTS).stat().st_size / MB
        again = TextClassifier(bench.checkpoint, len(CLASSES), model.max_tokens)
        again.read(Path(folder))
        assert np.array_equal(again.logits(bench.held_out.texts[:32]), model.logits(bench.held_out.texts[:32]))
    truth = bench.held_out.truth
    accuracy, low, high = intervals.bootstrap_mean((told == truth).astype(float))
    bench.told[name] = told
    bench.found[name] = {
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": classification.macro_f1(truth, told),
        "training_seconds": seconds,
        "memory_mb": memory,
        "texts_per_second": len(truth) / reading,
        "kept_mb": size,
        "layers_mb": sum(one.numel() * one.element_size() for one in model.body.encoder.state_dict().values()) / MB,
    }
    print(name, {key: round(value, 3) for key, value in bench.found[name].items()}, flush=True)


def tuned(bench: Bench, name: str, rates: Training) -> TextClassifier:
    """Tune by one method, from the head that the frozen encoder gives."""
    model = TextClassifier(bench.checkpoint, len(CLASSES), bench.asked.tokens)
    if not len(bench.states):
        bench.states = model.states(bench.fit.texts)
    model.fit_head(bench.states, bench.fit.truth, 0)
    if name == "frozen":
        judged(bench, name, model, 0.0, 0.0)
        return model
    model.take(Form.of(rates, bench.asked.layers), 0)
    with peak() as most, tempfile.TemporaryDirectory() as folder:
        began = process_time()
        text_classifier.tune(
            model,
            bench.fit,
            bench.valid,
            rates,
            warm=False,
            folder=Path(folder) / "run",
            seed=0,
            recorder=JsonRecorder(Path(folder) / "notes"),
        )
        seconds, memory = process_time() - began, most()
    judged(bench, name, model, seconds, memory)
    return model


def smaller(bench: Bench, teacher: TextClassifier) -> None:
    """A student of the tuned model, then both in 8 bits."""
    depth = len(teacher.body.encoder.layer) // 2
    with peak() as most, tempfile.TemporaryDirectory() as folder:
        began = process_time()
        student = students.distil(
            teacher,
            bench.fit,
            bench.valid,
            bench.rates,
            depth=depth,
            checkpoint=bench.checkpoint,
            folder=Path(folder) / "run",
            seed=0,
            recorder=JsonRecorder(Path(folder) / "notes"),
        )
        seconds, memory = process_time() - began, most()
    judged(bench, f"student of {depth} layers", student, seconds, memory)
    for name, model in (("full", teacher), (f"student of {depth} layers", student)):
        with peak() as most:
            began = process_time()
            model.quantise()
            seconds, memory = process_time() - began, most()
        judged(bench, f"{name}, int8", model, seconds, memory)


def main() -> None:
    """Run all ways, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--taught", type=int, default=800, help="reviews that teach")
    parser.add_argument("--held-out", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--layers", type=int, default=6, help="top layers that are tuned")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    harness.settle(0, asked.threads)
    data, checkpoint = foods(), checkpoints.resolve("embedded:minilm-l6", home())
    order = np.random.default_rng(0).permutation(len(data.taught.truth))[: asked.taught + 64]
    fit, valid = data.taught.only(order[: asked.taught]), data.taught.only(order[asked.taught :])
    bench = Bench(asked, fit, valid, data.held_out.only(np.arange(asked.held_out)), checkpoint)
    tuned(bench, "frozen", bench.rates)
    for method in RATES:
        if method != "full":
            tuned(bench, method, bench.rates.model_copy(update={"method": method}))
    tuned(bench, "full, recomputed", bench.rates.model_copy(update={"gradient_checkpointing": True}))
    smaller(bench, tuned(bench, "full", bench.rates))
    show(bench)


def show(bench: Bench) -> None:
    """The table, each way's accuracy beside that of whole layers, and the figures."""
    table = Table(
        "way", "accuracy", "over full", "train s", "memory MB", "texts/s", "kept MB", "layers MB", title="fine_tuning"
    )
    full = (bench.told["full"] == bench.held_out.truth).astype(float)
    for name, one in bench.found.items():
        gain, low, high = intervals.paired_gain((bench.told[name] == bench.held_out.truth).astype(float), full)
        one |= {"gain": gain, "gain_low": low, "gain_high": high}
        shown = "" if name == "full" else f"{gain:+.3f} [{low:+.3f}, {high:+.3f}]"
        cells = ("training_seconds", "memory_mb", "texts_per_second", "kept_mb", "layers_mb")
        table.add_row(name, f"{one['accuracy']:.3f}", shown, *(f"{one[cell]:.1f}" for cell in cells))
    Console(width=120).print(table)
    figures = {f"fine_tuning/{name}/{key}": value for name, one in bench.found.items() for key, value in one.items()}
    note_figures("fine_tuning", figures)


if __name__ == "__main__":
    main()
