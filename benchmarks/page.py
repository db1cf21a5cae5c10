"""docs/benchmarks.md and its plots, of what the benchmarks left in build/figures: python -m benchmarks.page.

A file a benchmark; what was not run again stays on the page as it stands, with the commit that it was run at, and
a run on a machine that drifted says so.
"""

import json
import re
from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.side_by_side import DRIFT, FAILED, FIGURES
from pipeline.reports.drawing import BLUE, MUTED, STYLE, new_figure

DOCS = Path(__file__).parents[1] / "docs"
END, GROWTH, SECONDS, ABOUT = "end_to_end", "relational_growth", "/seconds", ("machine", "load", "drift", "commit")
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


def grown(taken: Mapping[int, float]) -> str:
    """The power of the number of events by which something grows from the smallest to the largest size."""
    least, most = min(taken), max(taken)
    if least == most or min(taken[least], taken[most]) <= 1:
        return ""
    return f"{log(taken[most] / taken[least]) / log(most / least):.1f}"


def steps(found: Mapping[int, Mapping[str, Any]]) -> str:
    """Relational steps by number of events on each engine; of others also how many times the first one's seconds."""
    sizes = sorted(found)
    names = engines(found)
    lines = [f"## {GROWTH.replace('_', ' ')}", "", "Seconds by events, from Parquet to Parquet, each run once"]
    lines += ["(`benchmarks/relational_growth.py`); where both engines ran, they gave the same rows."]
    if any(key.endswith(f"/{FAILED}") for one in found.values() for key in one):
        lines += [f"*{FAILED}*: the step ended with an error, and the others went on."]
    for name in names:
        beside = name != names[0]
        lines += ["", f"| {name} | {' | '.join(f'{events:,}' for events in sizes)} | growth | peak MiB |"]
        lines += ["|---" * (len(sizes) + 3) + "|"]
        for step, taken in curves(found, name).items():
            cells = [f"{taken[events]:,.1f}" if events in taken else "" for events in sizes]
            if beside:
                times = curves(found, names[0])[step]
                cells = [
                    f"{cell} ({taken[one] / times[one]:.1f}x)" if cell else ""
                    for one, cell in zip(sizes, cells, strict=True)
                ]
            failed = f"{GROWTH}/{step}/{name}/{FAILED}"
            cells = [FAILED if failed in found[one] else cell for one, cell in zip(sizes, cells, strict=True)]
            peak = found[max(taken)][f"{GROWTH}/{step}/{name}/peak_mib"]
            lines.append(f"| {step} | {' | '.join(cells)} | {grown(taken)} | {peak:,.0f} |")
    for name in names[1:]:
        lines += ["", f"**Crossover of {names[0]} and {name}**, drawn on from the two largest sizes that both ran at:"]
        ours, theirs = curves(found, names[0]), curves(found, name)
        lines += ["; ".join(f"{step} {meeting(ours[step], theirs[step])}" for step in theirs if step in ours) + "."]
    lines += ["", *(f"{events:,} events: {about(found[events])}  " for events in sizes)]
    return "\n".join([*lines, "", f"![Seconds by events](images/bench-{GROWTH}.png)", ""])


def meeting(one: Mapping[int, float], other: Mapping[int, float]) -> str:
    """At how many events two curves of seconds meet, if they go on by the powers of the last two sizes of both."""
    both = sorted(set(one) & set(other))
    if len(both) < 2:
        return "unknown, as fewer than two sizes were run"
    least, most = both[-2:]
    if other[most] <= one[most]:
        return f"at {most:,} events or before"
    closer = log(other[least] / one[least]) - log(other[most] / one[most])
    if closer <= 0:
        return "never, as they part"
    return f"near {most * (most / least) ** (log(other[most] / one[most]) / closer):.0e} events"


