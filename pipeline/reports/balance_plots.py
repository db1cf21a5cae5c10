"""Figures of the balance: the front of operating points, what makes lists change, and nights of a backtest.

Not here: the numbers (`pipeline.balance` makes them), and how a figure becomes a file (`drawing`).
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pipeline.reports.drawing import BLUE, GREEN, MUTED, ORANGE, PURPLE, RED, SKY, Drawing, legend, new_figure

CAUSES = {  # cause: words, colour
    "forced": ("may no longer be shown", RED),
    "user": ("the user's own new events", BLUE),
    "data": ("what others did, and the calendar", GREEN),
    "model": ("the retrained model", PURPLE),
    "seed": ("of that, chance alone", MUTED),
    "total": ("free lists, all together", ORANGE),
    "published": ("left after the balance", SKY),
}
KINDS = {"free": ("as the models alone", ORANGE, "s"), "balanced": ("balanced", BLUE, "o")}


def front(rows: Sequence[Mapping[str, Any]], least_accuracy: float) -> Drawing | None:
    """Consistency against accuracy of the replayed points; none where nothing was replayed.

    Args:
        rows: of the operating_point table.
        least_accuracy: the policy's bound on the lower end of the accuracy's interval.
    """
    known = [row for row in rows if _is_number(row["idle_rbo"]) and _is_number(row["accuracy_ratio"])]
    if not known:
        return None
    figure, axes = new_figure(height=3.5)
    axes.axhline(least_accuracy, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for row in known:
        fits = not row["broken_bounds"]
        colour = BLUE if fits else ORANGE
        low = row["accuracy_ratio_low"]
        if _is_number(low):
            axes.plot([row["idle_rbo"]] * 2, [low, row["accuracy_ratio"]], color=colour, linewidth=2.5, alpha=0.3)
        axes.plot(
            row["idle_rbo"], row["accuracy_ratio"], "o" if row["is_front"] else ".", color=colour,
            fillstyle="full" if fits else "none", zorder=3,
        )  # fmt: skip
    edge = sorted((row for row in known if row["is_front"]), key=lambda row: row["idle_rbo"])
    axes.plot(*_points(edge), color=MUTED, linewidth=1, zorder=2)
    chosen = [row for row in known if row["is_chosen"]]
    for row in chosen:
        axes.plot(row["idle_rbo"], row["accuracy_ratio"], "*", color=RED, markersize=15, zorder=4)
        axes.annotate("tonight", (row["idle_rbo"], row["accuracy_ratio"]), (9, 6), textcoords="offset points")
    axes.set(xlabel="overlap of idle users' lists with the night before", ylabel="NDCG@10, free lists = 1")
    axes.margins(0.12)
    told = (
        "; ".join(f"tonight {row['idle_rbo']:.3f} at {row['accuracy_ratio']:.4f}" for row in chosen)
        or "tonight's was not replayed"
    )
    return Drawing(
        "front", "Consistency against accuracy", f"{len(known)} points, {len(edge)} of them on the front; {told}.",
        "Each point is a setting of the balance, replayed; its line ends at the lower 95 % bound. Hollow ones break a "
        "bound; the dashed line is the bound on accuracy. The calmest that keeps them all serves, at most one step "
        "from last night's.",
        figure,
    )  # fmt: skip


def attribution(shares: Mapping[str, Mapping[str, Sequence[float]]]) -> Drawing | None:
    """What each cause moves in lists, by group of users, with 95 % intervals; none where there was no night before.

    Args:
        shares: mean, low and high of D = 1 - RBO by cause, by group.
    """
    groups = {name: {cause: one[cause] for cause in CAUSES if cause in one} for name, one in shares.items()}
    if not any(groups.values()):
        return None
    causes = [cause for cause in CAUSES if any(cause in one for one in groups.values())]
    figure, axes = new_figure(height=0.9 + 0.34 * len(causes))
    marks = dict(zip(groups, ("o", "s", "^", "D"), strict=False))
    for offset, (group, values) in enumerate(groups.items()):
        for place, cause in enumerate(reversed(causes)):
            if cause not in values:
                continue
            mean, low, high = values[cause]
            height = place + 0.16 * (offset - (len(groups) - 1) / 2)
            axes.plot([low, high], [height] * 2, color=CAUSES[cause][1], linewidth=3, alpha=0.4)
            axes.plot(mean, height, marks.get(group, "o"), color=CAUSES[cause][1], zorder=3)
    for group, mark in marks.items():
        axes.plot([], [], mark, color=MUTED, label=f"{group} users")
    axes.set_yticks(range(len(causes)), [CAUSES[cause][0] for cause in reversed(causes)])
    axes.set(xlabel="how much of a list it moves (1 less the overlap)", xlim=(0, None))
    axes.grid(visible=False, axis="y")
    legend(figure)
    told = "; ".join(
        f"{group}: " + ", ".join(f"{CAUSES[cause][0]} {value[0]:.3f}" for cause, value in values.items())
        for group, values in groups.items()
    )
    return Drawing(
        "attribution", "What makes lists change", f"{told}.",
        "The models' own lists of a sample of users, under one cause after another, and what the balance leaves of it.",
        figure,
    )  # fmt: skip


def by_night(
    name: str, title: str, days: Sequence[date], series: Mapping[str, Sequence[float]], caption: str = ""
) -> Drawing:
    """A figure of a backtest night by night, free lists beside balanced ones.

    Args:
        name: of the figure.
        title: a few words, which also name the axis.
        days: of the nights.
        series: values a night by kind (`free`, `balanced`); nan leaves a gap.
        caption: how to read it.
    """
    figure, axes = new_figure(height=2.4)
    for kind, values in series.items():
        words, colour, marker = KINDS[kind]
        axes.plot(range(len(days)), values, color=colour, marker=marker, label=words)
    step = max(1, len(days) // 7)
    axes.set_xticks(range(0, len(days), step), [f"{day.day} {day:%b}" for day in days[::step]])
    axes.set_ylabel(title)
    axes.margins(y=0.15)
    legend(figure)
    told = "; ".join(f"{KINDS[kind][0]}: {_course(values)}" for kind, values in series.items())
    return Drawing(name, title, f"{told}.", caption, figure)


def _course(values: Sequence[float]) -> str:
    known = [value for value in values if _is_number(value)]
    if not known:
        return "not measured"
    return f"mean {sum(known) / len(known):.4f}, from {min(known):.4f} to {max(known):.4f}"


def _points(rows: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    return [row["idle_rbo"] for row in rows], [row["accuracy_ratio"] for row in rows]


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
