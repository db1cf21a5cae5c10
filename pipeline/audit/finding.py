"""What was found of one promise, and how counts of parts of a night become that. Not here: the promises themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal

import pandas as pd

NO_BASELINE = "No baseline: there is no list of last night to compare with."

# What the worst of several parts is: the most of theirs, or a count of all, as it is or as a share of the cases.
Worst = Literal["most", "count", "share"]


@dataclass(frozen=True)
class Finding:
    """One row of the frame `promises`.

    Attributes:
        promise: its short name.
        cases: what it was checked on; 0 is no pass, and the sentence says why.
        violations: cases that break it.
        worst: the case nearest to breaking it, or the worst that does; None without cases.
        sentence: in plain words.
    """

    promise: str
    cases: int
    violations: int
    worst: float | None
    sentence: str


@dataclass(frozen=True)
class Tally:
    """What was counted of one promise in a part of the night; parts add up to the night.

    Attributes:
        promise: its short name.
        cases: what it was checked on.
        violations: cases that break it.
        worst: of the part; of a share its count.
        words: what is promised.
        kind: what the worst of several parts is.
        broken: whether any case breaks it in this way, by name; those that do are named.
        nothing: what is said where there is no case.
    """

    promise: str
    cases: int
    violations: int
    worst: float
    words: str
    kind: Worst = "most"
    broken: Mapping[str, bool] = field(default_factory=dict)
    nothing: str = NO_BASELINE

    def __add__(self, other: "Tally") -> "Tally":
        """Of both parts."""
        worst = self.worst + other.worst
        if self.kind == "most":
            worst = max((one.worst for one in (self, other) if one.cases), default=0.0)
        return replace(
            self,
            cases=self.cases + other.cases,
            violations=self.violations + other.violations,
            worst=worst,
            broken={name: any(one.broken.get(name, False) for one in (self, other))
                    for name in {**self.broken, **other.broken}},
        )  # fmt: skip

    def finding(self) -> Finding:
        """What it comes to."""
        if not self.cases:
            return Finding(self.promise, 0, 0, None, self.nothing)
        named = ", ".join(name for name, flag in self.broken.items() if flag)
        words = f"{self.words}{f' (not: {named})' if named else ''}"
        worst = self.worst / self.cases if self.kind == "share" else self.worst
        return counted(self.promise, self.cases, self.violations, worst, words)


def together(parts: Iterable[Iterable[Tally]]) -> list[Finding]:
    """The findings of a night, from the tallies of its parts, which are of the same promises in the same order."""
    return [reduce(Tally.__add__, tallies).finding() for tallies in zip(*parts, strict=True)]


def found(promise: str, broken: pd.Series, worst: float, words: str) -> Finding:
    """Of which cases break it: bool [cases]."""
    return counted(promise, len(broken), int(broken.sum()), worst, words)


def counted(promise: str, cases: int, violations: int, worst: float, words: str) -> Finding:
    """Of numbers; without a case there is no baseline."""
    if not cases:
        return Finding(promise, 0, 0, None, NO_BASELINE)
    words = f"{words}: {cases:,} cases, {violations:,} break it."
    return Finding(promise, cases, violations, round(float(worst), 6), words)
