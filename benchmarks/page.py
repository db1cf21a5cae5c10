"""docs/benchmarks.md and its plots, of what the benchmarks left in build/figures: python -m benchmarks.page.

A file a benchmark; what was not run stands on no page, and a run on a machine that drifted says so.
"""

import json
from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.side_by_side import DRIFT, FIGURES
from pipeline.reports.drawing import BLUE, MUTED, STYLE, new_figure

DOCS = Path(__file__).parents[1] / "docs"
END, SECONDS, ABOUT = "end_to_end", "/seconds", ("machine", "load", "drift", "commit")
HEAD = """# Benchmarks

What `make bench` measured; the page is written by `python -m benchmarks.page` from `build/figures/*.json`. Ways of one
table ran in turn on one machine, answers to one question were held equal first, seconds are medians. *Product* is
a float32 matrix product in GFLOP/s and *copy* a memory copy in GB/s just before; where either had changed by more
than a tenth by the end, the machine was busy with other things, and the figures say how ways compare at best, not how
fast they are. Processor seconds hardly depend on what else a machine does.
"""
NIGHTS = {"first": "first night", "next": "next night, a twentieth of the events new"}


def section(name: str, figures: Mapping[str, Any]) -> str:
    """One benchmark in Markdown."""
    seconds = timed(name, figures)
    lines = [f"## {name.replace('_', ' ')}", ""]
    if seconds:
        ours = next(iter(seconds.values()))
        lines += ["| way | s | times ours |", "|---|---|---|"]
        lines += [f"| {way} | {taken:.3g} | {taken / ours:.2f} |" for way, taken in seconds.items()]
    facts = {key.removeprefix(f"{name}/"): figures[key] for key in figures if key not in ABOUT and SECONDS not in key}
    if facts:
        lines += ["", "| | |", "|---|---|", *(f"| {fact} | {told(value)} |" for fact, value in facts.items())]
    lines += ["", about(figures), ""]
    if seconds:
        lines += [f"![Seconds by way](images/bench-{name}.png)", ""]
    return "\n".join(lines)


def about(figures: Mapping[str, Any]) -> str:
    """What machine figures are of."""
    machine = figures["machine"]
    drifted = f", **drifted by {figures['drift']:.0%}**" if figures["drift"] > DRIFT else ""
    return (
        f"{machine['cores']} cores, product {machine['gflops']:.0f}, copy {machine['copy']:.1f}, load "
        f"{figures['load']:.1f}{drifted}; commit {figures['commit']}."
    )


def nights(found: Mapping[int, Mapping[str, Any]]) -> str:
    """Whole nights by number of events: processor seconds of every task, and how they grow.

    A task's growth is the power of the number of events that leads from the smallest to the largest shop.
    """
    sizes = sorted(found)
    lines = [
        "## end to end",
        "",
        "Processor seconds by events of the shop, which has a user for 100 of them and an item for 200",
    ]
    lines += ["(`benchmarks/end_to_end.py`); tasks that took a second or more."]
    for night, title in NIGHTS.items():
        start, end = f"{END}/{night}/", "/cpu_seconds"
        run = [events for events in sizes if f"{start}night{end}" in found[events]]
        if not run:
            continue
        lines += ["", f"| {title} | {' | '.join(f'{events:,}' for events in run)} | growth | peak MiB |"]
        lines += ["|---" * (len(run) + 3) + "|"]
        tasks = [key[len(start) : -len(end)] for key in found[run[-1]] if key.startswith(start) and key.endswith(end)]
        for task in tasks:
            taken = [float(found[events].get(f"{start}{task}{end}", 0)) for events in run]
            if max(taken) < 1:
                continue
            grows = ""
            if min(taken) > 1 and len(run) > 1:
                grows = f"{log(taken[-1] / taken[0]) / log(run[-1] / run[0]):.1f}"
            peak = found[run[-1]][f"{start}{task}/peak_mib"]
            lines.append(f"| {task} | {' | '.join(f'{one:,.1f}' for one in taken)} | {grows} | {peak:,.0f} |")
    return "\n".join([*lines, "", *(f"{events:,} events: {about(found[events])}  " for events in sizes), ""])


def timed(name: str, figures: Mapping[str, Any]) -> dict[str, float]:
    """Seconds by way, ours first."""
    return {
        key.removeprefix(f"{name}/").removesuffix(SECONDS): value
        for key, value in figures.items()
        if key.endswith(SECONDS)
    }


def told(value: float) -> str:
    """A figure in words."""
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"


def draw(seconds: Mapping[str, float], path: Path) -> None:
    """Bars of seconds by way, ours on top."""
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(0.6 + 0.3 * len(seconds))
        ways = list(seconds)[::-1]
        axes.barh(ways, [seconds[way] for way in ways], color=[MUTED] * (len(ways) - 1) + [BLUE])
        axes.set_xscale("log")
        axes.set_xlabel("seconds")
        figure.savefig(path, dpi=120, metadata={"Software": None})


def write(figures: Path, docs: Path) -> list[str]:
    """The page and its plots; gives the benchmarks that stand on it."""
    read = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(figures.glob("*.json"))}
    found = {name: one for name, one in read.items() if "drift" in one}
    whole = {int(name.removeprefix(f"{END}_")): found.pop(name) for name in list(found) if name.startswith(f"{END}_")}
    (docs / "images").mkdir(parents=True, exist_ok=True)
    for name, one in found.items():
        if seconds := timed(name, one):
            draw(seconds, docs / "images" / f"bench-{name}.png")
    parts = [HEAD, *(section(name, one) for name, one in found.items()), *([nights(whole)] if whole else [])]
    (docs / "benchmarks.md").write_text("\n".join(parts), encoding="utf-8")
    return list(found) + ([END] if whole else [])


if __name__ == "__main__":
    print(f"docs/benchmarks.md: {', '.join(write(FIGURES, DOCS)) or 'nothing was measured; run make bench'}")
