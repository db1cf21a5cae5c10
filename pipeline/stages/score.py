"""Score one table and stage it."""

from typing import Any

from pipeline.errors import ConfigError
from pipeline.learning import harness
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import (
    desk,
    score_audiences,
    score_cart,
    score_layouts,
    score_open_questions,
    score_profiles,
    score_recommendations,
    score_sentiment,
)
from pipeline.warehouse.staging import Staging

TABLES = {
    "recommendations": score_recommendations.run,
    "cart_recommendations": score_cart.run,
    "ad_audiences": score_audiences.run,
    "user_profiles": score_profiles.run,
    "page_layouts": score_layouts.run,
    "review_sentiment": score_sentiment.run,
    "open_questions": score_open_questions.run,
}


def run(night: Night, item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Stage the table named by `item`, and note a fallback or an empty table with its reason."""
    if item not in TABLES:
        raise ConfigError(f"score: no table '{item}'; choose one of {', '.join(TABLES)}")
    harness.settle(night.shop.seed, night.shop.threads)
    staging = Staging.open(night.warehouse, night.day, night.run)
    facts = TABLES[item](night, staging, progress)
    recorder.metrics({f"rows/{name}": rows for name, rows in facts["rows"].items()})
    recorder.metrics(facts.get("metrics", {}))
    recorder.tags(facts.get("tags", {}))
    desk.note(night, f"scored-{item}", facts)
    return facts
