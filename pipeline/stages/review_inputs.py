"""Opening what the reader of reviews reads: reviews that had arrived, each once, oldest first."""

import ibis
import numpy as np
import pyarrow as pa
from ibis import _

from pipeline.engine import local_day
from pipeline.feeds import partitions
from pipeline.models.text_classifier import Labelled
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.tables.sentiment import OPINIONS


def reviews(night: Night) -> pa.Table | None:
    """Newest arrival of each review, oldest first, with `text` (title and words) and local `day`; None without any."""
    rows = desk.landed(desk.connect(night), night, "reviews")
    if rows is None:
        return None
    title, words = rows.review_title.fill_null("").strip(), rows.review_text.fill_null("").strip()
    parted = ibis.cases((title == "", words), (words == "", title), else_=title + ". " + words)
    found = partitions.latest(rows.mutate(text=parted), "review_id").mutate(
        day=local_day(_.ts, night.shop.zone, night.shop.first_day, night.day)
    )
    return found.order_by("ts", "review_id").to_pyarrow()


def rated(rows: pa.Table) -> Labelled:
    """Opinions with words and stars, each text once (its newest): texts, and stars from 1 to 5 less one."""
    stars = rows.column("stars").to_numpy().astype(np.float64)
    newest: dict[str, int] = {}
    texts, kinds = rows.column("text").to_pylist(), rows.column("review_kind").to_pylist()
    for place, (text, kind) in enumerate(zip(texts, kinds, strict=True)):
        if text and kind in OPINIONS and not np.isnan(stars[place]):
            newest.pop(text, None)  # so that the order stays that of the newest
            newest[text] = place
    places = np.array(list(newest.values()), np.int64)
    return Labelled([texts[place] for place in places], np.rint(stars[places]).astype(np.int64) - 1)
