"""Train the reader of reviews on older ones and judge it on the newest, beside the champion.

Stars that came with words are the labels. A night without many new ones trains nothing: the champion reads on.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.errors import NoData
from pipeline.learning import champions, forms
from pipeline.learning.forms import Form
from pipeline.metrics import calibration, classification, intervals
from pipeline.models import sentiment
from pipeline.models.sentiment import NAME, Lesson
from pipeline.models.text_classifier import WEIGHTS, Labelled
from pipeline.record import JsonRecorder
from pipeline.settings import Night, SentimentSettings
from pipeline.stages import desk, proposals, review_inputs
from pipeline.tables.sentiment import given

STARS = [str(stars) for stars in range(1, 6)]
JUDGED_SHARE = 0.15  # of the reviews, the newest


def run(night: Night, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Train, measure, keep the version."""
    rows = review_inputs.reviews(night)
    champion, proposed = desk.champion(night, NAME), proposals.due(night, NAME)
    facts: dict[str, Any] = {"champion": champion}
    if rows is None:
        facts |= {"no_input": "the shop hands over no reviews"}
    else:
        rated = review_inputs.rated(rows)
        learned = champions.config(champions.folder(night.models, NAME, champion))["learned"] if champion else 0
        few = champion and len(rated.truth) <= learned * (1 + night.shop.reader.fresh_share)
        try:
            if proposed:
                facts |= _propose(night, rated, champion, proposed, recorder)
            elif few:
                facts |= {"kept": f"few reviews have come since it was taught, when {learned:,} were known"}
            else:
                facts |= _train(night, rated, champion, recorder, progress)
        except NoData as none:
            facts |= {"refused": str(none), "kept": str(none)}
    desk.note(night, f"measured-{NAME}", facts)
    return facts


def parts(settings: SentimentSettings, rated: Labelled) -> tuple[Labelled, Labelled]:
    """The newest judge, those before them teach."""
    count = len(rated.truth)
    judged = min(int(count * JUDGED_SHARE), settings.judged)
    start = max(0, count - judged - settings.taught)
    return rated.only(np.arange(start, count - judged)), rated.only(np.arange(count - judged, count))


def lesson_of(taught: Labelled) -> tuple[Lesson, list[str]]:
    """What teaches and what chooses, and the stars that were given at all: classes count those alone.

    Raises:
        NoData: too few to learn from.
    """
    lesson = Lesson.of(taught)
    told = sorted(set(lesson.all.truth.tolist()))
    place = {stars: number for number, stars in enumerate(told)}
    truth = np.array([place[stars] for stars in lesson.all.truth])
    return Lesson(Labelled(lesson.all.texts, truth), lesson.fit, lesson.valid), [STARS[stars] for stars in told]


def _propose(
    night: Night, rated: Labelled, champion: str | None, proposed: str, recorder: JsonRecorder
) -> dict[str, Any]:
    """What a search found is tonight's challenger as it is."""
    desk.tell_version(recorder, night, NAME, proposed)
    desk.tell_lesson(recorder, night, NAME, proposed, sentiment=champion)
    taught, judged = parts(night.shop.reader, rated)
    old = _load(night, champion) if champion else None
    return _measure(_load(night, proposed), old, taught, judged, night.shop.seed, recorder) | {"challenger": proposed}


def _load(night: Night, version: str) -> sentiment.Sentiment:
    return sentiment.load(champions.folder(night.models, NAME, version), night.home)


def _train(
    night: Night, rated: Labelled, champion: str | None, recorder: JsonRecorder, progress: desk.Progress
) -> dict[str, Any]:
    settings, folder = proposals.settings(night, champion), desk.checkpoints(night, NAME)
    taught, judged = parts(settings, rated)
    lesson, classes = lesson_of(taught)
    before = champions.folder(night.models, NAME, champion) if champion else None
    known = champions.config(before) if before else {}
    same = known.get("classes") == classes and known.get("checkpoint") == settings.checkpoint
    if before:  # adapters are carried on by the same method alone
        same = same and forms.read(before / WEIGHTS) == Form.of(settings.training, settings.trained_layers)
    model = sentiment.learn(
        lesson,
        classes,
        settings,
        home=night.home,
        folder=folder,
        seed=night.shop.seed,
        recorder=recorder,
        progress=lambda _step, done, total: progress(done, total),
        champion=before if same else None,
    )
    model = replace(model, learned=len(rated.truth))
    version = champions.keep(night.models, NAME, lambda target: proposals.save(model, before, target))
    shutil.rmtree(folder, ignore_errors=True)
    recorder.params({"sentiment": settings.model_dump(exclude={"training"}), "sentiment.taught": len(taught.truth)})
    desk.tell_version(recorder, night, NAME, version)
    desk.tell_lesson(recorder, night, NAME, version, sentiment=champion if same else None)
    old = _load(night, champion) if champion else None
    facts = _measure(model, old, taught, judged, night.shop.seed, recorder)
    return facts | {"challenger": version}


def _measure(
    model: sentiment.Sentiment,
    champion: sentiment.Sentiment | None,
    taught: Labelled,
    judged: Labelled,
    seed: int,
    recorder: JsonRecorder,
) -> dict[str, Any]:
    """How polarities of the newest reviews are told."""
    if not len(judged.truth):
        raise NoData("no reviews to judge by")
    truth = given(judged.truth + 1.0)
    chance = sentiment.polarities(model.classes, model.probabilities(judged.texts))
    commonest = np.bincount(given(taught.truth + 1.0), minlength=3).argmax()
    told = {"sentiment": chance.argmax(1), "commonest": np.full(len(truth), commonest)}
    words = sentiment.polarities(model.classes, model.glance(judged.texts))
    told["words"] = words.argmax(1)
    if champion:
        theirs = champion.probabilities(judged.texts)
        told["champion"] = sentiment.polarities(champion.classes, theirs).argmax(1)
    return tell_judged(told, truth, "sentiment", chance.max(1), "reviews", seed, recorder)


def tell_judged(
    told: Mapping[str, np.ndarray],
    truth: np.ndarray,
    reader: str,
    confidence: np.ndarray,
    unit: str,
    seed: int,
    recorder: JsonRecorder,
) -> dict[str, Any]:
    """What judge asks of a reader of texts, with intervals in the record.

    Args:
        told: classes int [N] by who told them: the reader, `commonest`, and `champion` where there is one.
        truth: int [N].
        reader: its name among them.
        confidence: [N] the reader's.
        unit: what was judged.
        seed: of the bootstrap.
        recorder: gets all figures.
    """
    for who, classes in told.items():
        for name, measure in (("accuracy", classification.accuracy), ("f1", classification.macro_f1)):
            value, low, high = intervals.bootstrap_statistic(measure, truth, classes, seed=seed)
            recorder.metrics({f"{name}/{who}": value, f"{name}/{who}_low": low, f"{name}/{who}_high": high})
    right = told[reader] == truth
    gain = intervals.paired_gain(right, told["commonest"] == truth, seed=seed)
    ece = calibration.expected_calibration_error(confidence, right.astype(int))
    flips = classification.negative_flip_rate(truth, told["champion"], told[reader]) if "champion" in told else 0.0
    recorder.metrics({"calibration/ece": ece, "flips/rate": flips, f"{unit}/judged": len(truth)})
    return {"accuracy": float(right.mean()), "gain": list(gain), "ece": ece, "flips": flips}
