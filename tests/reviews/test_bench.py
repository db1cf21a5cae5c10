"""Which encoder reads a file, and how its readers are judged."""

import numpy as np

from pipeline.learning import checkpoints
from pipeline.reviews import bench


def test_the_script_of_the_texts_decides_which_encoder_reads(monkeypatch):
    monkeypatch.setattr(checkpoints, "is_at_hand", lambda _reference: True)
    assert bench.checkpoint_for(["a good tea and good food, but naïve"] * 9) == bench.ENGLISH
    assert bench.checkpoint_for(["味道不错 ok"]) == bench.ANY
    assert bench.checkpoint_for(["Очень вкусно"]) == bench.ANY
    assert bench.checkpoint_for(["123"]) == bench.ENGLISH
    monkeypatch.setattr(checkpoints, "is_at_hand", lambda _reference: False)
    assert bench.checkpoint_for(["味道不错"]) == bench.ENGLISH


def test_an_encoder_of_many_languages_is_tuned_whole_whatever_the_method(monkeypatch):
    monkeypatch.setattr(checkpoints, "is_at_hand", lambda _reference: True)
    chinese = bench.settings_for(["味道不错"], "", "lora")
    assert (chinese.checkpoint, chinese.trained_layers, chinese.training.method) == (bench.ANY, 12, "lora")
    assert bench.settings_for(["good tea"], "", "full").trained_layers == 4
    assert bench.settings_for(["味道不错"], "path:/other", "full").trained_layers == 4


def test_judged_against_the_best_baseline_on_labelled_rows_alone():
    truth = np.array([0, 1, 1, 0] * 25 + [-1] * 5)
    chance = np.eye(2)[np.where(truth < 0, 0, truth)] * 0.8 + 0.1
    poor, better = np.zeros(105, int), np.where(np.arange(105) < 10, 1 - truth, truth)
    figures, gain = bench._judge(truth, chance, {"poor": poor, "better": better, "tuned encoder alone": truth}, 0)
    assert figures[bench.OURS]["accuracy"] == 1
    assert figures["poor"]["accuracy"] == 0.5
    assert figures["better"]["macro_f1_low"] < figures["better"]["macro_f1"] < figures["better"]["macro_f1_high"]
    assert gain[0] == "better"
    assert round(gain[1], 6) == 0.1
    assert 0 < gain[2] < gain[1] < gain[3]
    assert abs(figures[bench.OURS]["calibration_error"] - 0.1) < 1e-9


def test_without_labels_nothing_is_judged():
    assert bench._judge(np.array([-1]), np.array([[0.5, 0.5]]), {}, 0) == ({}, None)
