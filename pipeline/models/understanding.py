"""What a user wants in a dialogue, and of what: the intent of the last turn with the entities of all before it.

`Understander.understand(turns)` is the whole interface. What a turn leaves unsaid is carried over: an item named before
is still the one spoken of, a bare `medium` or `and the other one` still wants what the turn before it wanted. Not here:
readers of intents (`intents`), extraction (`entities`), and answers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from pipeline.models import intents
from pipeline.models.entities import Entity, Names, entities
from pipeline.models.intents import IntentReader

USER = "user"
CARRIED = 0.4  # confidence below which a turn that names something still wants what was wanted before
OF_ITEMS = frozenset({"quantity", "size"})
HAN = re.compile(r"[\u3400-\u9fff]")
Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Turn:
    """One thing said: by `user`, `agent` or `bot`."""

    speaker: str
    text: str


@dataclass(frozen=True)
class Understanding:
    """What the last turn of a dialogue wants.

    Attributes:
        intent: likeliest class of the reader.
        confidence: its probability.
        is_carried: the intent is that of an earlier turn; the confidence is, too.
        entities: what the last turn names, in order.
        slots: by kind what is spoken of now: the latest named, by whomever; of the user alone but for items.
        language: of the last turn.
        ranked: every class with its probability in the last turn alone, likeliest first.
    """

    intent: str
    confidence: float
    is_carried: bool
    entities: tuple[Entity, ...]
    slots: Mapping[str, Entity]
    language: Language
    ranked: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Understander:
    """Reads dialogues of one shop as of one day.

    Attributes:
        names: of the catalogue.
        today: the business day.
        reader: of intents.
    """

    names: Names
    today: date
    reader: IntentReader = field(default_factory=intents.common)

    def understand(self, turns: Sequence[Turn]) -> Understanding:
        """What the last turn wants.

        Args:
            turns: of the dialogue, oldest first; the last is the user's.

        Raises:
            ValueError: no turn, or the last is not the user's.
        """
        if not turns or turns[-1].speaker != USER:
            raise ValueError("the last turn must be the user's; ask with at least one turn")
        named = [entities(turn.text, self.names, self.today, place) for place, turn in enumerate(turns)]
        asked = [place for place, turn in enumerate(turns) if turn.speaker == USER]
        chance = self.reader.probabilities([turns[place].text for place in asked])
        best = chance.argmax(1)
        told = [(self.reader.classes[one], float(row[one])) for one, row in zip(best, chance, strict=True)]
        intent, confidence = told[-1]
        is_carried = False
        if confidence < CARRIED and named[-1]:
            sure = [one for one in told[:-1] if one[1] >= CARRIED]
            if sure:
                (intent, confidence), is_carried = sure[-1], True
        order = (-chance[-1]).argsort(kind="stable")
        ranked = tuple((self.reader.classes[one], float(chance[-1][one])) for one in order)
        return Understanding(
            intent, confidence, is_carried, tuple(named[-1]), slots(turns, named), language(turns[-1].text), ranked
        )


def slots(turns: Sequence[Turn], named: Sequence[Sequence[Entity]]) -> dict[str, Entity]:
    """What is spoken of after the last turn, by kind: the first of a kind in the latest turn that names one.

    Pieces and sizes are of an item: a turn that names another item forgets those of the turns before it.
    """
    held: dict[str, Entity] = {}
    for turn, found in zip(turns, named, strict=True):
        said = {one.kind: one for one in reversed(found) if turn.speaker == USER or one.kind == "item"}
        item = said.get("item")
        if item and "item" in held and held["item"].value != item.value:
            held = {kind: one for kind, one in held.items() if kind not in OF_ITEMS}
        held |= said
    return held


def language(text: str) -> Language:
    """Chinese where a Chinese character stands, else English."""
    return "zh" if HAN.search(text) else "en"
