"""A search: it begins with the shop's own settings, prunes, stops in time, and each trial leaves its record."""

import pytest

from pipeline.errors import NoData
from pipeline.learning import tuning
from pipeline.learning.tuning import LOSS, Budget
from pipeline.record import last_values, read_notes

FIRST = {"x": 5.0}


def suggest(trial):
    return {"x": trial.suggest_float("x", -10, 10)}


def parabola(settings, recorder):
    """Three evaluations, each nearer to what the settings are worth."""
    for more in (2, 1, 0):
        recorder.metrics({LOSS: (settings["x"] - 1) ** 2 + more, "train/loss": 0.5}, step=3 - more)


def search(tmp_path, train=parabola, minutes=5.0, most=25, seed=0):
    budget = Budget.of(minutes)
    return tuning.search(suggest, train, FIRST, budget=budget, record=tmp_path, seed=seed, most=most)


def test_the_best_of_all_trials_is_found_and_the_first_is_the_shops_own(tmp_path):
    found = search(tmp_path)
    assert found.first == 16
    assert found.loss == pytest.approx((found.settings["x"] - 1) ** 2)
    assert found.loss < 1
    assert sum(found.trials.values()) == 25
    assert found.trials["pruned"] > 0
    assert last_values(tmp_path / "trial-000", "params") == {"tuning": FIRST}


def test_each_trial_leaves_its_curve_and_how_it_ended(tmp_path):
    found = search(tmp_path)
    folders = sorted(tmp_path.glob("trial-*"))
    assert [folder.name for folder in folders] == [f"trial-{n:03}" for n in range(25)]
    states = [last_values(folder, "tags")["trial/state"] for folder in folders]
    assert {state: states.count(state) for state in set(states)} == found.trials
    curve = [note["values"][LOSS] for note in read_notes(folders[0]) if LOSS in note["values"]]
    assert curve == [18, 17, 16]
    ended = [len([note for note in read_notes(folder) if LOSS in note["values"]]) for folder in folders]
    assert all((length < 3) == (state == "pruned") for length, state in zip(ended, states, strict=True))
    assert "stage/seconds" in last_values(folders[-1], "metrics")


def test_a_seed_repeats_it(tmp_path):
    assert search(tmp_path / "a") == search(tmp_path / "b")
    assert search(tmp_path / "a").settings != search(tmp_path / "c", seed=1).settings


def test_the_budget_ends_it_within_a_trial_but_never_the_first(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(tuning, "perf_counter", lambda: clock[0])

    def slow(settings, recorder):
        for _ in range(20):
            clock[0] += 1
            recorder.metrics({LOSS: 1.0})

    assert search(tmp_path, slow, minutes=45 / 60).trials == {"complete": 2, "out of time": 1}
    assert search(tmp_path, slow, minutes=5 / 60).trials == {"complete": 1, "out of time": 1}


def test_nothing_to_choose_by_is_said(tmp_path):
    with pytest.raises(NoData, match="too few texts"):
        search(tmp_path, lambda settings, recorder: None, most=2)
