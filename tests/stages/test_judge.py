"""Which version serves: every branch of the judgement, and the refusal without thresholds."""

import json
from datetime import date

import pytest

from pipeline.errors import Refused
from pipeline.learning.champions import Judgement
from pipeline.record import FILES, JsonRecorder, last_values
from pipeline.settings import Night, Thresholds, load_shop
from pipeline.stages import desk, judge

NEW, OLD = "c" * 12, "0" * 12
LIMITS = Thresholds(
    recommendations_min_ndcg_gain=0.0,
    recommendations_max_champion_loss=0.02,
    encoder_min_recall_gain=0.002,
    audiences_min_auc_gain=0.01,
    audiences_max_calibration_error=0.05,
)


def lists(fused, champion=None, best=0.20):
    ndcg = {"fused": fused, "personal_frequency": best, "popularity": 0.1}
    return {
        "challenger": NEW,
        "champion": OLD if champion is not None else None,
        "best_baseline": "personal_frequency",
        "ndcg": ndcg | ({"champion": champion} if champion is not None else {}),
        "gain": [fused - best, fused - best - 0.01, fused - best + 0.01],
    }


@pytest.mark.parametrize(
    ("facts", "verdict", "serves"),
    [
        (lists(0.25), "promoted", NEW),
        (lists(0.20), "baseline", None),
        (lists(0.19), "baseline", None),
        (lists(0.25, champion=0.25), "promoted", NEW),
        (lists(0.30, champion=0.25), "promoted", NEW),
        (lists(0.246, champion=0.25), "promoted", NEW),  # 1.6 % lost, 2 % allowed
        (lists(0.24, champion=0.25), "kept", OLD),
        (lists(0.18, champion=0.25), "kept", OLD),
        (lists(0.199, champion=0.201), "kept", OLD),  # hardly worse than the champion, but no better than the baseline
        (lists(0.10, champion=0.15), "baseline", None),  # both worse than the baseline
        (lists(0.19, champion=0.19), "baseline", None),
    ],
)
def test_lists_must_beat_the_best_baseline_and_not_lose_to_the_champion(facts, verdict, serves):
    found = judge.judge_recommendations(facts, LIMITS)
    assert (found.verdict, found.serves) == (verdict, serves)
    assert (found.challenger, found.champion) == (NEW, facts["champion"])
    assert f"{facts['ndcg']['fused']:.4f}" in found.why
    assert "personal frequency" in found.why


def test_a_champion_to_which_little_has_come_serves_on():
    facts = lists(0.25) | {"challenger": None, "champion": OLD, "kept": "little has come"}
    found = judge.judge_recommendations(facts, LIMITS)
    assert (found.verdict, found.challenger, found.champion, found.serves) == ("kept", OLD, OLD, OLD)
    assert found.why.startswith("NDCG@10 0.2500") and found.why.endswith("little has come")


def test_the_gain_asked_for_is_relative_to_the_baseline():
    asked = LIMITS.model_copy(update={"recommendations_min_ndcg_gain": 0.10})
    assert judge.judge_recommendations(lists(0.219), asked).verdict == "baseline"
    assert judge.judge_recommendations(lists(0.221), asked).verdict == "promoted"


def responses(gain, ece, champion=None):
    return {
        "challenger": NEW, "champion": champion, "auc": 0.7, "gain": [gain, gain - 0.02, gain + 0.02], "ece": ece,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "verdict", "serves"),
    [
        (responses(0.10, 0.01), "promoted", NEW),
        (responses(0.10, 0.05), "promoted", NEW),
        (responses(0.01, 0.01), "refused", None),
        (responses(0.10, 0.06), "refused", None),
        (responses(-0.10, 0.01, champion=OLD), "kept", OLD),
        (responses(0.10, 0.30, champion=OLD), "kept", OLD),
        (responses(0.10, 0.01, champion=OLD), "promoted", NEW),
        ({"refused": "no campaign"}, "refused", None),
        ({**responses(0.1, 0.01), "refused": "no responses"}, "refused", None),
    ],
)
def test_the_response_model_must_rank_better_and_be_calibrated(facts, verdict, serves):
    found = judge.judge_audiences(facts, LIMITS)
    assert (found.verdict, found.serves) == (verdict, serves)
    assert found.why == facts["refused"] if "refused" in facts else "calibration error" in found.why


@pytest.fixture
def night(tmp_path):
    night = Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)
    desk.note(night, "start", {"current": None, "parent": None})
    desk.note(night, "judgement-encoder", Judgement("encoder", "kept", NEW, OLD, OLD, "no gain").as_dict())
    desk.note(night, "measured-recommendations", lists(0.25))
    desk.note(night, "measured-audiences", {"refused": "no campaign"})
    desk.note(night, "measured-sentiment", {"champion": None, "no_input": "no reviews"})
    desk.note(night, "measured-answers", {"champion": None, "no_input": "no dialogues"})
    desk.note(night, "measured-asking", {"champion": NEW, "kept": "examples are as they were"})
    desk.note(night, "measured-phrasing", {"champion": None, "no_input": "no generator"})
    return night


