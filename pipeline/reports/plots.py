"""Figures of a night, drawn from its record: PNG files for MLflow, SVG for the night's page. Same record, same bytes.

Each series has its own colour and marker. Not here: the numbers themselves (stages note them), figures of the balance
(`balance_plots`) and the page (`reports.night`).
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from pipeline.metrics import intervals
from pipeline.record import FILES, RUNS, last_values, read_notes
from pipeline.reports import balance_plots
from pipeline.reports.drawing import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    PURPLE,
    RED,
    RULE,
    SKY,
    STYLE,
    WIDTH,
    Drawing,
    legend,
    new_figure,
    write,
)  # fmt: skip
from pipeline.reports.drawing import Plot as Plot

CUTOFFS = (5, 10, 20, 50)
MOVERS = 14  # features drawn of a model's
RANKERS = {  # who: words, colour, marker
    "fused": ("fused lists", BLUE, "o"),
    "champion": ("champion", SKY, "P"),
    "personal_frequency": ("personal frequency", ORANGE, "s"),
    "co_visitation": ("bought together", GREEN, "^"),
    "transformer": ("transformer alone", PURPLE, "D"),
    "popularity": ("popularity", RED, "v"),
}
MODELS = {"encoder": "text encoder", "recommendations": "recommender", "audiences": "response model",
          "sentiment": "reader of reviews", "answers": "reader of dialogues",
          "asking": "reader of the chat's questions", "phrasing": "chat's wording"}  # fmt: skip


def draw_all(record: Path) -> list[Plot]:
    """Draw what a night's record holds and write the PNG files to its `files/plots/`; earlier ones are replaced.

    Args:
        record: the night's folder; a night that failed early has few figures or none.
    """
    folder = record / FILES / "plots"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    with mpl.rc_context(STYLE):
        return [write(drawing, folder) for draw in DRAW for drawing in draw(record)]


def losses(record: Path) -> Iterator[Drawing]:
    """Training and validation loss by step, one figure a trained model."""
    for folder in sorted((record / RUNS).glob("*")):
        curves = {name: _curve(folder, f"{name}/loss") for name in ("train", "valid")}
        if not any(curves.values()):
            continue
        model = last_values(folder, "tags").get("model/name") or folder.name.removeprefix("fine_tune-")
        words = MODELS.get(model, model)
        figure, axes = new_figure()
        for (name, points), colour, marker in zip(curves.items(), (ORANGE, BLUE), ("", "o"), strict=True):
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, marker=marker or None, label=WORDS[name])
        axes.set(xlabel="optimiser step", ylabel="loss (lower is better)")
        legend(figure)
        told = "; ".join(f"{WORDS[name]} loss {_course(points)}" for name, points in curves.items() if points)
        yield Drawing(
            f"loss-{model}", f"Loss of the {words}", f"{told}.",
            "Validation loss is measured on days that training has not seen; training stops when it no longer falls.",
            figure,
        )  # fmt: skip


def ranking_curves(record: Path) -> Iterator[Drawing]:
    """Recall and NDCG by list length, fused lists beside each baseline, with 95 % intervals."""
    metrics = last_values(record / RUNS / "fine_tune-recommendations", "metrics")
    for family, words in {"recall": "Recall", "ndcg": "NDCG"}.items():
        rows = {
            who: [(place, *_interval(metrics, f"{family}/{who}@{k}")) for place, k in enumerate(CUTOFFS)]
            for who in RANKERS
            if all(f"{family}/{who}@{k}" in metrics for k in CUTOFFS)
        }
        if not rows:
            continue
        figure, axes = new_figure(height=3.3)
        for who, points in reversed(rows.items()):
            name, colour, marker = RANKERS[who]
            places, means, lows, highs = (list(values) for values in zip(*points, strict=True))
            axes.fill_between(places, lows, highs, color=colour, alpha=0.15, linewidth=0)
            weight = 2.4 if who == "fused" else 1.4
            axes.plot(places, means, color=colour, marker=marker, linewidth=weight, label=name, zorder=3)
        axes.set_xticks(range(len(CUTOFFS)), [str(k) for k in CUTOFFS])
        axes.set(xlabel="length of the list, K", ylabel=f"{words}@K", ylim=(0, None), xlim=(-0.15, None))
        legend(figure, reverse=True)
        at_ten = ", ".join(f"{RANKERS[who][0]} {points[1][1]:.3f}" for who, points in rows.items())
        yield Drawing(
            family, f"{words} by length of the list", f"{words} at 10: {at_ten}.",
            f"{MEANING[family]} Shaded: 95 % intervals over users.", figure,
        )  # fmt: skip


def gains(record: Path) -> Iterator[Drawing]:
    """What the fused lists add over each rival, NDCG@10, with 95 % intervals."""
    metrics = last_values(record / RUNS / "fine_tune-recommendations", "metrics")
    rivals = [who for who in RANKERS if f"gain/ndcg_fused_over_{who}@10" in metrics]
    if not rivals:
        return
    values = {who: _interval(metrics, f"gain/ndcg_fused_over_{who}@10") for who in rivals}
    rivals.sort(key=lambda who: values[who][0])
    figure, axes = new_figure(height=0.9 + 0.36 * len(rivals))
    for place, who in enumerate(rivals):
        mean, low, high = values[who]
        colour = BLUE if low > 0 else RED if high < 0 else MUTED
        axes.plot([low, high], [place, place], color=colour, linewidth=3, solid_capstyle="round", alpha=0.45)
        axes.plot(mean, place, "o", color=colour, markersize=6)
        axes.annotate(f"{mean:+.4f}", (max(mean, high), place), (8, 0), textcoords="offset points", va="center")
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yticks(range(len(rivals)), [RANKERS[who][0] for who in rivals])
    axes.set(xlabel="gain in NDCG@10", ylim=(-0.6, len(rivals) - 0.4))
    axes.margins(x=0.16)
    axes.grid(visible=False, axis="y")
    told = ", ".join(f"{RANKERS[who][0]} {values[who][0]:+.4f}" for who in rivals)
    yield Drawing(
        "gains", "What fusion adds", f"Gain of the fused lists in NDCG at 10 over: {told}.",
        "Over the same users. A line clear of zero is a difference that chance alone would hardly make.", figure,
    )  # fmt: skip


def fusion(record: Path) -> Iterator[Drawing]:
    """What share of the learned order each part brings."""
    weights = _json(record, "fine_tune-recommendations", "fusion").get("weights", {})
    if not weights:
        return
    ordered = sorted(weights.items(), key=lambda pair: pair[1])
    names, values = [name.replace("_", " ") for name, _ in ordered], [value for _, value in ordered]
    figure, axes = new_figure(height=0.8 + 0.24 * len(names))
    axes.barh(names, values, color=BLUE, height=0.62)
    axes.set(xlabel="share of the gain of the order's trees")
    axes.grid(visible=False, axis="y")
    told = ", ".join(f"{name} {value:.2f}" for name, value in zip(reversed(names), reversed(values), strict=True))
    yield Drawing(
        "fusion", "What the lists are made of", f"Shares: {told}.",
        "How much each part helps to tell what is bought next; parts that say the same share it.", figure,
    )  # fmt: skip


def importance(record: Path) -> Iterator[Drawing]:
    """How much each feature moves a place on a list, and a contact's chance."""
    told = {
        "lists": ("balance", "What moves a place on a list", "the places shown tonight"),
        "audiences": ("fine_tune-audiences", "What moves a contact's chance", "the judged contacts"),
    }
    for name, (stage, title, over) in told.items():
        moved = _json(record, stage, "importance")
        if not moved:
            continue
        most = sorted(moved.items(), key=lambda pair: (-pair[1], pair[0]))[:MOVERS][::-1]
        names, values = [_feature(feature) for feature, _ in most], [value for _, value in most]
        figure, axes = new_figure(height=0.8 + 0.24 * len(names))
        axes.barh(names, values, color=BLUE, height=0.62)
        axes.set(xlabel="mean absolute contribution, log-odds")
        axes.grid(visible=False, axis="y")
        words = ", ".join(f"{one} {value:.2f}" for one, value in zip(reversed(names), reversed(values), strict=True))
        yield Drawing(
            f"importance-{name}", title, f"Largest of {len(moved)} features: {words}.",
            f"Shapley values of the features, averaged over {over}: what the model reads, not what causes anything. In "
            "brackets how a value is read: its logarithm, or as a share of the largest that the shopper has.",
            figure,
        )  # fmt: skip


