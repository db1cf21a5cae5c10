"""Opening what readers of dialogues read: turns that had arrived, each in its newest arrival, oldest dialogue first."""

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pyarrow as pa
from ibis import _

from pipeline.contracts.feeds import USER
from pipeline.engine import local_day
from pipeline.feeds import partitions
from pipeline.models.sentiment import drawn
from pipeline.models.turn_intents import Lessons, Told
from pipeline.settings import Night
from pipeline.stages import desk

SEVERAL = "|"  # between the intents of a turn that has several
VALID_SHARE = 0.12


def turns(night: Night) -> pa.Table | None:
    """Turns with their local `day`, by the start of their dialogue, then its place; None without the feed."""
    rows = desk.landed(desk.connect(night), night, "dialogues")
    if rows is None:
        return None
    named = rows.mutate(key=rows.dialogue_id.concat(":", rows.turn.cast("string")))
    found = (
        partitions.latest(named, "key")
        .drop("key")
        .mutate(
            day=local_day(_.ts, night.shop.zone, night.shop.first_day, night.day),
            began=_.ts.min().over(ibis.window(group_by="dialogue_id")),
        )
    )
    return found.order_by("began", "dialogue_id", "turn").to_pyarrow()


@dataclass(frozen=True)
class Labelled:
    """Turns of users whose intents the shop told, oldest dialogue first: texts, intents, and their dialogues."""

    texts: Sequence[str]
    intents: Sequence[Told]
    dialogues: Sequence[str]

    def lessons(self, places: np.ndarray) -> Lessons:
        """Some of them to teach; a dialogue's turns all choose or all teach, as its name decides."""
        valid = np.array([drawn(self.dialogues[place]) < VALID_SHARE for place in places], bool)
        return Lessons([self.texts[place] for place in places], [self.intents[place] for place in places], valid)


def labelled(rows: pa.Table) -> Labelled:
    """What teaches and judges the reader of intents."""
    found = [
        (row["utterance"].strip(), told, row["dialogue_id"])
        for row in rows.select(["utterance", "intent", "dialogue_id", "speaker"]).to_pylist()
        if row["speaker"] == USER
        and (told := tuple(sorted({one.strip() for one in (row["intent"] or "").split(SEVERAL)} - {""})))
    ]
    texts, intents, dialogues = zip(*found, strict=True) if found else ((), (), ())
    return Labelled(texts, intents, dialogues)