def engines(found: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Their names, in the order in which they ran."""
    return list(dict.fromkeys(key.split("/")[2] for one in found.values() for key in one if key.endswith(SECONDS)))


def curves(found: Mapping[int, Mapping[str, Any]], name: str) -> dict[str, dict[int, float]]:
    """Seconds by step and number of events, on one engine."""
    taken: dict[str, dict[int, float]] = {}
    for events in sorted(found):
        for key, value in found[events].items():
            if key.startswith(f"{GROWTH}/") and key.endswith(f"/{name}{SECONDS}"):
                taken.setdefault(key.split("/")[1], {})[events] = value
    return taken


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
    lines += ["(`benchmarks/end_to_end.py`); tasks that took a second or more. On the next night idle users' lists"]
    lines += ["stand, and no model of purchases is trained, as few purchases are new. Runs of before ef3dd6b"]
    lines += ["trained a fifth as many steps, so their first nights cost less than these settings do."]
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
            grows = grown(dict(zip(run, taken, strict=True)))
            peak = found[run[-1]][f"{start}{task}/peak_mib"]
            lines.append(f"| {task} | {' | '.join(f'{one:,.1f}' for one in taken)} | {grows} | {peak:,.0f} |")
        clock = [found[events].get(f"{start}night{SECONDS}") for events in run]
        if any(clock):
            lines.append(f"| night, by the clock | {' | '.join(f'{one:,.0f}' if one else '' for one in clock)} | | |")
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


def draw_curves(of: Mapping[str, Mapping[str, Mapping[int, float]]], path: Path) -> None:
    """Seconds by events: a line a step, the first engine's whole and the others' dashed."""
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(3.5)
        for style, lines in zip(("-", "--"), of.values(), strict=False):
            for number, (step, taken) in enumerate(lines.items()):
                axes.plot(list(taken), list(taken.values()), style, marker=".", color=f"C{number}", label=step)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("events")
        axes.set_ylabel(
            f"seconds: {', '.join(f'{name} {style}' for name, style in zip(of, ('—', '- -'), strict=False))}"
        )
        handles, labels = axes.get_legend_handles_labels()
        once = dict(zip(labels, handles, strict=True))
        axes.legend(once.values(), once.keys(), fontsize=8)
        figure.savefig(path, dpi=120, metadata={"Software": None})


def _by_size(found: dict[str, Any], name: str) -> dict[int, Any]:
    """Take out figures of one benchmark at several sizes."""
    return {int(key.removeprefix(f"{name}_")): found.pop(key) for key in list(found) if key.startswith(f"{name}_")}


def write(figures: Path, docs: Path) -> list[str]:
    """The page and its plots; gives the benchmarks that stand on it."""
    read = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(figures.glob("*.json"))}
    found = {name: one for name, one in read.items() if "drift" in one}
    whole, sizes = _by_size(found, END), _by_size(found, GROWTH)
    (docs / "images").mkdir(parents=True, exist_ok=True)
    for name, one in found.items():
        if seconds := timed(name, one):
            draw(seconds, docs / "images" / f"bench-{name}.png")
    parts = [section(name, one) for name, one in found.items()]
    if sizes:
        parts.append(steps(sizes))
        draw_curves({name: curves(sizes, name) for name in engines(sizes)}, docs / "images" / f"bench-{GROWTH}.png")
    parts += [nights(whole)] if whole else []
    page = docs / "benchmarks.md"
    before = sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    every = before | sections("\n".join(parts))
    page.write_text(HEAD + "".join(f"\n{part}\n" for _heading, part in sorted(every.items())), encoding="utf-8")
    return [*found, *([GROWTH] if sizes else []), *([END] if whole else [])]


def sections(page: str) -> dict[str, str]:
    """What stands under each heading of a page, heading and all."""
    parts = re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: part.rstrip() for part in parts}


if __name__ == "__main__":
    print(f"docs/benchmarks.md: {', '.join(write(FIGURES, DOCS)) or 'nothing was measured; run make bench'}")
