"""Train one model and measure it on the judged week, beside its baselines and the champion."""

from collections.abc import Callable
from typing import Any

from pipeline.errors import ConfigError
from pipeline.learning import harness
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import (
    desk,
    fine_tune_answers,
    fine_tune_asking,
    fine_tune_audiences,
    fine_tune_phrasing,
    fine_tune_recommendations,
    fine_tune_sentiment,
)

MODELS: dict[str, Callable[[Night, JsonRecorder, desk.Progress], dict[str, Any]]] = {
    "recommendations": fine_tune_recommendations.run,
    "audiences": fine_tune_audiences.run,
    "sentiment": fine_tune_sentiment.run,
    "answers": fine_tune_answers.run,
    "asking": fine_tune_asking.run,
    "phrasing": fine_tune_phrasing.run,
}


def run(night: Night, item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Train the model named by `item`."""
    if item not in MODELS:
        raise ConfigError(f"fine_tune: no model '{item}'; choose one of {', '.join(MODELS)}")
    harness.settle(night.shop.seed, night.shop.threads)
    return MODELS[item](night, recorder, progress)
