"""The night's figures: which are drawn from which notes, what they show, and that nothing in them varies."""

import io
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes

from pipeline.record import FILES, RUNS, JsonRecorder
from pipeline.reports import plots
from pipeline.reports.drawing import BLUE, INK, MUTED, STYLE
from pipeline.settings import Night
from pipeline.stages.gate import note_json

PNG = b"\x89PNG\r\n\x1a\n"


def only(draw: Callable[[Path], object], night: Night) -> plots.Drawing:
    (drawing,) = draw(night.record)  # type: ignore[misc]
    return drawing


def axes_of(drawing: plots.Drawing) -> Axes:
    return drawing.figure.axes[0]


def test_a_whole_record_gives_every_figure(write_record: Callable[..., Night]) -> None:
    night = write_record()
    drawn = plots.draw_all(night.record)
    assert [plot.name for plot in drawn] == [
        "loss-encoder", "recall", "ndcg", "gains", "fusion", "importance-audiences", "reliability",
        "quarantine", "tables", "arrivals",
    ]  # fmt: skip
    assert sorted((night.record / FILES / "plots").iterdir()) == sorted(plot.png for plot in drawn)
    assert all(plot.png.read_bytes().startswith(PNG) for plot in drawn)


def test_an_empty_record_gives_none_and_clears_old_ones(night: Night) -> None:
    old = night.record / FILES / "plots" / "ndcg.png"
    old.parent.mkdir(parents=True)
    old.write_bytes(PNG)
    assert plots.draw_all(night.record) == []
    assert not old.exists()


def test_same_record_same_bytes(write_record: Callable[..., Night]) -> None:
    record = write_record().record
    first = [(plot.svg, plot.png.read_bytes()) for plot in plots.draw_all(record)]
    assert [(plot.svg, plot.png.read_bytes()) for plot in plots.draw_all(record)] == first


def test_svgs_are_named_self_contained_and_share_no_id(write_record: Callable[..., Night]) -> None:
    ids: list[str] = []
    for plot in plots.draw_all(write_record().record):
        root = ET.fromstring(plot.svg)
        title, words = root[0], root[1]
        assert (title.tag, title.text, words.tag, words.text) == ("title", plot.title, "desc", plot.alt)
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{title.get('id')} {words.get('id')}"
        assert root.get("viewBox")
        assert root.get("width") is None
        assert "http" not in plot.svg
        mine = [element.get("id") for element in root.iter() if element.get("id")]
        used = {element.get("href", "")[1:] for element in root.iter() if element.get("href")}
        assert used <= set(mine)
        assert INK not in plot.svg
        ids += [one for one in mine if one]
    assert len(ids) == len(set(ids))


def test_curves_show_the_points_noted(write_record: Callable[..., Night]) -> None:
    drawing = only(plots.losses, write_record())
    curves = {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in axes_of(drawing).lines}
    assert curves == {"training": [(4, 5.0), (8, 4.0), (12, 4.5)], "validation": [(8, 4.2)]}
    assert drawing.alt == (
        "training loss from 5.00 at step 4 to 4.50 at step 12, lowest 4.00 at step 8; validation loss 4.20 at step 8."
    )


def test_ranking_curves_show_each_ranker_with_its_interval(write_record: Callable[..., Night]) -> None:
    recall, ndcg = plots.ranking_curves(write_record().record)
    lines = {line.get_label(): line.get_ydata() for line in axes_of(ndcg).lines}
    assert set(lines) == {"fused lists", "personal frequency", "bought together", "popularity"}
    assert list(lines["fused lists"]) == pytest.approx([0.295, 0.3, 0.31, 0.34])
    bands = [band.get_paths()[0].get_extents() for band in axes_of(ndcg).collections]
    assert sorted(round(band.y1, 3) for band in bands) == [0.15, 0.25, 0.3, 0.35]
    assert recall.alt.startswith("Recall at 10: fused lists 0.300, personal frequency 0.250")


def test_a_ranker_without_all_cutoffs_is_left_out(write_record: Callable[..., Night]) -> None:
    night = write_record()
    JsonRecorder(night.record / RUNS / "fine_tune-recommendations").metrics({"recall/champion@10": 0.3})
    recall, _ = plots.ranking_curves(night.record)
    assert "champion" not in recall.alt


