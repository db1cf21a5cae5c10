"""What share of purchases has come since a model was last taught."""

from dataclasses import replace
from datetime import date, timedelta
from math import inf
from types import SimpleNamespace

import pyarrow as pa
import pytest

from pipeline.learning import lineage
from pipeline.learning.lineage import Lesson
from pipeline.settings import Night, load_shop
from pipeline.stages import desk, fresh

DAY, MODEL = date(2017, 3, 31), "recommendations"


def ago(days):
    return DAY - timedelta(days)


@pytest.fixture
def night(tmp_path, monkeypatch):
    night = Night(load_shop("grocer"), DAY, tmp_path)
    desk.write(night, desk.LINES, pa.table({"ds": [ago(back) for back in (0, 1, 1, 2, 3, 4, 5, 6, 7, 7)]}))
    manifest = SimpleNamespace(day=ago(1), policy_hash=night.shop.policy_hash)
    monkeypatch.setattr(desk, "parent", lambda night: SimpleNamespace(manifest=manifest))
    return night


@pytest.mark.parametrize(("back", "share"), [(1, 1 / 9), (2, 3 / 7), (7, 4), (8, inf)])
def test_what_came_is_held_against_what_was_known(night, back, share):
    lineage.note(night.models, f"{MODEL}/v", Lesson(ago(back)))
    assert fresh.share(night, MODEL) == pytest.approx(share)


def test_the_newest_lesson_counts_of_the_nights_before_this_one(night):
    for number, back in enumerate((7, 2, 5, 0)):  # the last one is of this night, which is run again
        lineage.note(night.models, f"{MODEL}/{number}", Lesson(ago(back)))
    lineage.note(night.models, "encoder/e", Lesson(ago(1)))
    assert fresh.share(night, MODEL) == pytest.approx(3 / 7)


def test_under_other_settings_everything_is_new(night):
    lineage.note(night.models, f"{MODEL}/v", Lesson(ago(1)))
    other = replace(night, shop=night.shop.model_copy(update={"seed": night.shop.seed + 1}))
    assert fresh.share(other, MODEL) == inf > fresh.share(night, MODEL)


def test_of_a_model_that_was_never_taught_everything_is_new(night):
    lineage.note(night.models, f"{MODEL}/frozen", Lesson(date.min))
    assert fresh.share(night, MODEL) == inf == fresh.share(night, "encoder")
