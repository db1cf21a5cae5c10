"""Stage the review_sentiment and item_sentiment tables, and note the items under the sentiment floor."""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import ITEM_SENTIMENT, REVIEW_SENTIMENT
from pipeline.feeds import harmful
from pipeline.learning import champions
from pipeline.models import aspects, sentiment
from pipeline.models.encoder import EmbeddingCache
from pipeline.models.sentiment import NAME, Sentiment
from pipeline.settings import Night
from pipeline.stages import desk, review_inputs
from pipeline.tables import sentiment as table
from pipeline.tables.sentiment import Floor, Saying
from pipeline.warehouse.staging import Staging


def run(night: Night, staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Read what no earlier night of the same model has read; without a model, stars alone say what a review says."""
    reviews = review_inputs.reviews(night)
    if reviews is None or not len(reviews):
        files = [staging.write(one, one.schema.empty_table()) for one in (REVIEW_SENTIMENT, ITEM_SENTIMENT)]
        rows, empty = {file.name: file.rows for file in files}, "no review has arrived"
        return {"rows": rows, "empty": empty, "disliked": None}
    judgement = desk.noted(night, "judgement")[NAME]
    version = judgement["serves"]
    model = sentiment.load(champions.folder(night.models, NAME, version), night.home) if version else None
    chance, expected = _read(night, reviews, model, version)
    progress(1, 2)
    read = np.array([None if np.isnan(one) else version for one in expected], dtype=object)
    rows = table.review_rows(reviews, chance, expected, read, reviews.column("day"))
    lengths = dict(
        zip(reviews.column("review_id").to_pylist(), map(len, reviews.column("text").to_pylist()), strict=True)
    )
    sayings = [*table.wholes(rows, lengths), *_spoken_of(reviews, rows, model)]
    reader = night.shop.reader
    rude = reviews.filter(harmful.harmful(reviews.column("text"))).column("review_id").to_pylist()
    items = table.item_rows(sayings, night.day, Floor(reader.floor, reader.min_reviews), set(rude))
    files = [staging.write(REVIEW_SENTIMENT, rows), staging.write(ITEM_SENTIMENT, items)]
    progress(2, 2)
    under = table.disliked(items)
    facts: dict[str, Any] = {
        "rows": {file.name: file.rows for file in files},
        "empty": "no review says anything of an item",
        "disliked": under,
        "metrics": {"sentiment/items_suppressed": len(under), "sentiment/reviews_hidden": len(rude)},
    }
    return facts if version else facts | {"fallback": f"by the stars given alone: {judgement['why']}"}


def _read(
    night: Night, reviews: pa.Table, model: Sentiment | None, version: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Polarities [N, 3] and expected stars [N] of reviews; nan where no model reads words.

    A model's opinion of one text is the same every night, so it is kept by text, as vectors are.
    """
    chance, expected = np.full((len(reviews), 3), np.nan), np.full(len(reviews), np.nan)
    texts = np.array(reviews.column("text").to_pylist(), dtype=str)
    worded = np.flatnonzero(texts != "")
    if model is None or not len(worded):
        return chance, expected
    distinct, place = np.unique(texts[worded], return_inverse=True)
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in distinct]
    cache = EmbeddingCache(night.embeddings, str(version))
    found = cache.vectors(hashes, distinct.tolist(), lambda: model)
    chance[worded] = sentiment.polarities(model.classes, found)[place]
    expected[worded] = (found @ np.array([int(name) for name in model.classes]))[place]
    return chance, expected


def _spoken_of(reviews: pa.Table, rows: pa.Table, model: Sentiment | None) -> list[Saying]:
    """Aspects that opinions name, each with the polarity of its clause (of the review, where no model reads)."""
    kinds = pc.is_in(reviews.column("review_kind"), pa.array(table.OPINIONS))
    reviews = reviews.filter(pc.and_(kinds, pc.is_in(reviews.column("review_id"), rows.column("review_id"))))
    texts = reviews.column("text").to_pylist()
    found = list(aspects.mentions(texts, aspects.names(texts)))
    if not found:
        return []
    told = dict(zip(rows.column("review_id").to_pylist(), rows.column("polarity").to_pylist(), strict=True))
    ids, items = reviews.column("review_id").to_pylist(), reviews.column("item_id").to_pylist()
    days = reviews.column("day").to_pylist()
    if model is None:
        polarity = np.array([sentiment.POLARITIES.index(told[ids[one.text]]) for one in found])
        sure = np.zeros(len(found))
    else:
        clauses = [texts[one.text][slice(*one.clause)] for one in found]
        chance = sentiment.polarities(model.classes, model.glance(clauses))
        polarity, sure = chance.argmax(1), chance.max(1)
    return [
        Saying(items[one.text], one.aspect, ids[one.text], days[one.text], int(what), float(how), one.clause)
        for one, what, how in zip(found, polarity, sure, strict=True)
    ]
