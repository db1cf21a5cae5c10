"""Talks as drops of the feed `dialogues`: what a user said and whether it was answered, for the next night to take.

A talk is kept when its user gives it a thumb, and else not. What is written is the user's turns, not the answers, which
hold the user's rows; the user stands there as a sealed key, a guest as nobody. A thumb up makes what the last turn was
taken for its label; after a thumb down the talk may become an open question. Not here: who may give one (`server`).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from pipeline.contracts.feeds import DIALOGUES, USER
from pipeline.privacy.keys import Secret, sealed
from pipeline.settings import Shop
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step


class Talks:
    """A folder of drops, as docs/landing.md lays it out."""

    def __init__(self, folder: Path, shop: Shop, secret: Secret, now: Callable[[], datetime]) -> None:
        """Note where talks go.

        Args:
            folder: the shop's drops.
            shop: in whose zone a day begins.
            secret: seals user keys.
            now: tells the time.
        """
        self._folder, self._zone, self._secret, self._now = folder, shop.zone, secret, now

    def keep(self, turns: Sequence[str], asked: str, *, is_resolved: bool, user_key: str | None) -> Path:
        """Write a talk; the same one of the same user on one day is written once, by its last thumb.

        Args:
            turns: what the user said, oldest first.
            asked: what the last turn was taken for.
            is_resolved: the user says that it was answered.
            user_key: of the signed-in user; None for a guest.
        """
        now = self._now().astimezone(self._zone)
        told = json.dumps([user_key, now.date().isoformat(), *turns], ensure_ascii=False)
        name = hashlib.sha256(self._secret + told.encode()).hexdigest()[:20]
        shared = {
            "dialogue_id": name,
            "user_id": None if user_key is None else sealed(self._secret, user_key),
            "ts": now.isoformat(timespec="seconds"),
            "speaker": USER,
        }
        rows = [shared | {"turn": 2 * place, "utterance": text} for place, text in enumerate(turns)]
        rows[-1] |= {"is_resolved": is_resolved} | ({"intent": asked} if is_resolved else {})
        path = self._folder / DIALOGUES.name / f"ds={now.date()}" / f"talk-{name}.jsonl"
        durable.put(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), Step.PARTITION)
        return path
