"""What a night noted, for its pages to read. Not here: pages."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.record import FILES, RUNS, last_values
from pipeline.settings import Night

STAGES = {
    "ingest": "land and clean the feeds", "features": "build features", "encoder": "tune the text encoder",
    "fine_tune-recommendations": "train the recommender", "fine_tune-audiences": "train the response model",
    "fine_tune-sentiment": "train the reader of reviews", "fine_tune-answers": "train the reader of dialogues",
    "fine_tune-asking": "learn the chat's questions", "fine_tune-phrasing": "train the chat's wording",
    "judge": "judge the models", "score-recommendations": "rank for every user",
    "score-cart_recommendations": "rank what completes carts", "score-ad_audiences": "make audiences",
    "score-user_profiles": "make profiles", "score-page_layouts": "make page layouts",
    "score-review_sentiment": "read reviews", "score-open_questions": "group open questions",
    "balance": "balance the lists", "place": "fill the ad slots", "answers": "answer what is asked most",
    "audit": "judge the staged tables", "publish": "publish",
}  # fmt: skip


@dataclass(frozen=True)
class Notes:
    """What a night noted, by stage."""

    night: Night

    @cached_property
    def tags(self) -> dict[str, str]:
        """The night's own tags."""
        return last_values(self.night.record, "tags")

    @cached_property
    def stages(self) -> list[str]:
        """Stages that left notes, in the night's order."""
        noted = {path.name for path in (self.night.record / RUNS).glob("*") if path.is_dir()}
        return [name for name in STAGES if name in noted]

    def of(self, stage: str, kind: str) -> dict[str, Any]:
        """A stage's `metrics`, `params` or `tags`, the last of each name."""
        return last_values(self.night.record / RUNS / stage, kind)

    def file(self, stage: str, name: str) -> Any:
        """A JSON file that a stage kept; an empty list when there is none."""
        path = self.night.record / RUNS / stage / FILES / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    @property
    def is_published(self) -> bool:
        """Whether the night's snapshot is out, even where a later stage failed."""
        ended = self.tags.get("status") == "published" or self.tags.get("failed_stage") == "report"
        return ended and "snapshot" in self.tags
