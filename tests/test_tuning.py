"""A week's search, small: the language is learned, trials run, and the winner waits for the next night's judge."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from pipeline import tracking, tuning
from pipeline.errors import NoData
from pipeline.learning import champions, forms
from pipeline.models import sentiment
from pipeline.models.text_classifier import WEIGHTS, TextClassifier
from pipeline.record import RUNS, JsonRecorder, last_values
from pipeline.settings import Night, Training, load_shop
from pipeline.stages import desk, fine_tune_sentiment, judge, proposals, review_inputs, tune

DAY = date(2017, 3, 31)
RATES = Training(
    steps=6, warm_steps=2, batch_size=16, learning_rate=2e-3, warm_learning_rate=1e-3, eval_steps=3, patience=3
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory, tiny_bert):
    """One search of five trials over 160 reviews, and what it told."""
    home = tmp_path_factory.mktemp("tuned")
    shop = load_shop("grocer").model_copy(update={"threads": 1})
    reader = shop.sentiment.model_copy(
        update={"checkpoint": f"path:{tiny_bert}", "max_tokens": 16, "trained_layers": 1, "training": RATES}
    )
    night = tuning.of(Night(shop.model_copy(update={"sentiment": reader}), DAY, home))
    words = ["good and fresh", "fine and good", "stale and bad", "bad and bitter"]
    table = pa.table(
        {
            "text": [f"{words[n % 4]} tea, number {n}" for n in range(160)],
            "stars": pa.array([5.0 if n % 4 < 2 else 1.0 for n in range(160)]),
            "review_kind": ["review"] * 160,
            "ts": [datetime(2017, 3, 1, tzinfo=UTC)] * 160,
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(review_inputs, "reviews", lambda _night: table)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        shipped, ship = [], tracking.ship
        patch.setattr(tracking, "ship", shipped.append)
        adapted = tuning.adapt(night)
        whole = tune.search
        patch.setattr(tune, "search", lambda *given: whole(*given, most=5))
        told = tuning.search(night, 5)
        assert shipped == [night]
        patch.setattr(tracking, "ship", ship)
        yield night, adapted, told


def test_the_language_is_kept_as_a_checkpoint_and_the_judged_are_not_read(searched):
    night, adapted, _ = searched
    assert adapted["texts"] == 160 - 24
    assert (champions.folder(night.models, "domain", adapted["version"]) / "config.json").is_file()


def test_the_record_holds_both_steps_and_every_trial(searched):
    night, _, told = searched
    runs = sorted(path.name for path in (night.record / RUNS).iterdir())
    assert runs == ["fine_tune-domain", "fine_tune-search", *(f"trial-{n:03}" for n in range(5))]
    assert last_values(night.record, "tags")["status"] == "tuned"
    assert sum(told["trials"].values()) == 5
    assert told["loss"] <= told["first"]
    assert last_values(night.record / RUNS / "fine_tune-search", "tags")["model/version"] == told["version"]


def test_it_is_shipped_as_one_run_with_a_nested_one_for_each_trial(searched):
    from pipeline.tracking import client

    night, *_ = searched
    assert tracking.ship(night, 600)
    opened = client.connect(night.home, 60)
    found = opened.search_runs([client.experiment(opened, night.home, night.shop.name)], "")
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.status == "FINISHED"
    nested = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(nested) == len(found) - 1 == 7
    assert sum("trial/state" in run.data.tags for run in nested) == 5
    assert last_values(night.record, "tags")["mlflow"] == parent.info.run_id


def test_the_winner_is_the_next_nights_challenger_and_is_judged_as_any(searched, tmp_path):
    night, _, told = searched
    tonight = Night(night.shop, date(2017, 4, 1), night.home)
    desk.note(tonight, "start", {"current": None, "parent": None})
    recorder = JsonRecorder(tmp_path / "r")
    fine_tune_sentiment.run(tonight, recorder, lambda *_: None)
    facts = desk.noted(tonight, "measured-sentiment")
    assert facts["challenger"] == told["version"]
    assert judge.judge_sentiment(facts, night.shop.thresholds).challenger == told["version"]
    assert last_values(tmp_path / "r", "tags")["model/version"] == told["version"]
    folder = champions.folder(night.models, "sentiment", told["version"])
    assert sentiment.load(folder, night.home).probabilities(["a good tea"]).shape == (1, 2)
    assert champions.config(folder)["checkpoint"] == night.shop.reader.checkpoint
    method = proposals.settings(tonight, told["version"]).training.method
    assert forms.read(folder / WEIGHTS).method == method == told["settings"]["method"]


def test_from_the_shops_language_what_is_kept_holds_all_of_it(searched, tmp_path):
    night, *_ = searched
    study = tune.Study(night, None, 2, None)
    assert sorted(study.starts) == ["domain", "pretrained"]
    begun = TextClassifier(study.starts["domain"], 2, 16)
    begun.tune_top(1)
    begun.save(tmp_path)
    again = TextClassifier(study.starts["pretrained"], 2, 16)
    plain = again.states(["a good tea"])
    again.read(tmp_path)
    assert (again.states(["a good tea"]) == begun.states(["a good tea"])).all()
    assert (again.states(["a good tea"]) != plain).any()


def test_a_shop_without_reviews_ends_at_once_and_one_without_a_night_says_so(tmp_path, monkeypatch):
    night = Night(load_shop("grocer"), DAY, tmp_path)
    with pytest.raises(NoData, match="no night"):
        tuning.newest(night)
    monkeypatch.setattr(tracking, "ship", lambda one: None)
    monkeypatch.setattr(review_inputs, "reviews", lambda _night: None)
    week = tuning.of(night)
    assert "no reviews" in tuning.adapt(week)["no_input"]
    assert "no reviews" in tuning.search(week, 1)["no_input"]
    assert last_values(week.record, "tags")["status"] == "tuned"


def test_a_failure_is_told_in_the_record(tmp_path, monkeypatch):
    def fail(*_):
        raise NoData("nothing here")

    week = tuning.of(Night(load_shop("grocer"), DAY, tmp_path))
    monkeypatch.setattr(tune, "adapt", fail)
    with pytest.raises(NoData):
        tuning.adapt(week)
    tags = last_values(week.record, "tags")
    assert (tags["status"], tags["failed_stage"], tags["error"]) == ("failed", "domain", "nothing here")
