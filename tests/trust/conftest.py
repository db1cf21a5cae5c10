"""What a reviewer, a regulator and a shopper may ask: a row a claim, what the session prints of it, and as a file.

A row is one test, in the file of its subject: it measures a figure and holds it to a bound by the fixture `trust`.
`make trust` measures at the full counts of docs/trust.md; without it at small ones, to keep the tests quick.
"""

import os
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from tests import figures

FIGURES = "trust"


def is_full() -> bool:
    """The counts of docs/trust.md are asked for."""
    return os.environ.get("SHOPKEEL_TRUST") == "full"


def counts(small: int, full: int) -> int:
    """How often to try."""
    return full if is_full() else small


@dataclass(frozen=True)
class Row:
    """One claim: the figure measured, what it is held to in words and whether it holds, from so many trials."""

    claim: str
    figure: float
    bound: float
    words: str
    holds: bool
    tried: int
    seconds: float
    note: str

    def flat(self) -> dict[str, float]:
        """Figures by the name that traces them."""
        numbers = {"figure": self.figure, "bound": self.bound, "holds": int(self.holds), "tried": self.tried}
        numbers["seconds"] = round(self.seconds, 1)
        return {f"{FIGURES}/{figures.slug(self.claim)}/{name}": number for name, number in numbers.items()}


ROWS = pytest.StashKey[list[Row]]()


@dataclass
class Trust:
    """Where a test reports its row and is held to it; the row's seconds count from the test's start."""

    rows: list[Row]
    since: float = field(default_factory=perf_counter)

    def at_most(self, claim: str, figure: float, bound: float, *, tried: int, note: str = "") -> None:
        """A figure that may not be larger."""
        self._row(claim, figure, bound, f"<= {bound:g}", figure <= bound, tried, note)

    def at_least(self, claim: str, figure: float, bound: float, *, tried: int, note: str = "") -> None:
        """A figure that may not be smaller."""
        self._row(claim, figure, bound, f">= {bound:g}", figure >= bound, tried, note)

    def all_of(self, claim: str, held: int, tried: int, note: str = "") -> None:
        """A claim that has to hold each time it is tried, which is at least once."""
        self._row(claim, held, tried, f"all of {tried}", held == tried > 0, tried, note)

    def _row(self, claim: str, figure: float, bound: float, words: str, holds: bool, tried: int, note: str) -> None:
        self.rows.append(
            Row(claim, float(figure), float(bound), words, bool(holds), tried, perf_counter() - self.since, note)
        )
        assert holds, f"{claim}: {figure:g}, not {words}"


@pytest.fixture
def trust(request: pytest.FixtureRequest) -> Trust:
    """The session's rows."""
    return Trust(request.config.stash.setdefault(ROWS, []))


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Print the rows."""
    if not (rows := config.stash.get(ROWS, [])):
        return
    terminalreporter.section(f"trust, {'full' if is_full() else 'small'} counts")
    width = max(len(row.claim) for row in rows)
    head = f"{'claim':<{width}}  {'figure':>9}  {'bound':>12}  {'tried':>6}  {'seconds':>7}  note"
    terminalreporter.write_line(head)
    for row in rows:
        numbers = f"{row.figure:>9.4g}  {row.words:>12}  {row.tried:>6}  {row.seconds:>7.1f}"
        line = f"{row.claim:<{width}}  {numbers}  {row.note}"
        terminalreporter.write_line(line.rstrip(), red=not row.holds)
    terminalreporter.write_line(f"figures: build/figures/{FIGURES}.json")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of a run side by side has ended: its rows are the session's."""
    rows = node.config.stash.setdefault(ROWS, [])
    rows += [Row(**row) for row in getattr(node, "workeroutput", {}).get(FIGURES, [])]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the figures, each run its own, whole; a worker hands its rows over."""
    if not (rows := session.config.stash.get(ROWS, [])):
        return
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output[FIGURES] = [asdict(row) for row in rows]
        return
    rows.sort(key=lambda row: row.claim)
    figures.write(FIGURES, {"trust/full": int(is_full())} | {k: v for row in rows for k, v in row.flat().items()})
