"""The current snapshot opened for talk, and opened again when readers get another. Not here: how talk arrives.

What is asked in the words of a precomputed question is answered before models and catalogue are opened: those are
imported and read at the first question that needs them.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.answering.facts import Reply
from pipeline.answering.leaving import Generator, checked
from pipeline.answering.ready import Ready
from pipeline.answering.shelf import Shelf
from pipeline.answering.tools import Account
from pipeline.contracts.tables import ANSWERS, ITEM_FACTS
from pipeline.errors import NoData
from pipeline.settings import Night
from pipeline.warehouse.snapshot import Snapshot, pinned, pointer

if TYPE_CHECKING:
    from pipeline.answering.answerer import Answerer

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
        from pipeline.answering import served

        snapshot = self.snapshot
        shelf = Shelf.of(snapshot.table(ANSWERS.name).to_pylist())
        night = replace(self._night, day=snapshot.manifest.day)
        return served.answerer(night, snapshot, snapshot.manifest.models, shelf, self.generator)

    def _phrasing(self) -> Generator | None:
        """What the model of wordings wrote by night for each frame, where one serves: the model itself stays shut."""
        from pipeline.learning import champions

        folder = champions.at_hand(self._night.models, "phrasing", self.snapshot.manifest.models)
        if folder is None:
            return None
        from pipeline.answering.rewording import Rewording

        book = champions.read_json(folder / "book.json")
        return Rewording(lambda frame: book.get(frame, ""))


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