def test_gains_are_ordered_and_coloured_by_certainty(write_record: Callable[..., Night]) -> None:
    night = write_record()
    name = "gain/ndcg_fused_over_champion@10"
    JsonRecorder(night.record / RUNS / "fine_tune-recommendations").metrics(
        {name: -0.001, f"{name}_low": -0.002, f"{name}_high": 0.001}
    )
    axes = axes_of(only(plots.gains, night))
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "champion", "personal frequency", "bought together", "popularity",
    ]  # fmt: skip
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [dot.get_color() for dot in dots] == [MUTED, BLUE, BLUE, BLUE]


def test_fusion_bars_are_the_shares(write_record: Callable[..., Night]) -> None:
    drawing = only(plots.fusion, write_record())
    assert [bar.get_width() for bar in axes_of(drawing).patches] == [0.1, 0.2, 0.4]
    assert drawing.alt == "Shares: co visitation 0.40, text 0.20, transformer 0.10."


def test_importance_shows_what_moves_most_first(
    write_record: Callable[..., Night], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "MOVERS", 2)
    drawing = only(plots.importance, write_record())
    assert [label.get_text() for label in axes_of(drawing).get_yticklabels()] == ["baskets 90d", "sends before"]
    assert [bar.get_width() for bar in axes_of(drawing).patches] == [0.25, 0.5]
    assert drawing.alt == "Largest of 3 features: sends before 0.50, baskets 90d 0.25."


def test_a_features_name_is_for_people() -> None:
    names = ("personal/weight.log_share", "user/lines", "co_visitation/next.log", "baskets_90d")
    assert [plots._feature(name) for name in names] == [
        "personal: weight (log share)", "user: lines", "co visitation: next (log)", "baskets 90d",
    ]  # fmt: skip


def test_reliability_shows_rates_and_counts(write_record: Callable[..., Night]) -> None:
    drawing = only(plots.reliability, write_record())
    rates, counts = drawing.figure.axes
    dots = next(line for line in rates.lines if line.get_marker() == "o")
    assert (list(dots.get_xdata()), list(dots.get_ydata())) == ([0.1, 0.6], [0.05, 0.5])
    assert [bar.get_height() for bar in counts.patches] == [100, 40]


@pytest.mark.parametrize(
    ("draw", "rows"),
    [
        (plots.quarantine, {"events: unknown item": "55", "events: missing value": "5"}),
        (plots.arrivals, {"events": "110", "users": "0"}),
        (plots.tables, {"recommendations": "900"}),
    ],
)
def test_counts_stand_beside_their_names(
    write_record: Callable[..., Night], draw: Callable[[Path], object], rows: dict[str, str]
) -> None:
    axes = axes_of(only(draw, write_record()))
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert dict(zip(reversed(names), [text.get_text() for text in reversed(axes.texts)], strict=True)) == rows


def test_nothing_quarantined_draws_nothing(night: Night) -> None:
    recorder = JsonRecorder(night.record / RUNS / "ingest")
    note_json(recorder, "quarantine", [{"feed": "events", "reason": "bad_type", "words": "w", "rows": 0}])
    assert list(plots.quarantine(night.record)) == []


def test_no_figure_cuts_its_words(write_record: Callable[..., Night]) -> None:
    with mpl.rc_context(STYLE):
        for drawing in [drawing for draw in plots.DRAW for drawing in draw(write_record().record)]:
            figure = drawing.figure
            figure.savefig(io.BytesIO(), format="png")
            words = [text for legend in figure.legends for text in legend.get_texts()]
            for axes in figure.axes:
                words += [*axes.texts, axes.xaxis.label, axes.yaxis.label, *axes.get_yticklabels()]
            for text in (text for text in words if text.get_text()):
                box = text.get_window_extent()
                assert box.x0 >= 0, (drawing.name, text.get_text())
                assert box.x1 <= figure.bbox.x1, (drawing.name, text.get_text())


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(colour)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", [INK, MUTED])
def test_text_can_be_read_on_white(colour: str) -> None:
    assert 1.05 / (_luminance(colour) + 0.05) >= 4.5


def test_series_differ_in_more_than_colour() -> None:
    _, colours, markers = zip(*plots.RANKERS.values(), strict=True)
    assert len(set(colours)) == len(set(markers)) == len(plots.RANKERS)
