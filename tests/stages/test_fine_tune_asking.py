"""What questions ask is learned when examples or encoder change, and kept for the chat."""

from datetime import date

import pytest

from pipeline.answering import asking, kinds
from pipeline.answering.asking import NAME
from pipeline.learning import champions
from pipeline.record import JsonRecorder, last_values
from pipeline.settings import Night, load_shop
from pipeline.stages import desk, fine_tune_asking


@pytest.fixture
def night(tmp_path):
    return Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)


def learn(night, tmp_path, champion=None, encoder=None):
    desk.note(night, "start", {"current": None, "parent": None})
    desk.note(night, "judgement-encoder", {"serves": encoder})
    recorder = JsonRecorder(tmp_path / "record")
    return fine_tune_asking.run(night, recorder, lambda *_: None), last_values(recorder.folder, "metrics")


def test_it_is_learned_kept_measured_and_not_learned_again(night, tmp_path, monkeypatch):
    facts, metrics = learn(night, tmp_path)
    version = facts["challenger"]
    kept = kinds.load(champions.folder(night.models, NAME, version))
    assert kept.names == asking.learned().names
    assert asking.Asking(kept).of("how much is item") == asking.Asking().of("how much is item")
    assert metrics["accuracy/asking"] == facts["accuracy"] > metrics["accuracy/commonest"]
    assert facts["gain"][1] > 0
    assert desk.noted(night, f"measured-{NAME}") == facts
    monkeypatch.setattr(desk, "champion", lambda _night, _model: version)
    again, _ = learn(night, tmp_path)
    assert again == {"champion": version, "kept": "examples and encoder are those it was taught by"}


def test_another_encoder_is_learned_by(night, tmp_path, monkeypatch, tiny_bert):
    first, _ = learn(night, tmp_path)
    monkeypatch.setattr(desk, "champion", lambda _night, _model: first["challenger"])
    folder = champions.folder
    monkeypatch.setattr(champions, "folder", lambda *of: tiny_bert if of[1] == "encoder" else folder(*of))
    facts, _ = learn(night, tmp_path, encoder="e" * 12)
    version = facts["challenger"]
    assert version != first["challenger"]
    assert kinds.load(champions.folder(night.models, NAME, version)).meaning is not None
