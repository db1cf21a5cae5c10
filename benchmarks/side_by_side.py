"""Times ways of doing one thing, in turn, and says what the machine was doing meanwhile.

A machine is calibrated before and after (matrix product, memory copy); a run in which it drifted by more than a tenth
is marked, and its figures are no figures.
"""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

FIGURES = Path(__file__).parents[1] / "build" / "figures"
DRIFT = 0.1
FAILED = "failed"  # told of what did not end


@dataclass(frozen=True)
class Calibration:
    """What the machine can do just now: float32 product in GFLOP/s, copy in GB/s, load."""

    gflops: float
    copy: float
    load: float

    @classmethod
    def now(cls) -> "Calibration":
        """Measure, best of several."""
        one, other = np.ones((2048, 2048), np.float32), np.ones((2048, 2048), np.float32)
        source = np.ones(32 * 2**20, np.float32)
        target = np.empty_like(source)
        product = min(_seconds(lambda: one @ other) for _ in range(7))
        copy = min(_seconds(lambda: np.copyto(target, source)) for _ in range(7))
        return cls(2 * 2048**3 / product / 1e9, 2 * source.nbytes / copy / 1e9, os.getloadavg()[0])

    def drift(self, after: "Calibration") -> float:
        """By what share the machine is another one afterwards."""
        return max(abs(after.gflops / self.gflops - 1), abs(after.copy / self.copy - 1))


def _seconds(call: Callable[[], Any]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def peak_anew() -> None:
    """The most memory this process held counts anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def own_peak_mib() -> float:
    """The most memory this process held since then, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def measure(name: str, ways: Mapping[str, Callable[[], Any]], rounds: int = 5, **facts: float) -> dict[str, float]:
    """Run each way once in every round; print medians beside the first way's, and write them to build/figures.

    Args:
        name: of the figures' file.
        ways: what to time, ours first.
        rounds: how often each.
        facts: further figures.

    Returns:
        Median seconds by way.
    """
    before = Calibration.now()
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, call in ways.items():
            taken[way].append(_seconds(call))
    return report(name, taken, before, **facts)


def report(name: str, taken: Mapping[str, list[float]], before: Calibration, **facts: float) -> dict[str, float]:
    """Print and keep what ways took that were timed elsewhere, in turn; see `measure`.

    Args:
        name: of the figures' file.
        taken: by way, ours first.
        before: what the machine could do when that began.
        facts: further figures.
    """
    after = Calibration.now()
    medians = {way: statistics.median(seconds) for way, seconds in taken.items()}
    drift = before.drift(after)
    _show(name, taken, medians, before, after, drift)
    figures = {f"{name}/{way}/seconds": seconds for way, seconds in medians.items()}
    figures |= {f"{name}/{fact}": value for fact, value in facts.items()}
    note_figures(name, figures, before, drift=drift)
    return medians


def note_figures(name: str, figures: Mapping[str, float], now: Calibration | None = None, **facts: float) -> None:
    """Write figures to build/figures with the machine they are of.

    Args:
        name: of the file.
        figures: to write.
        now: what the machine could do, else it is measured.
        facts: further ones beside the machine.
    """
    now = now or Calibration.now()
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "gflops": now.gflops, "copy": now.copy}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    note = {"machine": machine, "load": now.load, "commit": commit.stdout.strip()} | facts
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / f"{name}.json").write_text(json.dumps(dict(figures) | note, indent=1) + "\n")


def _show(
    name: str,
    taken: Mapping[str, list[float]],
    medians: Mapping[str, float],
    before: Calibration,
    after: Calibration,
    drift: float,
) -> None:
    table = Table("way", "median s", "least s", "most s", "times ours", title=name)
    ours = next(iter(medians.values()))
    for way, seconds in taken.items():
        spread = f"{medians[way]:.3f}", f"{min(seconds):.3f}", f"{max(seconds):.3f}"
        table.add_row(way, *spread, f"{medians[way] / ours:.2f}")
    console = Console()
    console.print(table)
    for when, one in (("before", before), ("after", after)):
        console.print(f"{when}: {one.gflops:.0f} GFLOP/s, copy {one.copy:.1f} GB/s, load {one.load:.1f}")
    if drift > DRIFT:
        console.print(f"[red]the machine drifted by {drift:.0%}: run it again on a quiet one")
