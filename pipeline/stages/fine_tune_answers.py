"""Train the reader of intents on older dialogues and judge it on the newest, beside the champion.

Intents that the shop told with its dialogues are the labels. A night without many new ones trains nothing: the champion
reads on.
"""

import shutil
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.errors import NoData
from pipeline.learning import champions
from pipeline.models import turn_intents
from pipeline.models.turn_intents import NAME, Intents, Lessons, Told, codes
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk, dialogue_inputs
from pipeline.stages.dialogue_inputs import Labelled
from pipeline.stages.fine_tune_sentiment import tell_judged

JUDGED_SHARE = 0.15  # of the turns, those of the newest dialogues


def run(night: Night, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Train, measure, keep the version."""
    rows = dialogue_inputs.turns(night)
    champion = desk.champion(night, NAME)
    facts: dict[str, Any] = {"champion": champion}
    if rows is None:
        facts |= {"no_input": "the shop hands over no dialogues"}
    else:
        told = dialogue_inputs.labelled(rows)
        learned = champions.config(champions.folder(night.models, NAME, champion))["learned"] if champion else 0
        if champion and len(told.texts) <= learned * (1 + night.shop.reader.fresh_share):
            facts |= {"kept": f"few turns have come since it was taught, when {learned:,} were known"}
        else:
            try:
                facts |= _train(night, told, champion, recorder, progress)
            except NoData as none:
                facts |= {"refused": str(none), "kept": str(none)}
    desk.note(night, f"measured-{NAME}", facts)
    return facts


def parts(told: Labelled, taught: int, judged: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the turns that teach and of those that judge: the newest dialogues judge, and none is parted.

    Args:
        told: turns, oldest dialogue first.
        taught: turns that teach, at most.
        judged: turns that judge, at most.
    """
    names = np.array(told.dialogues)
    if not len(names):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    start = len(names) - min(max(1, int(len(names) * JUDGED_SHARE)), judged)
    begins = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    start = int(begins[np.searchsorted(begins, start, side="right") - 1])
    return np.arange(max(0, start - taught), start), np.arange(start, len(names))


def _train(
    night: Night, told: Labelled, champion: str | None, recorder: JsonRecorder, progress: desk.Progress
) -> dict[str, Any]:
    settings, folder = night.shop.reader, desk.checkpoints(night, NAME)
    taught, judged = parts(told, settings.taught, settings.judged)
    lessons = told.lessons(taught)
    before = champions.folder(night.models, NAME, champion) if champion else None
    known = champions.config(before) if before else {}
    same = known.get("classes") == lessons.classes and known.get("checkpoint") == settings.checkpoint
    model = turn_intents.learn(
        lessons,
        settings,
        home=night.home,
        folder=folder,
        seed=night.shop.seed,
        recorder=recorder,
        progress=lambda _step, done, total: progress(done, total),
        champion=before if same else None,
    )
    model = replace(model, reader=replace(model.reader, learned=len(told.texts)))
    version = champions.keep(night.models, NAME, model.save)
    shutil.rmtree(folder, ignore_errors=True)
    recorder.params({"answers": settings.model_dump(exclude={"training"}), "answers.taught": len(taught)})
    desk.tell_version(recorder, night, NAME, version)
    desk.tell_lesson(recorder, night, NAME, version, answers=champion if same else None)
    old = turn_intents.load(before, night.home) if before else None
    facts = _measure(model, old, lessons, told.lessons(judged), night.shop.seed, recorder)
    return facts | {"challenger": version}


def _measure(
    model: Intents, champion: Intents | None, taught: Lessons, judged: Lessons, seed: int, recorder: JsonRecorder
) -> dict[str, Any]:
    """How intents of the newest dialogues are told: right where all of a turn's are, and no other."""
    chance = model.probabilities(judged.texts)
    commonest = max(sorted(set(taught.intents)), key=Counter(taught.intents).__getitem__)
    told: dict[str, list[Told]] = {"answers": model.told(judged.texts, chance)}
    told["commonest"] = [commonest] * len(judged.texts)
    if champion:
        told["champion"] = champion.told(judged.texts, champion.probabilities(judged.texts))
    truth, *given = codes(judged.intents, *told.values())
    coded = dict(zip(told, given, strict=True))
    return tell_judged(coded, truth, "answers", chance.max(1), "turns", seed, recorder)
