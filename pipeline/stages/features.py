"""Build what models read, as of the business day, and judge it."""

from typing import Any

import ibis.expr.types as ir

from pipeline import engine, gates
from pipeline.contracts.features import CATALOGUE, SEQUENCES
from pipeline.errors import NoData
from pipeline.features import behaviour, texts
from pipeline.features.timeline import Timeline
from pipeline.feeds import partitions
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.stages.gate import judge_frames

READ = (desk.LINES, CATALOGUE.name, *desk.TIMELINE)  # what ranking reads of it


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Write lines, their timeline, catalogue and sequences; run their expectations."""
    cut = desk.cut(night)
    build(night)
    progress(1, 2)
    goods = desk.catalogue(night).column("item_id").combine_chunks()
    sequences = desk.timeline(night).sequences(goods, night.day, night.shop.recommender.history)
    desk.write(night, SEQUENCES.name, sequences, SEQUENCES)
    del sequences
    progress(2, 2)
    frames = {f"feature_{one.name}": desk.lying(night, one.name) for one in (CATALOGUE, SEQUENCES)}
    rows = {name: frame.count_rows() for name, frame in frames.items()}
    recorder.params({"split": {"fit_end": str(cut.fit_end), "tune_end": str(cut.tune_end), "day": str(cut.day)}})
    recorder.metrics({f"rows/{name}": count for name, count in rows.items()})
    gates.require(judge_frames(frames, recorder))
    return dict(rows)


def build(night: Night) -> ir.Table:
    """Write lines and catalogue as of the business day; gives the lines.

    Raises:
        NoData: no events or no items have landed.
    """
    shop, connection = night.shop, desk.connect_large(night)
    events, items = desk.landed(connection, night, "events"), desk.landed(connection, night, "items")
    if events is None or items is None:
        raise NoData(f"shop {shop.name}: no events or no items have landed by {night.day}; run the ingest stage first")
    taken = behaviour.purchases(events, shop.zone, shop.first_day, night.day, shop.recommender.signals)
    desk.stream(night, desk.LINES, taken.order_by("ds", "user_key", "basket_id", "item_id"))
    lines = desk.lines(night, connection)
    newest = partitions.latest(items, "item_id")
    sales = behaviour.item_sales(lines, night.day, shop.recommender.recent_days)
    goods = texts.catalogue(newest, sales, shop.encoder.item_text, shop.never_recommend)
    catalogue = desk.write(night, CATALOGUE.name, engine.arrow(goods, CATALOGUE))
    desk.keep_timeline(night, Timeline.of(lines, catalogue.column("item_id").combine_chunks(), night.day))
    return lines
