"""Texts as vectors of the encoder that served a night, opened when a question first needs it.

Many questions are understood by their words alone, and torch is slow to import. Vectors of many texts at once, of
examples, documents and goods, are kept. Not here: tuning (`models.encoder`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.settings import Night

if TYPE_CHECKING:
    from pipeline.models.encoder import EmbeddingCache, Encoder

MANY = 8  # texts that are worth keeping the vectors of
ENCODER = "encoder"


class Meaning:
    """The encoder of a version: called, it gives unit vectors float32 [N, H] of texts."""

    def __init__(self, night: Night, version: str) -> None:
        """Note where it lies; nothing is opened yet."""
        self._night, self.version = night, version

    @classmethod
    def at_hand(cls, night: Night, models: Mapping[str, str]) -> "Meaning | None":
        """That of the models that served a night, where its files are at hand; words alone will do without."""
        version = models.get(ENCODER)  # checked against its name when it is opened
        return cls(night, version) if version and (night.models / ENCODER / version).is_dir() else None

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts, in order."""
        if len(texts) < MANY:
            return self._encoder.encode(texts)
        distinct = {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
        vectors = self._cache.vectors([*distinct], [*distinct.values()], lambda: self._encoder)
        known = dict(zip(distinct, vectors, strict=True))
        return np.stack([known[hashlib.sha256(text.encode()).hexdigest()] for text in texts])

    def items(self, items: pa.Table) -> np.ndarray:
        """Vectors of items that may stand in a list, as the night kept them; 0 for the others."""
        import ibis

        from pipeline.engine import connect
        from pipeline.features.texts import item_text

        listed = items.filter(pc.field("is_recommendable"))
        goods = ibis.memtable(listed)
        text = item_text(goods, self._night.shop.encoder.item_text)
        engine = connect(self._night.shop.threads)
        hashed = engine.to_pyarrow(goods.select("item_id", text=text, digest=text.hexdigest("sha256")))
        distinct = dict(zip(hashed.column("digest").to_pylist(), hashed.column("text").to_pylist(), strict=True))
        names = sorted(distinct)
        known = self._cache.vectors(names, [distinct[name] for name in names], lambda: self._encoder)
        out = np.zeros((len(items), known.shape[1]), np.float32)
        place = pc.index_in(hashed.column("item_id"), items.column("item_id").combine_chunks())
        out[np.asarray(place)] = known[np.asarray(pc.index_in(hashed.column("digest"), pa.array(names)))]
        return out

    @cached_property
    def _encoder(self) -> "Encoder":
        from pipeline.learning import harness
        from pipeline.models import encoder as encoders

        harness.settle(self._night.shop.seed, self._night.shop.threads)
        return encoders.load(self._night.models, self.version, self._night.shop.encoder.max_tokens)

    @cached_property
    def _cache(self) -> "EmbeddingCache":
        from pipeline.models.encoder import EmbeddingCache

        return EmbeddingCache(self._night.embeddings, self.version)
