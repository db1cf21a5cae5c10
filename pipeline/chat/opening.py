"""The current snapshot opened for talk, and opened again when readers get another. Not here: how talk arrives.

What is asked in the words of a precomputed question is answered before models and catalogue are opened: those are
imported and read at the first question that needs them.
"""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.answering.facts import Reply
from pipeline.answering.leaving import Generator, checked
from pipeline.answering.ready import Ready
from pipeline.answering.shelf import Shelf
from pipeline.answering.tools import Account, Shop
from pipeline.contracts.tables import ANSWERS, ITEM_FACTS
from pipeline.errors import NoData
from pipeline.settings import Night
from pipeline.warehouse.snapshot import Snapshot, pinned, pointer

if TYPE_CHECKING:
    from pipeline.answering.answerer import Answerer
    from pipeline.answering.search import Encode
    from pipeline.models.encoder import Encoder
    from pipeline.models.intents import IntentReader

MANY = 8  # texts that are worth keeping the vectors of
TABLES = (ANSWERS.name, ITEM_FACTS.name)


class Opened:
    """One snapshot, and what answers from it, opened when first needed."""

    def __init__(self, night: Night, snapshot: Snapshot, generator: Generator | None) -> None:
        """Read the questions that were answered by night.

        Args:
            night: any night of the shop.
            snapshot: held by the caller.
            generator: re-words facts; what the night tuned and judged when left out, else templates alone.

        Raises:
            NoData: the night knew of no chat.
        """
        if missing := [name for name in TABLES if name not in snapshot.manifest.tables]:
            raise NoData(f"snapshot {snapshot.id}: has no {' and no '.join(missing)}; run a night by this version")
        self._night, self.snapshot, self._lock = night, snapshot, Lock()
        self.ready, self.generator = Ready(snapshot), generator or self._phrasing()

    @property
    def answerer(self) -> "Answerer":
        """What answers any question."""
        with self._lock:
            return self._whole

    @cached_property
    def _whole(self) -> "Answerer":
        from pipeline.answering.answerer import Answerer

        snapshot, shop, today = self.snapshot, Shop(self.snapshot), self.snapshot.manifest.day
        shelf = Shelf.of(snapshot.table(ANSWERS.name).to_pylist())
        encoder = self._encoder()
        if encoder is None:
            return Answerer(shop, today, shelf=shelf, generator=self.generator, reader=self._reader())
        version = snapshot.manifest.models["encoder"]
        vectors, encode = self._vectors(shop.items, version, encoder), self._kept(version, encoder)
        return Answerer(
            shop, today, encode=encode, vectors=vectors, shelf=shelf, generator=self.generator, reader=self._reader()
        )

    def _reader(self) -> "IntentReader | None":
        """The reader of the shop's own intents that was judged good, where there is one."""
        version = self.snapshot.manifest.models.get("answers")
        if version is None or not (self._night.models / "answers" / version).is_dir():
            return None
        from pipeline.learning import champions
        from pipeline.models import turn_intents

        return turn_intents.load(champions.folder(self._night.models, "answers", version), self._night.home)

    def _phrasing(self) -> Generator | None:
        """What the model of wordings wrote by night for each frame, where one serves: the model itself stays shut."""
        version = self.snapshot.manifest.models.get("phrasing")
        if version is None or not (self._night.models / "phrasing" / version).is_dir():
            return None
        from pipeline.answering.rewording import Rewording
        from pipeline.learning import champions

        book = champions.read_json(champions.folder(self._night.models, "phrasing", version) / "book.json")
        return Rewording(lambda frame: book.get(frame, ""))

    def _encoder(self) -> "Encoder | None":
        """The encoder that served the night, where its files are at hand; words alone will do without."""
        from pipeline.learning import harness
        from pipeline.models import encoder as encoders

        version = self.snapshot.manifest.models.get("encoder")
        if version is None or not (self._night.models / "encoder" / version).is_dir():
            return None
        harness.settle(self._night.shop.seed, self._night.shop.threads)
        return encoders.load(self._night.models, version, self._night.shop.encoder.max_tokens)

    def _vectors(self, items: pa.Table, version: str, encoder: "Encoder") -> np.ndarray:
        """Vectors of items that may stand in a list, as the night kept them; 0 for the others."""
        import ibis

        from pipeline.engine import connect
        from pipeline.features.texts import item_text
        from pipeline.models.encoder import EmbeddingCache

        listed = items.filter(pc.field("is_recommendable"))
        goods = ibis.memtable(listed)
        text = item_text(goods, self._night.shop.encoder.item_text)
        engine = connect(self._night.shop.threads)
        hashed = engine.to_pyarrow(goods.select("item_id", text=text, digest=text.hexdigest("sha256")))
        distinct = dict(zip(hashed.column("digest").to_pylist(), hashed.column("text").to_pylist(), strict=True))
        names = sorted(distinct)
        cache = EmbeddingCache(self._night.embeddings, version)
        known = cache.vectors(names, [distinct[name] for name in names], lambda: encoder)
        out = np.zeros((len(items), known.shape[1]), np.float32)
        place = pc.index_in(hashed.column("item_id"), items.column("item_id").combine_chunks())
        out[np.asarray(place)] = known[np.asarray(pc.index_in(hashed.column("digest"), pa.array(names)))]
        return out

    def _kept(self, version: str, encoder: "Encoder") -> "Encode":
        """Encodes questions as they come, and keeps vectors of many texts at once: examples and documents."""
        from pipeline.models.encoder import EmbeddingCache

        cache = EmbeddingCache(self._night.embeddings, version)

        def encode(texts: Sequence[str]) -> np.ndarray:
            if len(texts) < MANY:
                return encoder.encode(texts)
            distinct = {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
            known = dict(zip(distinct, cache.vectors([*distinct], [*distinct.values()], lambda: encoder), strict=True))
            return np.stack([known[hashlib.sha256(text.encode()).hexdigest()] for text in texts])

        return encode


class Chat:
    """Answers from the snapshot that readers get, or from one that is named."""

    def __init__(self, night: Night, snapshot_id: str | None = None, generator: Generator | None = None) -> None:
        """Open it.

        Args:
            night: any night of the shop.
            snapshot_id: answer from this one, whatever readers get; the current one when left out.
            generator: re-words facts; what the night tuned and judged when left out, else templates alone.

        Raises:
            NoData: nothing is published, or a night that knew of no chat.
        """
        self._night, self._fixed, self._generator = night, snapshot_id, generator
        self._lock, self._held = Lock(), ExitStack()
        self._opened = self._open(snapshot_id)

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that answers come from."""
        return self._opened.snapshot

    @property
    def answerer(self) -> "Answerer":
        """What answers any question from it."""
        return self._opened.answerer

    def _open(self, snapshot_id: str | None) -> Opened:
        """Open a snapshot and hold it, so that the janitor leaves it; what was held before is let go."""
        with ExitStack() as held:
            snapshot = held.enter_context(pinned(self._night.warehouse, snapshot_id))
            opened = Opened(self._night, snapshot, self._generator)
            self._held.close()
            self._held = held.pop_all()
        return opened

    def refresh(self) -> None:
        """Open the snapshot that readers get now, when it is another."""
        now = self._fixed or pointer(self._night.warehouse)
        if now is None or now == self.snapshot.id:
            return
        with self._lock:
            if now != self.snapshot.id:
                self._opened = self._open(now)

    def reply(self, turns: Sequence[str], user_key: str | None = None) -> Reply:
        """Answer the last turn, for the signed-in user or a guest; the two come from one snapshot.

        Args:
            turns: what the user said, oldest first.
            user_key: whose rows may be read; never taken from what was said.
        """
        self.refresh()
        opened = self._opened
        if turns and (found := opened.ready.reply(turns[-1])) is not None:
            return checked(found, turns[-1], opened.generator)
        answerer = opened.answerer
        account = None if user_key is None else Account(opened.snapshot, answerer.shop, user_key)
        return answerer.reply(turns, account)
