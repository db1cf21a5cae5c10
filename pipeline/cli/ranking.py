"""The command that ranks a bare benchmark file: rank."""

import json
import os
import platform
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import app, print_facts, print_table
from pipeline.cli.progress import NightProgress

FIGURES = Path("build/figures/rank.json")


@app.command(
    rich_help_panel="Benchmarks",
    epilog="Example: shopkeel rank --sequences beauty/sequences.txt --titles beauty/titles.tsv --out lists.parquet",
)
def rank(
    sequences: Annotated[
        Path, typer.Option(help="Lines of `user item item …`, oldest first; the last item is hidden.")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file for the lists: user, item, rank.")],
    titles: Annotated[Path | None, typer.Option(help="Tab-separated with a header: item first, title last.")] = None,
    attributes: Annotated[Path | None, typer.Option(help="JSON: lists of attribute numbers by item.")] = None,
    seed: Annotated[int, typer.Option(help="Of all drawing.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Compute threads.")] = 2,
) -> None:
    """Rank each user's next item; says how each part does alone on the item before, among users held out."""
    from pipeline import rank as ranking
    from pipeline.version import code_version

    bench = ranking.read_sequences(sequences)
    known = ranking.content(bench.items, titles, attributes)
    with NightProgress() as progress:

        def inner(step: str, done: int, total: int) -> None:
            progress(step, None, done, total)

        ndcg = ranking.rank_sequences(bench, known, out, seed=seed, threads=threads, progress=inner)
    print_table(("part", "NDCG@10"), [(name, f"{value:.4f}") for name, value in ndcg.items()], right=("NDCG@10",))
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
    figures = {f"rank/{name}/ndcg@10": value for name, value in ndcg.items()}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures | {"machine": machine, "commit": code_version()}, indent=1) + "\n")
    print_facts([("lists", out), ("figures", FIGURES)])
