"""Which table a name stages, and what is noted of it."""

from datetime import date

import pytest

from pipeline.errors import ConfigError
from pipeline.learning import harness
from pipeline.nightly import STAGES
from pipeline.record import JsonRecorder, last_values
from pipeline.settings import Night, load_shop
from pipeline.stages import audit, desk, score


@pytest.fixture
def night(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "settle", lambda seed, threads: None)
    return Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)


@pytest.mark.parametrize("item", ["horoscopes", "", None])
def test_an_unknown_table_is_named_with_the_known(item, night, tmp_path):
    with pytest.raises(ConfigError, match="recommendations, cart_recommendations, ad_audiences, user_profiles"):
        score.run(night, item, JsonRecorder(tmp_path / "r"), lambda *_: None)


def test_the_list_of_stages_scores_every_table_that_is_audited():
    (stage,) = (stage for stage in STAGES if stage.name == "score")
    assert stage.over == tuple(score.TABLES) == audit.SCORED


def test_rows_and_reasons_are_kept_for_the_audit(night, tmp_path, monkeypatch):
    facts = {"rows": {"recommendations": 4}, "fallback": "no model"}
    monkeypatch.setitem(score.TABLES, "recommendations", lambda *_: facts)
    recorder = JsonRecorder(tmp_path / "r")
    assert score.run(night, "recommendations", recorder, lambda *_: None) == facts
    assert desk.noted(night, "scored-recommendations") == facts
    assert last_values(recorder.folder, "metrics") == {"rows/recommendations": 4.0}
