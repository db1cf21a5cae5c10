"""The command that ranks a bare benchmark file: rank."""

import json
import os
import platform
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import app, print_facts, print_table
from pipeline.cli.progress import NightProgress
from pipeline.errors import ConfigError

FIGURES = Path("build/figures/rank.json")


@app.command(
    rich_help_panel="Benchmarks",
    epilog="Example: shopkeel rank --sequences beauty/sequences.txt --titles beauty/titles.tsv --out lists.parquet",
)
def rank(
    out: Annotated[Path, typer.Option(help="Parquet file for the lists: user, item, rank.")],
    sequences: Annotated[
        Path | None, typer.Option(help="Lines of `user item item …`, oldest first; the last item is hidden.")
    ] = None,
    titles: Annotated[Path | None, typer.Option(help="Tab-separated with a header: item first, title last.")] = None,
    attributes: Annotated[Path | None, typer.Option(help="JSON: lists of attribute numbers by item.")] = None,
    history: Annotated[Path | None, typer.Option(help="JSON: baskets by user, oldest first.")] = None,
    future_size: Annotated[int, typer.Option(min=1, help="Items listed a user, with --history.")] = 20,
    seed: Annotated[int, typer.Option(help="Of all drawing.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Compute threads.")] = 2,
) -> None:
    """Rank each user's next item or basket; says how each part does alone on what came before, among held-out users."""
    from pipeline import tracking
    from pipeline.learning import harness
    from pipeline.settings import home
    from pipeline.version import code_version

    if (sequences is None) == (history is None):
        raise ConfigError("rank: give either --sequences or --history, the file to rank")
    if history and (titles or attributes):
        raise ConfigError("rank: --titles and --attributes go with --sequences; leave them out")
    harness.settle(seed, threads)
    with NightProgress() as progress:

        def inner(step: str, done: int, total: int) -> None:
            progress(step, None, done, total)

        if sequences:
            from pipeline.rank import sequence_files
            from pipeline.rank import sequences as items

            bench = sequence_files.read_sequences(sequences)
            known = sequence_files.read_items(bench.items, titles, attributes)
            parts = items.rank(bench, known, out, home=home(), seed=seed, threads=threads, progress=inner)
        elif history:
            from pipeline.rank import baskets

            held = baskets.read_history(history)
            parts = baskets.rank(held, out, future_size, seed=seed, threads=threads, progress=inner)
    names = list(parts["fused"])
    rows = [(part, *(f"{values[name]:.4f}" for name in names)) for part, values in parts.items()]
    print_table(("part", *names), rows, right=tuple(names))
    figures = {f"rank/{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
    facts = {"file": str(sequences or history), "seed": seed, "threads": threads, "commit": code_version()}
    run = tracking.note_benchmark(home(), "rank", facts, figures)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures | {"machine": machine, "commit": facts["commit"]}, indent=1) + "\n")
    print_facts([("lists", out), ("figures", FIGURES), ("MLflow", run or "could not be reached")])
