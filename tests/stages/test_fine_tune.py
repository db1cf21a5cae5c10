"""Which training a name starts."""

from datetime import date

import pytest

from pipeline.errors import ConfigError
from pipeline.learning import harness
from pipeline.record import JsonRecorder
from pipeline.settings import Night, load_shop
from pipeline.stages import fine_tune


@pytest.mark.parametrize("item", ["horoscopes", "", None])
def test_an_unknown_model_is_named_with_the_known(item, tmp_path):
    night = Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)
    with pytest.raises(ConfigError, match="recommendations, audiences, sentiment, answers"):
        fine_tune.run(night, item, JsonRecorder(tmp_path / "r"), lambda *_: None)


@pytest.mark.parametrize("item", ["recommendations", "audiences", "sentiment", "answers"])
def test_dice_are_settled_before_the_named_model_trains(item, tmp_path, monkeypatch):
    night, called = Night(load_shop("grocer"), date(2017, 3, 31), tmp_path), []
    monkeypatch.setattr(harness, "settle", lambda seed, threads: called.append((seed, threads)))
    monkeypatch.setitem(fine_tune.MODELS, item, lambda *_: called.append(item) or {"version": "v"})
    assert fine_tune.run(night, item, JsonRecorder(tmp_path / "r"), lambda *_: None) == {"version": "v"}
    assert called == [(night.shop.seed, night.shop.threads), item]
