"""The commands that learn from bare files of dialogues: intents and respond."""

import json
import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.app import app, print_facts, print_table
from pipeline.cli.progress import NightProgress

FIGURES = Path("build/figures")


@app.command(
    rich_help_panel="Benchmarks",
    epilog="Example: shopkeel intents --dialogues turns.csv --out predictions.parquet",
)
def intents(
    dialogues: Annotated[
        Path,
        typer.Option(help="File of turns: text, intent, perhaps a split; or a folder of train, dev, test."),
    ],
    out: Annotated[Path, typer.Option(help="Parquet file for the held-out turns: row, intents, predicted, …")],
    checkpoint: Annotated[
        str, typer.Option(help="Encoder: embedded:NAME, path:/dir or hf:org/name@rev.", show_default="by the script")
    ] = "",
    text_column: Annotated[str | None, typer.Option(help="Column of the text.", show_default="found")] = None,
    intent_column: Annotated[str | None, typer.Option(help="Column of the intents.", show_default="found")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Training steps of the encoder at most.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of all drawing.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Compute threads.")] = 2,
) -> None:
    """Learn what turns want, tell those held out (the file's split, else a fifth of the dialogues), judge it."""
    from pipeline.dialogues import intents as bench
    from pipeline.dialogues import turns
    from pipeline.learning import harness
    from pipeline.record import JsonRecorder
    from pipeline.reviews.bench import checkpoint_for
    from pipeline.settings import SentimentSettings, home

    rows = turns.read(dialogues, text_column, intent_column)
    settings = SentimentSettings(checkpoint=checkpoint or checkpoint_for(rows.texts), max_tokens=64)
    settings = settings.model_copy(update={"training": settings.training.model_copy(update={"steps": steps})})
    harness.settle(seed, threads)
    with NightProgress() as progress, tempfile.TemporaryDirectory() as folder:
        found = bench.run(
            rows,
            settings,
            out,
            home=home(),
            folder=Path(folder),
            seed=seed,
            recorder=JsonRecorder(Path(folder) / "notes"),
            progress=lambda step, done, total: progress(step, None, done, total),
        )
    names = ("accuracy", "macro_f1", "single_accuracy", "single_macro_f1")
    titles = ("accuracy", "macro-F1", "accuracy, one intent", "macro-F1, one intent")
    _print_figures("read by", names, titles, found.figures)
    print_facts([(f"{name} over {bench.BASELINE}", _spread(*gain)) for name, gain in found.gains.items()])
    facts = {"file": str(dialogues), "seed": seed, "threads": threads, "steps": steps} | dict(found.facts)
    _leave("intents", facts, found.figures, found.gains, out)


@app.command(
    rich_help_panel="Benchmarks",
    epilog="Example: shopkeel respond --contexts test --out ranks.parquet",
)
def respond(
    contexts: Annotated[
        Path, typer.Option(help="Lines of label, turns and a candidate, parted by tabs; contexts stand together.")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file for the ranks: row, context, label, score, rank.")],
    train: Annotated[
        Path | None, typer.Option(help="Such a file that teaches.", show_default="the file train beside it")
    ] = None,
    checkpoint: Annotated[
        str, typer.Option(help="Encoder: embedded:NAME, path:/dir or hf:org/name@rev.")
    ] = "embedded:me5-small",
    steps: Annotated[int, typer.Option(min=1, help="Training steps of the encoder at most.")] = 40,
    seed: Annotated[int, typer.Option(help="Of all drawing.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Compute threads.")] = 2,
) -> None:
    """Learn which answers fit what was said, rank the candidates of each context, and judge it."""
    from pipeline.dialogues import responses as bench
    from pipeline.learning import harness
    from pipeline.models.responses import SETTINGS
    from pipeline.record import JsonRecorder
    from pipeline.settings import home

    rates = SETTINGS.training.model_copy(update={"steps": steps})
    settings = SETTINGS.model_copy(update={"checkpoint": checkpoint, "training": rates})
    harness.settle(seed, threads)
    with NightProgress() as progress, tempfile.TemporaryDirectory() as folder:
        found = bench.run(
            contexts,
            train,
            settings,
            out,
            home=home(),
            folder=Path(folder),
            seed=seed,
            recorder=JsonRecorder(Path(folder) / "notes"),
            progress=lambda step, done, total: progress(step, None, done, total),
        )
    names = ("recall_at_1", "recall_at_2", "recall_at_5", "mrr")
    _print_figures("ranked by", names, ("R@1", "R@2", "R@5", "MRR"), found.figures)
    print_facts([(f"R@1 over {who}", _spread(*gain)) for who, gain in found.gains.items()])
    facts = {"file": str(contexts), "seed": seed, "threads": threads, "steps": steps} | dict(found.facts)
    _leave("respond", facts, found.figures, found.gains, out)


def _spread(value: float, low: float, high: float) -> str:
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"


def _print_figures(
    who: str, names: tuple[str, ...], titles: tuple[str, ...], figures: Mapping[str, Mapping[str, float]]
) -> None:
    shown = [
        (name, *(f"{one[key]:.4f} [{one[f'{key}_low']:.4f}, {one[f'{key}_high']:.4f}]" for key in names if key in one))
        for name, one in figures.items()
    ]
    if shown:
        print_table((who, *titles), shown, right=titles)


def _leave(
    name: str,
    facts: dict[str, Any],
    figures: Mapping[str, Mapping[str, float]],
    gains: Mapping[str, tuple[float, float, float]],
    out: Path,
) -> None:
    """Write the figures to build/figures and MLflow, and say where all lies."""
    from pipeline import tracking
    from pipeline.settings import home
    from pipeline.version import code_version

    flat = {f"{name}/{who}/{key}": value for who, one in figures.items() for key, value in one.items()}
    for what, gain in gains.items():
        flat |= {f"{name}/gain/{what}{end}": value for end, value in zip(("", "_low", "_high"), gain, strict=True)}
    facts |= {"commit": code_version()}
    run = tracking.note_benchmark(home(), name, facts, flat)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
    path = FIGURES / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(flat | {"machine": machine, "commit": facts["commit"]}, indent=1) + "\n")
    print_facts([*facts.items(), ("predictions", out), ("figures", path), ("MLflow", run or "not reached")])
