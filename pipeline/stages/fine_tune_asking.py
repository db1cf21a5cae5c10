"""Learn what questions ask of the chat's examples, by words and by the encoder that serves tonight, and keep it.

A night with the examples and the encoder of its champion trains nothing. Judged on examples held out of five folds.
Nothing of users is read. Not here: intents of the shop's own dialogues (`fine_tune_answers`).
"""

from typing import Any

import numpy as np

from pipeline.answering import asking
from pipeline.answering.asking import NAME
from pipeline.answering.meaning import Meaning
from pipeline.learning import champions
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.stages.fine_tune_sentiment import tell_judged


def run(night: Night, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Learn, measure, keep the version."""
    encoder = desk.noted(night, "judgement-encoder")["serves"]
    champion, lessons = desk.champion(night, NAME), asking.lessons(encoder)
    facts: dict[str, Any] = {"champion": champion}
    if champion and champions.config(champions.folder(night.models, NAME, champion))["lessons"] == lessons:
        facts |= {"kept": "examples and encoder are those it was taught by"}
    else:
        meaning = Meaning(night, encoder) if encoder else None
        kinds = asking.Asking(encode=meaning).kinds
        version = champions.keep(night.models, NAME, lambda to: kinds.save(to, lessons))
        progress(1, 2)
        desk.tell_version(recorder, night, NAME, version)
        desk.tell_lesson(recorder, night, NAME, version, encoder=encoder)
        facts |= {"challenger": version} | _measure(meaning, night.shop.seed, recorder)
    desk.note(night, f"measured-{NAME}", facts)
    progress(2, 2)
    return facts


def _measure(meaning: Meaning | None, seed: int, recorder: JsonRecorder) -> dict[str, Any]:
    """How many held-out examples are told right, beside the commonest kind."""
    chance, names = asking.held_out(meaning), asking.learned().names
    truth = np.array([names.index(about) for _question, about in asking.examples()])
    told = {"asking": chance.argmax(1), "commonest": np.full(len(truth), np.bincount(truth).argmax())}
    return tell_judged(told, truth, "asking", chance.max(1), "questions", seed, recorder)
