"""docs/benchmarks.md and its plots, of what the benchmarks left in build/figures: python -m benchmarks.page.

A file a benchmark; what was not run stands on no page, and a run on a machine that drifted says so.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.side_by_side import DRIFT, FIGURES
from pipeline.reports.drawing import BLUE, MUTED, STYLE, new_figure

DOCS = Path(__file__).parents[1] / "docs"
SECONDS, ABOUT = "/seconds", ("machine", "load", "drift", "commit")
HEAD = """# Benchmarks

What `make bench` measured; the page is written by `python -m benchmarks.page` from `build/figures/*.json`. Ways of one
table ran in turn on one machine, answers to one question were held equal first, seconds are medians. *Product* is
a float32 matrix product in GFLOP/s and *copy* a memory copy in GB/s just before; where either had changed by more
than a tenth by the end, the machine was busy with other things, and the figures say how ways compare at best, not how
fast they are.
"""


def section(name: str, figures: Mapping[str, Any]) -> str:
    """One benchmark in Markdown."""
    seconds = timed(name, figures)
    ours = next(iter(seconds.values()))
    machine = figures["machine"]
    lines = [f"## {name.replace('_', ' ')}", "", "| way | s | times ours |", "|---|---|---|"]
    lines += [f"| {way} | {taken:.3g} | {taken / ours:.2f} |" for way, taken in seconds.items()]
    facts = {key.removeprefix(f"{name}/"): figures[key] for key in figures if key not in ABOUT and SECONDS not in key}
    if facts:
        lines += ["", "| | |", "|---|---|", *(f"| {fact} | {told(value)} |" for fact, value in facts.items())]
    drifted = f", **drifted by {figures['drift']:.0%}**" if figures["drift"] > DRIFT else ""
    lines += ["", f"{machine['cores']} cores, product {machine['gflops']:.0f}, copy {machine['copy']:.1f}, load "
              f"{figures['load']:.1f}{drifted}; commit {figures['commit']}.", ""]  # fmt: skip
    lines += [f"![Seconds by way](images/bench-{name}.png)", ""]
    return "\n".join(lines)


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
    found = {name: one for name, one in read.items() if "drift" in one and timed(name, one)}
    (docs / "images").mkdir(parents=True, exist_ok=True)
    for name, one in found.items():
        draw(timed(name, one), docs / "images" / f"bench-{name}.png")
    page = "\n".join([HEAD, *(section(name, one) for name, one in found.items())])
    (docs / "benchmarks.md").write_text(page, encoding="utf-8")
    return list(found)


if __name__ == "__main__":
    print(f"docs/benchmarks.md: {', '.join(write(FIGURES, DOCS)) or 'nothing was measured; run make bench'}")