def _feature(name: str) -> str:
    """A feature's name for people: `part/way.form` is part: way (form)."""
    part, _, way = name.replace("_", " ").rpartition("/")
    way, _, form = way.partition(".")
    return (f"{part}: " if part else "") + way + (f" ({form})" if form else "")


def reliability(record: Path) -> Iterator[Drawing]:
    """Predicted against observed response rates, with Wilson intervals and the number of sends in each bin."""
    bins = [one for one in _json(record, "fine_tune-audiences", "calibration") or [] if one["n"]]
    if not bins:
        return
    predicted, observed = ([one[key] for one in bins] for key in ("predicted", "observed"))
    spans = [intervals.wilson(round(one["observed"] * one["n"]), one["n"]) for one in bins]
    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    axes, counts = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]})
    top = max(*predicted, *(high for _, _, high in spans)) * 1.05
    axes.plot([0, top], [0, top], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(top, top, "exact ", color=MUTED, ha="right", va="bottom", fontsize=9.5)
    axes.vlines(predicted, [low for _, low, _ in spans], [high for _, _, high in spans], color=BLUE, alpha=0.4, lw=3)
    axes.plot(predicted, observed, "o", color=BLUE, markersize=6)
    axes.set(ylabel="observed rate", xlim=(0, top), ylim=(0, top))
    counts.bar(predicted, [one["n"] for one in bins], width=top / 45, color=MUTED)
    counts.set(xlabel="predicted chance of a response", ylabel="sends", ylim=(0, None))
    counts.locator_params(axis="y", nbins=2)
    for one in (axes, counts):
        one.grid(visible=False, axis="x")
    told = ", ".join(f"{p:.0%} predicted, {o:.0%} seen" for p, o in zip(predicted, observed, strict=True))
    yield Drawing(
        "reliability", "Are the chances right?", f"{len(bins)} bins of sends: {told}.",
        "On the dashed line, predictions come true as often as they say. Bars: 95 % intervals; below: sends by bin.",
        figure,
    )  # fmt: skip


def quarantine(record: Path) -> Iterator[Drawing]:
    """Rows in quarantine by reason."""
    found = [one for one in _json(record, "ingest", "quarantine") or [] if one["rows"]]
    rows = {f"{one['feed']}: {one['reason'].replace('_', ' ')}": one["rows"] for one in found}
    if rows:
        yield _dots(
            "quarantine", "Quarantine by reason", rows, "rows", "Rows that break a rule are kept aside, never dropped."
        )


def tables(record: Path) -> Iterator[Drawing]:
    """Rows of each table."""
    rows: dict[str, float] = {}
    for folder in sorted((record / RUNS).glob("score-*")):
        metrics = last_values(folder, "metrics")
        rows |= {name.removeprefix("rows/"): value for name, value in metrics.items() if name.startswith("rows/")}
    if rows:
        yield _dots("tables", "Rows of each table", {name.replace("_", " "): n for name, n in rows.items()}, "rows", "")


def arrivals(record: Path) -> Iterator[Drawing]:
    """Rows that arrived this night, by feed."""
    metrics = last_values(record / RUNS / "ingest", "metrics")
    ends = ("feed/", "/night_arrived")
    rows = {
        name.removeprefix(ends[0]).removesuffix(ends[1]): value
        for name, value in metrics.items()
        if name.startswith(ends[0]) and name.endswith(ends[1])
    }
    if rows:
        yield _dots("arrivals", "Arrived this night", rows, "rows", "New since the snapshot that this night follows.")


def balance(record: Path) -> Iterator[Drawing]:
    """The front of operating points, and what makes lists change."""
    noted = _json(record, "balance", "balance")
    if noted and (drawing := balance_plots.front(noted["points"], noted["least_accuracy"])):
        yield drawing
    if drawing := balance_plots.attribution(_json(record, "balance", "attribution")):
        yield drawing


DRAW: tuple[Callable[[Path], Iterator[Drawing]], ...] = (
    balance, losses, ranking_curves, gains, fusion, importance, reliability, quarantine, tables, arrivals,
)  # fmt: skip
WORDS = {"train": "training", "valid": "validation"}
MEANING = {
    "recall": "Of what a user bought in the judged days, the share that stood among the first K of the list.",
    "ndcg": "Hits among the first K, an early place counting more; 1 is the best order possible.",
}


def _dots(name: str, title: str, rows: Mapping[str, float], unit: str, caption: str) -> Drawing:
    """Counts of very different size: dots on a logarithmic axis, each with its number; 0 has a place, too."""
    ordered = sorted(rows.items(), key=lambda pair: (pair[1], pair[0]))
    figure, axes = new_figure(height=0.8 + 0.34 * len(ordered))
    for place, (_, value) in enumerate(ordered):
        axes.plot([0, value], [place, place], color=RULE, linewidth=1.4)
        axes.plot(value, place, "o", color=BLUE, markersize=6.5)
        axes.annotate(f"{value:,.0f}", (value, place), (8, 0), textcoords="offset points", va="center")
    top = max(value for _, value in ordered)
    decades = math.ceil(math.log10(top)) if top > 1 else 1
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(-0.15, 10 ** (decades * 1.22))
    marks = [0, *(10**power for power in range(1, decades + 1, 2 if decades > 4 else 1))]
    axes.set_xticks(marks, [str(EngFormatter(sep="")(mark)) for mark in marks])
    axes.set_xticks([], minor=True)
    axes.set_yticks(range(len(ordered)), [label for label, _ in ordered])
    axes.set(xlabel=f"{unit}, logarithmic", ylim=(-0.6, len(ordered) - 0.4))
    axes.grid(visible=False, axis="y")
    told = ", ".join(f"{label} {value:,.0f}" for label, value in reversed(ordered))
    return Drawing(name, title, f"{title}: {told}.", caption, figure)


def _curve(folder: Path, name: str) -> list[tuple[int, float]]:
    """A metric's points (step, value), in order."""
    notes = (note for note in read_notes(folder) if note["kind"] == "metrics" and "step" in note)
    return [(note["step"], note["values"][name]) for note in notes if name in note["values"]]


def _course(points: Sequence[tuple[int, float]]) -> str:
    """Where a curve begins, ends and is lowest, in words."""
    (first, start), (last, end), (best, low) = points[0], points[-1], min(points, key=lambda point: point[1])
    if len(points) == 1:
        return f"{start:.2f} at step {first}"
    return f"from {start:.2f} at step {first} to {end:.2f} at step {last}, lowest {low:.2f} at step {best}"


def _interval(metrics: Mapping[str, float], name: str) -> tuple[float, float, float]:
    """Value, low and high; without an interval all three are the value."""
    value = metrics[name]
    return value, metrics.get(f"{name}_low", value), metrics.get(f"{name}_high", value)


def _json(record: Path, stage: str, name: str) -> Any:
    path = record / RUNS / stage / FILES / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
