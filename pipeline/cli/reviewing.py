"""The command that learns sentiment on a bare file of reviews: sentiment."""

import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import app, print_facts, print_table
from pipeline.cli.progress import NightProgress
from pipeline.settings import Method

FIGURES = Path("build/figures/sentiment.json")


@app.command(
    rich_help_panel="Benchmarks",
    epilog="Example: shopkeel sentiment --reviews reviews.csv --out predictions.parquet",
)
def sentiment(
    reviews: Annotated[
        Path, typer.Option(help="CSV, TSV, JSON lines or Parquet: a text, a label or stars, perhaps a split.")
    ],
    out: Annotated[
        Path, typer.Option(help="Parquet file for the held-out rows: row, label, predicted, probabilities.")
    ],
    checkpoint: Annotated[
        str, typer.Option(help="Encoder: embedded:NAME, path:/dir or hf:org/name@rev.", show_default="by the script")
    ] = "",
    method: Annotated[
        Method, typer.Option(help="What of the encoder is tuned: its layers whole, or adapters in them.")
    ] = "full",
    text_column: Annotated[str | None, typer.Option(help="Column of the text.", show_default="found")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the label.", show_default="found")] = None,
    onnx: Annotated[
        Path | None, typer.Option(help="Write the tuned encoder with its head here, as an ONNX graph.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all drawing.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Compute threads.")] = 2,
) -> None:
    """Learn what reviews say, predict those held out (test in a column `split`, else a fifth by text), judge it."""
    from pipeline import tracking
    from pipeline.learning import harness
    from pipeline.record import JsonRecorder
    from pipeline.reviews import bench, files
    from pipeline.settings import home
    from pipeline.version import code_version

    rows = files.read(reviews, text_column, label_column)
    settings = bench.settings_for(rows.texts, checkpoint, method)
    harness.settle(seed, threads)
    with NightProgress() as progress, tempfile.TemporaryDirectory() as folder:

        def inner(step: str, done: int, total: int) -> None:
            progress(step, None, done, total)

        recorder = JsonRecorder(Path(folder) / "notes")
        found = bench.run(
            rows, settings, out, home=home(), folder=Path(folder), seed=seed, recorder=recorder, progress=inner
        )
    if onnx:
        from pipeline.models import exported

        exported.export(found.model.encoder, onnx)
    names = ("accuracy", "macro_f1")
    shown = [
        (who, *(f"{one[name]:.4f} [{one[f'{name}_low']:.4f}, {one[f'{name}_high']:.4f}]" for name in names))
        for who, one in found.figures.items()
    ]
    print_table(("read by", "accuracy", "macro-F1"), shown, right=("accuracy", "macro-F1"))
    figures = {f"sentiment/{who}/{name}": value for who, one in found.figures.items() for name, value in one.items()}
    if found.gain:
        best, gain, low, high = found.gain
        print_facts([(f"accuracy over {best}", f"{gain:+.4f} [{low:+.4f}, {high:+.4f}]")])
        figures |= {"sentiment/gain": gain, "sentiment/gain_low": low, "sentiment/gain_high": high}
    facts = {"file": str(reviews), "seed": seed, "threads": threads, "commit": code_version()} | dict(found.facts)
    run = tracking.note_benchmark(home(), "sentiment", facts, figures)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures | {"machine": machine, "commit": facts["commit"]}, indent=1) + "\n")
    print_facts([*found.facts.items(), ("predictions", out), ("figures", FIGURES), ("MLflow", run or "not reached")])
