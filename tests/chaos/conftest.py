"""The chaos matrix: how often each fault is tried, what the session prints of it, and the same figures as a file.

`make chaos` tries each fault as often as docs/reliability.md says; without it a few times, to keep the tests quick.
"""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.terminal import TerminalReporter

from tests import figures

if TYPE_CHECKING:
    from tests.chaos.corner import Corner

FIGURES = "chaos"


def is_full() -> bool:
    """The counts of docs/reliability.md are asked for."""
    return os.environ.get("SHOPKEEL_CHAOS") == "full"


def counts(small: int, full: int) -> int:
    """How often to try a fault."""
    return full if is_full() else small


@dataclass(frozen=True)
class Row:
    """One fault: how often it was tried, how often nothing was lost; further figures by name."""

    fault: str
    tried: int
    survived: int
    seconds: float
    note: str
    figures: dict[str, float]

    def flat(self) -> dict[str, float]:
        """Figures by the name that traces them."""
        numbers = {"tried": self.tried, "survived": self.survived, "seconds": round(self.seconds, 1), **self.figures}
        return {f"chaos/{figures.slug(self.fault)}/{name}": number for name, number in numbers.items()}


ROWS = pytest.StashKey[list[Row]]()


@dataclass
class Matrix:
    """Where a test reports its row; the row's seconds count from the test's start, or from its last row."""

    rows: list[Row]
    since: float = field(default_factory=perf_counter)

    def row(self, fault: str, tried: int, survived: int, note: str = "", **figures: float) -> None:
        """Record one row; a fault of several tests has one row each, so its name says which part it is."""
        now = perf_counter()
        self.rows.append(Row(fault, tried, survived, now - self.since, note, figures))
        self.since = now


@pytest.fixture
def matrix(request: pytest.FixtureRequest) -> Matrix:
    """The session's matrix."""
    return Matrix(request.config.stash.setdefault(ROWS, []))


@pytest.fixture(scope="session")
def corner(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> "Corner":
    """Whole nights of a corner shop, that may be killed; two side by side when they are many."""
    from tests.chaos.corner import open_corner

    return open_corner(tmp_path_factory.mktemp("corner"), tiny_bert, lanes=counts(1, 2))


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Print the matrix."""
    if not (rows := config.stash.get(ROWS, [])):
        return
    terminalreporter.section(f"chaos matrix, {'full' if is_full() else 'small'} counts")
    width = max(len(row.fault) for row in rows)
    terminalreporter.write_line(f"{'fault':<{width}}  {'tried':>6}  {'survived':>8}  {'seconds':>7}  note")
    for row in rows:
        line = f"{row.fault:<{width}}  {row.tried:>6}  {row.survived:>8}  {row.seconds:>7.1f}  {row.note}"
        terminalreporter.write_line(line.rstrip(), red=row.survived != row.tried)
    terminalreporter.write_line(f"figures: build/figures/{FIGURES}.json")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of a run side by side has ended: its rows are the session's."""
    rows = node.config.stash.setdefault(ROWS, [])
    rows += [Row(**row) for row in getattr(node, "workeroutput", {}).get("chaos", [])]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the figures, each run its own, whole; a worker hands its rows over."""
    if not (rows := session.config.stash.get(ROWS, [])):
        return
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["chaos"] = [asdict(row) for row in rows]
        return
    rows.sort(key=lambda row: row.fault)
    figures.write(FIGURES, {"chaos/full": int(is_full())} | {k: v for row in rows for k, v in row.flat().items()})