def test_all_verdicts_are_kept_for_the_stages_after_and_for_the_record(night, tmp_path):
    recorder = JsonRecorder(tmp_path / "record")
    told = judge.run(night, None, recorder, lambda *_: None)
    assert told == {"encoder": "kept", "recommendations": "promoted", "audiences": "refused", "asking": "kept"}
    kept = desk.noted(night, "judgement")
    assert {model: facts["serves"] for model, facts in kept.items()} == {
        "encoder": OLD, "recommendations": NEW, "audiences": None, "asking": NEW,
    }  # fmt: skip
    facts = json.loads((recorder.folder / FILES / "judgement.json").read_text())
    assert [one["model"] for one in facts] == ["encoder", "recommendations", "audiences", "asking"]
    assert last_values(recorder.folder, "tags")["verdict/audiences"] == "refused"


def test_a_champion_that_was_left_is_told_of(night, tmp_path, monkeypatch):
    monkeypatch.setattr(desk, "left", lambda _: {"recommendations": OLD})
    recorder = JsonRecorder(tmp_path / "record")
    judge.run(night, None, recorder, lambda *_: None)
    told = last_values(recorder.folder, "tags")
    assert told["lineage/left"] == f"recommendations/{OLD}"
    assert [model for model in ("encoder", "recommendations") if "erased" in told[f"verdict/{model}/why"]] == [
        "recommendations"
    ]


def test_without_thresholds_nothing_is_judged_good(night, tmp_path):
    unjudged = Night(night.shop.model_copy(update={"thresholds": None}), night.day, night.home)
    with pytest.raises(Refused, match="no thresholds"):
        judge.run(unjudged, None, JsonRecorder(tmp_path / "record"), lambda *_: None)
    assert not (night.work / "judgement.json").exists()


def read(**facts):
    usual = {"challenger": NEW, "champion": None, "gain": [0.1, 0.05, 0.15], "accuracy": 0.9, "ece": 0.02, "flips": 0}
    return usual | facts


@pytest.mark.parametrize(
    ("facts", "verdict", "serves"),
    [
        (read(), "promoted", NEW),
        (read(gain=[0.0, -0.1, 0.1]), "refused", None),
        (read(ece=0.2), "refused", None),
        (read(champion=OLD), "promoted", NEW),
        (read(champion=OLD, flips=0.06), "kept", OLD),
        (read(champion=OLD, gain=[-0.1, -0.2, 0]), "kept", OLD),
        ({"champion": OLD, "kept": "few reviews have come"}, "kept", OLD),
        ({"champion": None, "refused": "too few", "kept": "too few"}, "refused", None),
    ],
)
def test_a_reader_serves_when_it_reads_and_keeps_what_was_right(facts, verdict, serves):
    for model, rule in (("sentiment", judge.judge_sentiment), ("answers", judge.judge_answers)):
        found = rule(facts, LIMITS)
        assert (found.model, found.verdict, found.serves) == (model, verdict, serves)
        assert found.why


def worded(**facts):
    usual = {"challenger": NEW, "champion": None, "accepted": 0.9, "accepted_new": 0.6, "unsupported": 0.0, "flips": 0}
    return usual | facts


@pytest.mark.parametrize(
    ("facts", "verdict", "serves"),
    [
        (worded(), "promoted", NEW),
        (worded(accepted_new=0.49), "refused", None),
        (worded(unsupported=0.011), "refused", None),
        (worded(champion=OLD), "promoted", NEW),
        (worded(champion=OLD, flips=0.11), "kept", OLD),
        ({"champion": OLD, "kept": "wordings are as they were"}, "kept", OLD),
    ],
)
def test_what_words_the_chat_serves_when_it_can_and_adds_nothing(facts, verdict, serves):
    found = judge.judge_phrasing(facts, LIMITS)
    assert (found.model, found.verdict, found.serves) == ("phrasing", verdict, serves)
    assert found.why


def test_a_judged_wording_is_among_what_serves(night, tmp_path):
    desk.note(night, "measured-phrasing", worded())
    assert judge.run(night, None, JsonRecorder(tmp_path / "record"), lambda *_: None)["phrasing"] == "promoted"


@pytest.mark.parametrize(
    ("facts", "verdict", "serves"),
    [
        (read(), "promoted", NEW),
        (read(champion=OLD, ece=0.5), "promoted", NEW),
        (read(champion=OLD, gain=[0.0, -0.1, 0.1]), "refused", None),  # the champion reads by another encoder
        ({"champion": OLD, "kept": "examples are as they were"}, "kept", OLD),
    ],
)
def test_what_tells_questions_apart_serves_when_it_tells_more_than_the_commonest(facts, verdict, serves):
    found = judge.judge_asking(facts, LIMITS)
    assert (found.model, found.verdict, found.serves) == ("asking", verdict, serves)
