"""What was found of one promise, and how a count becomes that. Not here: the promises themselves."""

from dataclasses import dataclass

import pandas as pd

NO_BASELINE = "No baseline: there is no list of last night to compare with."


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


def found(promise: str, broken: pd.Series, worst: float, words: str) -> Finding:
    """Of which cases break it: bool [cases]."""
    return counted(promise, len(broken), int(broken.sum()), worst, words)


def counted(promise: str, cases: int, violations: int, worst: float, words: str) -> Finding:
    """Of numbers; without a case there is no baseline."""
    if not cases:
        return Finding(promise, 0, 0, None, NO_BASELINE)
    words = f"{words}: {cases:,} cases, {violations:,} break it."
    return Finding(promise, cases, violations, round(float(worst), 6), words)
