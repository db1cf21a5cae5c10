"""What is done weekly, beside the nights: the shop's language is learned, and settings are sought for its reader.

Reviews that tonight's judge reads are never looked at. The winner waits as a proposal and is judged as any challenger.
"""

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from pipeline.errors import NoData
from pipeline.learning import champions, checkpoints, domain, harness, tuning
from pipeline.learning.domain import MaskedModel
from pipeline.learning.forms import Form
from pipeline.learning.tuning import Budget, TrialRecorder
from pipeline.models import sentiment, text_classifier
from pipeline.models.sentiment import NAME, Lesson
from pipeline.models.text_classifier import TextClassifier
from pipeline.record import RUNS, JsonRecorder
from pipeline.settings import Night, SentimentSettings
from pipeline.stages import desk, fine_tune_sentiment, proposals, review_inputs

DOMAIN = "domain"
PASSES = 2  # over the shop's reviews, masked otherwise each time
SHARE = 0.7  # of the budget is for the search; the rest teaches the winner with all it is made of
SLOWEST, FASTEST = 0.3, 5.0  # times the shop's learning rate


def adapt(night: Night, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Pretrain the reader's encoder on the shop's own reviews, stars or none; keep it as a checkpoint."""
    shop, reader = night.shop, night.shop.reader
    harness.settle(shop.seed, shop.threads)
    rows = review_inputs.reviews(night)
    if rows is None:
        return {"no_input": "the shop hands over no reviews"}
    judged = set(fine_tune_sentiment.parts(reader, review_inputs.rated(rows))[1].texts)
    texts = [text for text in dict.fromkeys(rows.column("text").to_pylist()) if text and text not in judged]
    texts, rates = texts[-reader.taught :], reader.training
    steps = min(rates.steps, max(1, PASSES * len(texts) // rates.batch_size))
    folder = desk.checkpoints(night, DOMAIN)
    try:
        model = domain.adapt(
            MaskedModel(checkpoints.resolve(reader.checkpoint, night.home), reader.max_tokens),
            texts,
            rates.model_copy(update={"steps": steps}),
            trained_layers=reader.trained_layers,
            folder=folder,
            seed=shop.seed,
            recorder=recorder,
            progress=progress,
        )
    except NoData as none:
        return {"no_input": str(none)}
    version = champions.keep(night.models, DOMAIN, model.save)
    shutil.rmtree(folder, ignore_errors=True)
    desk.note(night, DOMAIN, {"version": version, "checkpoint": reader.checkpoint})
    return {"version": version, "texts": len(texts)}


def search(
    night: Night, minutes: float, recorder: JsonRecorder, progress: desk.Progress, most: int = tuning.TRIALS
) -> dict[str, Any]:
    """Seek settings for the reader within a budget, teach the winner, and leave it for the next night to judge."""
    shop, budget = night.shop, Budget.of(minutes * SHARE)
    harness.settle(shop.seed, shop.threads)
    rows = review_inputs.reviews(night)
    if rows is None:
        return {"no_input": "the shop hands over no reviews"}
    rated = review_inputs.rated(rows)
    try:
        lesson, classes = fine_tune_sentiment.lesson_of(fine_tune_sentiment.parts(shop.reader, rated)[0])
        study = Study(night, lesson, len(classes), progress)
        found = tuning.search(
            study.suggest, study.train, study.first(), budget=budget, record=night.record / RUNS, seed=shop.seed,
            most=most,
        )  # fmt: skip
        settings = study.settings(found.settings)
        model = sentiment.learn(
            lesson,
            classes,
            settings.model_copy(update={"checkpoint": f"path:{study.starts[found.settings['start']]}"}),
            home=night.home,
            folder=desk.checkpoints(night, "winner"),
            seed=shop.seed,
            recorder=recorder,
            progress=lambda _step, done, total: progress(done, total),
        )
    except NoData as none:
        return {"no_input": str(none)}
    model = replace(model, learned=len(rated.truth))
    version = champions.keep(night.models, NAME, lambda folder: study.keep(model, settings, folder))
    shutil.rmtree(night.work / "checkpoints", ignore_errors=True)
    desk.tell_version(recorder, night, NAME, version)
    desk.tell_lesson(recorder, night, NAME, version)
    facts = {"version": version} | asdict(found)
    recorder.params({"tuning": found.settings, "tuning.trials": found.trials})
    recorder.metrics({"tuning/loss": found.loss, "tuning/loss_first": found.first})
    proposals.leave(night, NAME, facts)
    return facts


class Study:
    """Trials of the reader's encoder: what may be tried, and how one is taught.

    Attributes:
        starts: folders of checkpoints to begin from: as pretrained, or as the shop's language made it.
    """

    def __init__(self, night: Night, lesson: Lesson, classes: int, progress: desk.Progress) -> None:
        self.night, self.lesson, self.classes, self.progress = night, lesson, classes, progress
        self.reader: SentimentSettings = night.shop.reader
        self.starts: dict[str, Path] = {"pretrained": checkpoints.resolve(self.reader.checkpoint, night.home)}
        if (night.work / f"{DOMAIN}.json").exists():
            self.starts[DOMAIN] = champions.folder(night.models, DOMAIN, desk.noted(night, DOMAIN)["version"])
        self.states: dict[tuple[str, int], np.ndarray] = {}

    def first(self) -> dict[str, Any]:
        """The shop's own settings, by their names in the study."""
        return {"start": "pretrained", "faster": 1.0, "share": 1.0, "method": self.reader.training.method}

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Draw settings. From the shop's language whole layers are tuned, so that what is kept holds all of it."""
        start = trial.suggest_categorical("start", sorted(self.starts, reverse=True))
        methods = ["full", "lora", "adalora", "bottleneck"]
        return {
            "start": start,
            "faster": trial.suggest_float("faster", SLOWEST, FASTEST, log=True),
            "share": trial.suggest_categorical("share", [0.5, 1.0]),
            "method": trial.suggest_categorical("method", methods) if start != DOMAIN else "full",
        }

    def settings(self, tried: dict[str, Any]) -> SentimentSettings:
        """The reader's settings under those of a trial."""
        rates = self.reader.training
        faster = {name: getattr(rates, name) * tried["faster"] for name in ("learning_rate", "warm_learning_rate")}
        return self.reader.model_copy(
            update={
                "max_tokens": max(8, int(self.reader.max_tokens * tried["share"])),
                "training": rates.model_copy(update=faster | {"method": tried["method"]}),
            }
        )

    def train(self, tried: dict[str, Any], recorder: TrialRecorder) -> None:
        """Teach the encoder alone: counts of words are the same in every trial."""
        settings, seed = self.settings(tried), self.night.shop.seed
        fit, valid = self.lesson.all.only(self.lesson.fit), self.lesson.all.only(self.lesson.valid)
        model = TextClassifier(self.starts[tried["start"]], self.classes, settings.max_tokens)
        known = (tried["start"], settings.max_tokens)
        if known not in self.states:
            self.states[known] = model.states(fit.texts)
        model.fit_head(self.states[known], fit.truth, seed)
        model.take(Form.of(settings.training, settings.trained_layers), seed)
        folder = desk.checkpoints(self.night, f"trial-{recorder.trial.number:03}")
        text_classifier.tune(
            model, fit, valid, settings.training, warm=False, folder=folder, seed=seed, recorder=recorder,
            progress=self.progress,
        )  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)

    def keep(self, model: sentiment.Sentiment, settings: SentimentSettings, folder: Path) -> None:
        """Write the winner, over the shop's own checkpoint, with the settings that later nights go on by."""
        replace(model, checkpoint=self.reader.checkpoint).save(folder)
        rates = ("method", "learning_rate", "warm_learning_rate")
        searched = {"max_tokens": settings.max_tokens, "training": settings.training.model_dump(include=set(rates))}
        champions.write_json(folder / proposals.SEARCHED, searched)
