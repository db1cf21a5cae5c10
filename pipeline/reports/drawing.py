"""What all figures share: colours, sizes, and how a figure becomes a PNG file and an SVG that can stand in a page.

Colours are Okabe and Ito's, told apart with any colour vision. Not here: what is drawn (`plots`, `balance_plots`).
"""

import io
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, RULE = "#1c2024", "#5b636b", "#d5d9dd"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072b2", "#d98c00", "#009e73", "#d55e00", "#b0578d", "#56b4e9"
PAGE_COLOURS = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)"}  # the page has a dark form
WIDTH = 5.0  # inches; one column of a phone
STYLE = {
    "svg.hashsalt": "shopkeel", "svg.fonttype": "none", "font.size": 10.5, "font.family": "sans-serif",
    "axes.edgecolor": RULE, "axes.labelcolor": MUTED, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlelocation": "left", "axes.titlesize": 11, "axes.titlecolor": INK, "axes.axisbelow": True,
    "axes.grid": True, "grid.color": RULE, "grid.linewidth": 0.6, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.major.size": 0, "ytick.major.size": 0, "xtick.minor.size": 0, "text.color": INK, "figure.dpi": 100,
    "lines.linewidth": 1.6, "lines.markersize": 5, "legend.frameon": False,
}  # fmt: skip


@dataclass(frozen=True)
class Plot:
    """One figure of the night.

    Attributes:
        name: of the files; also says what it is about (`loss-encoder`, `ndcg`).
        title: a few words.
        alt: what the figure shows, for those who do not see it.
        caption: how to read it.
        png: the file in the record.
        svg: for the page, its ids unique among the night's figures, without a size of its own.
    """

    name: str
    title: str
    alt: str
    caption: str
    png: Path
    svg: str


@dataclass(frozen=True)
class Drawing:
    """A figure and its words, not yet written."""

    name: str
    title: str
    alt: str
    caption: str
    figure: Figure


def new_figure(height: float = 3.0) -> tuple[Figure, Axes]:
    """A figure of one panel, as wide as a phone's column; height in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def legend(figure: Figure, *, reverse: bool = False) -> None:
    """Put it above the panels."""
    figure.legend(
        loc="outside upper left", ncols=3, handlelength=1.5, columnspacing=1, handletextpad=0.5, fontsize=9.5,
        reverse=reverse,
    )  # fmt: skip


def write(drawing: Drawing, folder: Path) -> Plot:
    """Write the PNG file and make the SVG; same drawing, same bytes."""
    png, text = folder / f"{drawing.name}.png", io.StringIO()
    drawing.figure.savefig(png, dpi=180, metadata={"Software": None})
    drawing.figure.set_layout_engine("none")  # laid out once is enough
    drawing.figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    facts = (drawing.name, drawing.title, drawing.alt, drawing.caption)
    return Plot(*facts, png, _inline(text.getvalue(), drawing))


def _inline(svg: str, drawing: Drawing) -> str:
    """An SVG that can stand in the page: named for readers who do not see it, in the page's colours and font."""
    name = f"plot-{drawing.name}"
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    box = re.search(r'viewBox="[^"]*"', svg)
    head = f'<svg role="img" aria-labelledby="{name}-t {name}-d" {box.group(0) if box else ""}>'
    words = f'<title id="{name}-t">{escape(drawing.title)}</title><desc id="{name}-d">{escape(drawing.alt)}</desc>'
    svg = head + words + svg[svg.index(">") + 1 :].replace("xlink:href", "href")
    for colour, variable in PAGE_COLOURS.items():
        svg = svg.replace(colour, variable)
    return svg
