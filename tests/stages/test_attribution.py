"""Whose churn is taken apart and whose is not; the shares are `balance.attribution`'s, the whole runs in a night."""

import json
from datetime import date
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.contracts.tables import RECOMMENDATIONS
from pipeline.record import FILES, JsonRecorder, last_values
from pipeline.settings import Night, load_shop
from pipeline.stages import attribution, desk

USERS = pa.array([f"{n:032x}" for n in range(3)])


@pytest.fixture
def scene(tmp_path):
    night = Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)
    desk.note(night, "start", {"current": None, "parent": None})
    return SimpleNamespace(night=night, before=SimpleNamespace(day=None, ids=pa.array(list("abcd"))))


@pytest.mark.parametrize(
    ("day", "serves", "told"),
    [
        (None, "f" * 12, "no baseline: there was no list before"),
        (date(2017, 3, 30), None, "no model ranked on both nights"),
    ],
)
def test_where_there_is_no_churn_to_take_apart_the_night_says_so(scene, tmp_path, day, serves, told):
    scene.before.day = day
    recorder = JsonRecorder(tmp_path / "record")
    attribution.leave(recorder, scene, serves, RECOMMENDATIONS.schema.empty_table())
    assert last_values(recorder.folder, "tags") == {"balance/attribution": told}
    assert last_values(recorder.folder, "metrics") == {}
    assert json.loads((recorder.folder / FILES / "attribution.json").read_text()) == {}


def test_what_may_not_be_shown_makes_room_for_the_next_in_order():
    rng = np.random.default_rng(5)
    allowed = rng.random(30) < 0.5
    items = np.array([rng.permutation(30)[:12] for _ in range(40)])
    items[::3, 9:] = -1
    expected = [[one for one in row if one >= 0 and allowed[one]] for row in items]
    found = attribution._open(items, allowed, 8)
    assert found.shape == (40, 8)
    for row, wanted in zip(found, expected, strict=True):
        assert row.tolist() == (wanted + [-1] * 8)[:8]


def test_what_was_published_is_places_of_the_sample_s_home_lists(scene):
    rows = [
        {"user_key": USERS[user].as_py(), "rank": rank, "item_id": item}
        for user, items in ((0, "ca"), (1, "b"), (2, "dbca"))
        for rank, item in enumerate(items, start=1)
    ]
    found = attribution._published(scene, USERS.take(pa.array([0, 2])), pa.Table.from_pylist(rows), 3)
    assert found.tolist() == [[2, 0, -1], [3, 1, 2]]
