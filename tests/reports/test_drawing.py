"""How a figure becomes files: the PNG, and an SVG that can stand in a page beside others."""

from pathlib import Path

import matplotlib as mpl
import pytest

from pipeline.reports.drawing import INK, STYLE, Drawing, Plot, legend, new_figure, write


def draw(folder: Path, name: str = "one") -> Plot:
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(height=2)
        axes.plot([0, 1], [0, 1], color=INK, label="a line")
        legend(figure)
        return write(Drawing(name, "A & B", "rises <fast>", "Read it so.", figure), folder)


def test_a_page_gets_words_its_own_ids_and_its_own_colours(tmp_path: Path) -> None:
    plot = draw(tmp_path)
    assert plot.png.read_bytes().startswith(b"\x89PNG")
    assert plot.svg.startswith("<svg")
    assert "A &amp; B" in plot.svg
    assert "rises &lt;fast&gt;" in plot.svg
    assert INK not in plot.svg
    assert "var(--ink)" in plot.svg
    assert 'id="plot-one-' in plot.svg
    other = draw(tmp_path, "other").svg
    assert 'id="plot-one-' not in other


@pytest.mark.parametrize("name", ["one", "other"])
def test_same_figure_same_bytes(tmp_path: Path, name: str) -> None:
    first, again = draw(tmp_path, name), draw(tmp_path, name)
    assert first == again
