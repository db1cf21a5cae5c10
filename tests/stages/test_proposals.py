"""What a search proposes: one night judges it, a rerun meets it again, and its settings outlive its weights."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from pipeline.learning import champions, lineage
from pipeline.settings import Night, load_shop
from pipeline.stages import desk, proposals
from tests.conftest import DAY


@pytest.fixture
def night(tmp_path):
    return Night(load_shop("grocer"), DAY, tmp_path)


def on(night, day):
    return Night(night.shop, DAY + timedelta(day), night.home)


@pytest.mark.parametrize(
    ("parent", "tonight", "version"),
    [
        (None, 1, "v0"),  # no night was published yet
        (0, 1, "v0"),  # the night after
        (-1, 1, "v0"),  # the night between failed
        (0, 3, "v2"),  # the newest of several
        (1, 2, None),  # the night of day 1 judged it
        (1, 3, "v2"),
        (0, 0, None),  # a backfill of its day or of an earlier one must not know of it
        (-5, -4, None),
    ],
)
def test_the_first_night_after_it_judges_it(night, monkeypatch, parent, tonight, version):
    for day in (0, 2):
        proposals.leave(on(night, day), "sentiment", {"version": f"v{day}"})
    before = None if parent is None else SimpleNamespace(manifest=SimpleNamespace(day=DAY + timedelta(parent)))
    monkeypatch.setattr(desk, "parent", lambda _night: before)
    assert proposals.due(on(night, tonight), "sentiment") == version
    assert proposals.due(on(night, tonight), "audiences") is None
    lineage.mark(night.models, [f"sentiment/{version}"])
    assert proposals.due(on(night, tonight), "sentiment") is None


def test_what_was_found_is_gone_on_by_until_another_shops_settings_say_otherwise(night, tmp_path):
    found = {"max_tokens": 24, "training": {"method": "lora", "learning_rate": 3e-4, "warm_learning_rate": 6e-5}}
    searched = champions.keep(
        night.models, "sentiment", lambda folder: champions.write_json(folder / proposals.SEARCHED, found)
    )
    told, own = proposals.settings(night, searched), night.shop.reader
    assert (told.max_tokens, told.training.method, told.training.learning_rate) == (24, "lora", 3e-4)
    assert (told.training.steps, told.checkpoint, told.floor) == (own.training.steps, own.checkpoint, own.floor)
    assert proposals.settings(night, None) == own

    model = SimpleNamespace(save=lambda folder: (folder / "weights.json").write_text("{}"))
    before = champions.folder(night.models, "sentiment", searched)
    later = champions.keep(night.models, "sentiment", lambda folder: proposals.save(model, before, folder))
    assert proposals.settings(night, later) == told
    plain = champions.keep(night.models, "sentiment", lambda folder: proposals.save(model, None, folder))
    assert proposals.settings(night, plain) == own
