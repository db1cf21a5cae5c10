"""A backtest on one page: what was asked for, balanced lists beside the models' own, night by night, and the front.

Not here: the figures (`pipeline.backtest` measures them).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import pandas as pd

from pipeline.reports import balance_plots
from pipeline.reports.drawing import STYLE, Plot, write

PAGE, NIGHTS = "backtest.html", "nights.csv"
KINDS = ("free", "balanced")
MEASURES = {  # figure: words, form, and how its plot is read; without, it has none
    "ndcg@10": ("NDCG@10", ".4f", "Of home's first ten, against what users took in the week after."),
    "recall@10": ("recall@10", ".4f", ""),
    "idle_rbo": ("overlap of idle lists with the night before", ".4f", "Rank-biased overlap, 1 is the same list."),
    "idle_rbo_least": ("the least of them", ".3f", ""),
    "idle_churn": ("idle churn", ".4f", "Share of places of idle users' lists that changed without need."),
    "churn": ("churn of all lists", ".4f", ""),
    "contradicted": ("users with a contradiction", ".4f", "Any rule of the contract between surfaces broken."),
    "coherence": ("coherence of surfaces", ".3f", "1: all of a user's surfaces show the same mix of categories."),
    "calibration_kl": ("distance from the user's own categories", ".3f", "C_KL, lower is closer."),
    "personalisation": ("share of places two users do not have in common", ".3f", ""),
    "exposure_low": ("least exposure over merit of a brand", ".3f", ""),
    "exposure_high": ("greatest exposure over merit of a brand", ".3f", ""),
    "exposure_gini": ("Gini of exposure", ".3f", ""),
    "long_tail": ("share of the long tail in a list", ".3f", ""),
    "parity_gap": ("largest gap in idle overlap between groups of users", ".4f", "Thirds by how often they come."),
    "stale": ("active users' lists that stood still for a week", ".4f", ""),
}
COLUMNS = ("ndcg@10", "idle_rbo", "idle_rbo_least", "idle_churn", "contradicted", "coherence", "stale")


@dataclass(frozen=True)
class Report:
    """What a backtest found, as the page needs it.

    Attributes:
        shop: its name.
        provenance: of its data.
        point: the operating point in words.
        nights: a row a night and kind: day, kind, figures.
        totals: figures over all nights, `kind/name` or a name of both.
        goals: words, what was asked, figure and whether it is met.
        points: rows of the operating point's table.
        least_accuracy: the policy's bound.
    """

    shop: str
    provenance: str
    point: str
    nights: pd.DataFrame
    totals: Mapping[str, float]
    goals: Sequence[tuple[str, str, float, bool]]
    points: Sequence[Mapping[str, Any]]
    least_accuracy: float


def render(report: Report, folder: Path) -> Path:
    """Write the page, its plots (PNG) and the nights' figures (CSV) to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    report.nights.to_csv(folder / NIGHTS, index=False)
    table = report.nights.set_index(["kind", "day"]).sort_index()
    days = sorted(report.nights["day"].unique())
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.reports"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["opened"] = lambda text: text[:1].upper() + text[1:]
    met = sum(is_met for *_, is_met in report.goals)
    facts = {
        "shop": report.shop,
        "provenance": report.provenance,
        "days": days,
        "point": report.point,
        "users": f"{report.totals['users']:,.0f}",
        "headline": f"{met} of {len(report.goals)} goals are met.",
        "goals": [
            {"words": words, "asked": asked, "found": shown(value, ".4f"), "met": is_met}
            for words, asked, value, is_met in report.goals
        ],
        "beside": [
            {"words": words} | {kind: shown(report.totals.get(f"{kind}/{name}"), form) for kind in KINDS}
            for name, (words, form, _) in MEASURES.items()
        ],
        "columns": [MEASURES[name][0] for name in COLUMNS],
        "nights": [
            {
                "day": day,
                "cells": [
                    " → ".join(shown(table.loc[(kind, day), name], MEASURES[name][1]) for kind in KINDS)
                    for name in COLUMNS
                ],
            }
            for day in days
        ],
        "plots": draw(report, folder),
    }
    page = folder / PAGE
    page.write_text(environment.get_template("backtest.html.j2").render(facts), encoding="utf-8")
    return page


def draw(report: Report, folder: Path) -> list[Plot]:
    """The figures, as PNG files in the folder and for the page."""
    days = sorted(report.nights["day"].unique())
    by_kind = {kind: report.nights[report.nights["kind"] == kind].sort_values("day") for kind in KINDS}
    with mpl.rc_context(STYLE):
        drawings = [
            balance_plots.by_night(
                name.replace("@", "-"), words, days, {kind: list(rows[name]) for kind, rows in by_kind.items()}, caption
            )
            for name, (words, _, caption) in MEASURES.items()
            if caption
        ]
        if front := balance_plots.front(report.points, report.least_accuracy):
            drawings.append(front)
        return [write(drawing, folder) for drawing in drawings]


def shown(value: float | None, form: str) -> str:
    """A figure as text; a dash where it was not measured."""
    return format(value, form).replace("-", "−") if value is not None and math.isfinite(value) else "–"
