"""Small settings: what a benchmark trains in minutes, a test trains in a second."""

import pytest

from pipeline.rank import neural, sequences


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "TRIALS", 2)
    training = neural.RECOMMENDER.training.model_copy(update={"steps": 20, "eval_steps": 10})
    small = {"width": 16, "history": 10, "negatives": 64, "trees": 40, "training": training}
    monkeypatch.setattr(neural, "RECOMMENDER", neural.RECOMMENDER.model_copy(update=small))
    steps = neural.ENCODER.training.model_copy(update={"steps": 2, "eval_steps": 1, "batch_size": 4})
    monkeypatch.setattr(neural, "ENCODER", neural.ENCODER.model_copy(update={"training": steps, "trained_layers": 1}))
