"""Gaps of accuracy, calibration and stability between groups of people, by attributes that only audits may read.

And how well audiences tell these attributes of their members. Groups too small to be told of are left out of both.
Not here: intervals (`metrics.disparity`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.audit.finding import Finding
from pipeline.metrics import disparity
from pipeline.metrics.disparity import Gap, Leak
from pipeline.policy import AuditRules

MEASURES = {
    "accuracy": "NDCG@10 of the judged week's lists",
    "calibration": "C_KL of lists against the own categories",
    "stability": "overlap of idle users' lists with the night before",
}
NO_GROUP = "No input: no group of people is large enough to be told of."


@dataclass(frozen=True)
class Compared:
    """One group of people and one measure."""

    attribute: str
    measure: str
    found: Gap


@dataclass(frozen=True)
class Told:
    """One group of people, and how well audiences tell who is in it."""

    attribute: str
    group: str
    found: Leak


def compare(people: pd.DataFrame, measures: Mapping[str, pd.Series], least: int) -> list[Compared]:
    """Every measure between the groups of every attribute; the intervals hold together.

    Args:
        people: attributes by user key.
        measures: values by user key, of some users.
        least: users of a group, at least.
    """

    def found(comparisons: int) -> list[Compared]:
        return [
            Compared(str(attribute), name, gap)
            for attribute in people
            for name, values in measures.items()
            for gap in disparity.gaps(
                values.reindex(people.index).to_numpy(float), _named(people[attribute]), least, comparisons
            )
        ]

    return found(max(len(found(1)), 1))


def gap_findings(compared: Sequence[Compared], rules: AuditRules) -> list[Finding]:
    """One a measure: groups that surely differ from all others by more than the policy allows."""
    out = []
    for name, words in MEASURES.items():
        limit, mine = getattr(rules.gaps, name), [one for one in compared if one.measure == name]
        if not mine:
            out.append(Finding(f"gap_{name}", 0, 0, None, NO_GROUP))
            continue
        beyond = [f"{one.attribute} {one.found.group}" for one in mine if one.found.beyond(limit)]
        worst = max(mine, key=lambda one: (abs(one.found.gap), one.attribute, one.found.group))
        said = (
            f"{words}: no group surely differs from the others by more than {limit}; {len(mine)} groups, "
            f"most {worst.attribute} {worst.found.group} by {worst.found.gap:+.3f} "
            f"[{worst.found.low:+.3f}, {worst.found.high:+.3f}]"
            + (f"; beyond: {', '.join(beyond)}." if beyond else ".")
        )
        out.append(Finding(f"gap_{name}", len(mine), len(beyond), round(abs(worst.found.gap), 6), said))
    return out


def leaks(people: pd.DataFrame, members: pd.DataFrame, least: int) -> list[Told]:
    """How well all audiences together tell each group of each attribute from the others.

    Args:
        people: attributes by user key.
        members: bool by user key and audience, of everybody who may be in one.
        least: users of a group, and of the others, at least.
    """
    known = people.reindex(members.index)
    asked = [
        (attribute, str(group))
        for attribute in people
        for group, count in known[attribute].value_counts().sort_index().items()
        if min(count, known[attribute].notna().sum() - count) >= max(least, disparity.FOLDS)
    ]
    out = []
    for attribute, group in asked:
        some = known[attribute].dropna()
        found = disparity.leak(members.loc[some.index].to_numpy(bool), (some == group).to_numpy(bool), len(asked))
        out.append(Told(str(attribute), group, found))
    return out


def leak_finding(told: Sequence[Told], rules: AuditRules) -> Finding:
    """Groups of people that audiences surely tell better than the policy allows."""
    if not told:
        return Finding("leakage", 0, 0, None, NO_GROUP)
    beyond = [f"{one.attribute} {one.group}" for one in told if one.found.low > rules.leakage_auc]
    worst = max(told, key=lambda one: (one.found.auc, one.attribute, one.group))
    span = f"{worst.found.auc:.3f} [{worst.found.low:.3f}, {worst.found.high:.3f}]"
    words = (
        f"Audiences tell no attribute of their members with an AUC surely above {rules.leakage_auc}: "
        f"{len(told)} groups, most {worst.attribute} {worst.group} at {span}"
        + (f"; beyond: {', '.join(beyond)}." if beyond else ".")
    )
    return Finding("leakage", len(told), len(beyond), round(worst.found.auc, 6), words)


def _named(values: "pd.Series[str]") -> np.ndarray:
    return values.astype(object).where(values.notna(), None).to_numpy()
