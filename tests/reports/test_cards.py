"""Both cards: well-formed, self-contained, true to the record, and silent on few people."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.record import JsonRecorder
from pipeline.reports import cards
from pipeline.settings import Night
from pipeline.stages.gate import note_json
from tests.reports.conftest import stage
from tests.reports.test_night import Page

GAP = {"attribute": "age_band", "measure": "accuracy", "group": "<65+>", "users": 340, "mean": 0.31, "gap": -0.02,
       "low": -0.05, "high": 0.01}  # fmt: skip
LEAK = {"attribute": "age_band", "group": "65+", "users": 900, "auc": 0.53, "low": 0.5, "high": 0.56}
KIND = {"axis": "price_band", "group_name": "value", "goods": 40, "exposure_share": 0.5, "merit_share": 0.4,
        "exposure_ratio": 1.25, "exposure_penalty": -0.1}  # fmt: skip
FOUND = {"audit": "gap_accuracy", "cases": 9, "violations": 0, "worst": 0.02, "sentence": "no group differs."}


def read(paths: tuple[Path, Path]) -> tuple[Page, Page]:
    one, two = (Page(path.read_text(encoding="utf-8")) for path in paths)
    return one, two


@pytest.fixture
def told(write_record: Callable[..., Night]) -> tuple[Page, Page]:
    night = write_record()
    recorder = JsonRecorder(night.record / "runs" / "audit")
    note_json(recorder, "audits", [FOUND])
    agreed = {"known": 900, "agree to a personalised shop": 12}
    note_json(recorder, "audit_groups", {"agreed": agreed, "gaps": [GAP], "leakage": [LEAK], "exposure": [KIND]})
    return read(cards.render(night))


def test_cards_need_no_network_and_can_be_heard(told: tuple[Page, Page]) -> None:
    for card in told:
        assert "http" not in card.source and not card.all("script") and not card.all("link")
        assert len(card.all("table")) == len(card.all("caption"))
        assert card.all("html") == [{"lang": "en"}]


def test_the_model_card_says_what_models_are_for_how_they_fare_and_for_whom(told: tuple[Page, Page]) -> None:
    model, _ = told
    for words in ("0.300", "Not meant for".lower(), "<65+>", "-0.020", "0.530", "1.25", "no group differs", "c" * 12):
        assert words in model.text or words.capitalize() in model.text, words
    assert "<65+>" not in model.source, "names are escaped"


def test_the_data_card_says_what_came_from_whom_and_tells_of_no_few(told: tuple[Page, Page]) -> None:
    _, data = told
    for words in (
        "1,100",
        "the item is in no catalogue",
        "made up for <tests>",
        "fewer than 30 people",
        "900 people",
        "age_band",
    ):
        assert words in data.text, words
    assert "12 people" not in data.text
    assert "Not handed over" in data.text and "reviews" in data.text


def test_a_night_that_was_stopped_early_has_its_cards_too(night: Night) -> None:
    JsonRecorder(night.record).tags({"status": "failed", "failed_stage": "ingest"})
    stage(night, "ingest")
    model, data = read(cards.render(night))
    assert "The night was not audited." in model.text and "Failed" in data.text


def test_every_model_that_a_page_tells_of_has_its_use() -> None:
    from pipeline.reports import plots

    assert set(cards.USES) == set(plots.MODELS)
