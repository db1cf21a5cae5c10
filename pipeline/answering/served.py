"""What answers by the models that served a night: from a snapshot in a talk, and from the staged tables in the night.

Not here: the snapshot, its pin and its precomputed answers (`chat.opening`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.answering import asking, kinds
from pipeline.answering.answerer import Answerer
from pipeline.answering.leaving import Generator
from pipeline.answering.meaning import Meaning
from pipeline.answering.shelf import Shelf
from pipeline.answering.tools import Shop, Source
from pipeline.learning import champions
from pipeline.settings import Night

if TYPE_CHECKING:
    from pipeline.models.intents import IntentReader

READER = "answers"  # of the shop's own intents


def answerer(
    night: Night,
    source: Source,
    models: Mapping[str, str],
    shelf: Shelf | None = None,
    generator: Generator | None = None,
) -> Answerer:
    """What answers from some tables; the encoder stays shut until a question needs it.

    Args:
        night: whose tables they are: its day is today.
        source: of the tables.
        models: versions that serve, by name; one whose files are not at hand is done without.
        shelf: precomputed answers.
        generator: re-words facts.
    """
    kept = champions.at_hand(night.models, asking.NAME, models)
    return Answerer(
        Shop(source),
        night.day,
        meaning=Meaning.at_hand(night, models),
        kinds=None if kept is None else kinds.load(kept),
        shelf=shelf,
        generator=generator,
        reader=_reader(night, models),
    )


def _reader(night: Night, models: Mapping[str, str]) -> "IntentReader | None":
    folder = champions.at_hand(night.models, READER, models)
    if folder is None:
        return None
    from pipeline.models import turn_intents

    return turn_intents.load(folder, night.home)
