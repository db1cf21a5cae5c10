"""The two tables about reviews: without any, without a model, with one that reads; what was read is not read again."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from pipeline.balance import coherence
from pipeline.contracts.tables import TABLES
from pipeline.learning import champions
from pipeline.models import sentiment
from pipeline.record import JsonRecorder, last_values
from pipeline.settings import Night, load_shop
from pipeline.stages import desk, fine_tune_sentiment, judge, review_inputs, score_sentiment
from pipeline.warehouse.staging import Staging

DAY = date(2017, 3, 31)


@pytest.fixture
def night(tmp_path):
    night = Night(load_shop("grocer"), DAY, tmp_path)
    desk.note(night, "start", {"current": None, "parent": None})
    return night


def landed(words, stars):
    count = len(words)
    return pa.table(
        {
            "review_id": [f"r{n:03}" for n in range(count)],
            "user_key": ["0123456789abcdef" * 2] * count,
            "item_id": ["tea" if n % 2 else "cup" for n in range(count)],
            "ts": [datetime(2017, 3, 1, tzinfo=UTC)] * count,
            "day": [date(2017, 3, 1)] * count,
            "stars": pa.array(stars, pa.float64()),
            "text": words,
            "language": pa.array([None] * count, pa.string()),
            "review_kind": ["review"] * count,
        }
    )


def handed_over(monkeypatch, table):
    monkeypatch.setattr(review_inputs, "reviews", lambda _night: table)


def staged(night):
    staging = Staging.open(night.warehouse, night.day, night.run)
    facts = score_sentiment.run(night, staging, lambda *_: None)
    tables = [staging.read(name) for name in ("review_sentiment", "item_sentiment")]
    for table, name in zip(tables, ("review_sentiment", "item_sentiment"), strict=True):
        assert table.schema.equals(TABLES[name].schema)
    return facts, *tables


def test_a_shop_without_reviews_trains_nothing_and_suppresses_nothing(night, tmp_path):
    recorder = JsonRecorder(tmp_path / "r")
    told = fine_tune_sentiment.run(night, recorder, lambda *_: None)
    assert told == {"champion": None, "no_input": "the shop hands over no reviews"}
    assert last_values(recorder.folder, "tags") == {}
    facts, reviews, items = staged(night)
    assert len(reviews) == len(items) == 0
    assert facts["disliked"] is None


def test_without_a_model_stars_say_what_a_review_says(night, monkeypatch):
    handed_over(monkeypatch, landed(["awful", "fine", "", ""] * 6, [1.0, 5, 2, None] * 6))
    desk.note(night, "judgement", {"sentiment": {"serves": None, "why": "too few"}})
    facts, reviews, items = staged(night)
    assert reviews["polarity"].to_pylist() == ["negative", "positive", "negative"] * 6
    assert reviews["polarity_probability"].null_count == len(reviews) == 18
    assert facts["disliked"] == ["cup"]
    assert facts["fallback"] == "by the stars given alone: too few"
    assert items["item_id"].to_pylist() == ["cup", "tea"]


class Reader:
    """Reads every text that has the word good as five stars."""

    classes, calls = ("1", "5"), 0

    def encode(self, texts):
        self.calls += len(texts)
        return self.glance(texts)

    def glance(self, texts):
        good = np.array(["good" in text for text in texts])
        return np.stack([np.where(good, 0.1, 0.9), np.where(good, 0.9, 0.1)], 1)


def test_a_text_is_read_once_by_a_version_and_words_count_where_no_stars_are(night, monkeypatch):
    reader = Reader()
    monkeypatch.setattr(champions, "folder", lambda *_: night.models)
    monkeypatch.setattr(sentiment, "load", lambda *_: reader)
    words = ["the taste is good, the box is bad", "the taste is bad"] * 10 + ["good indeed", "bad indeed"] * 20
    handed_over(monkeypatch, landed(words, [None] * 60))
    desk.note(night, "judgement", {"sentiment": {"serves": "a" * 12, "why": ""}})
    _facts, reviews, items = staged(night)
    assert reader.calls == 4
    facts, again, _items = staged(night)
    assert reader.calls == 4
    assert again.equals(reviews)
    assert set(reviews["model_version"].to_pylist()) == {"a" * 12}
    assert reviews["expected_stars"].to_pylist() == [4.6, 1.4] * 30
    rows = {(row["item_id"], row["aspect"]): row for row in items.to_pylist()}
    assert rows["cup", "(all)"]["share_positive"] == 1
    assert rows["tea", "(all)"]["is_suppressed"]
    assert facts["disliked"] == ["tea"]
    assert rows["cup", "box"]["negative_mentions"] == 10
    spans = rows["cup", "box"]["evidence"]
    text = "the taste is good, the box is bad"
    assert {text[one["start"] : one["stop"]] for one in spans} == {" the box is bad"}


def test_few_new_reviews_train_nothing_and_the_champion_reads_on(night, monkeypatch, tmp_path):
    version = champions.keep(
        night.models, "sentiment", lambda folder: champions.write_json(folder / "config.json", {"learned": 99})
    )
    monkeypatch.setattr(desk, "champion", lambda *_: version)
    handed_over(monkeypatch, landed([f"review {n}" for n in range(100)], [5.0] * 100))
    told = fine_tune_sentiment.run(night, JsonRecorder(tmp_path / "r"), lambda *_: None)
    assert "99 were known" in told["kept"]
    assert judge.judge_sentiment(told, night.shop.thresholds).serves == version


def test_reviews_that_teach_are_opinions_with_stars_each_text_once():
    table = landed(["a", "b", "a", "", "c"], [1.0, None, 4.6, 5, 2])
    rated = review_inputs.rated(table)
    assert rated.texts == ["a", "c"]
    assert rated.truth.tolist() == [4, 1]


def test_what_is_disliked_is_shown_to_nobody():
    facts = coherence.Facts(
        np.array([True, True, False]), np.ones(3, bool), None, 1, {}, np.array([True, False, False])
    )
    assert facts.showable.tolist() == [False, True, False]
