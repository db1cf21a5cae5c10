"""Audiences of the shop's own making: who is in them, as the profiles published last night say."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline.contracts.tables import USER_PROFILES
from pipeline.errors import ConfigError
from pipeline.features.history import Items
from pipeline.privacy.keys import VARIABLE, user_key
from pipeline.settings import Night, SegmentSettings, load_shop
from pipeline.stages import segments

SECRET = "5a" * 32
NAMES = [f"{n}" for n in range(300)]
KEYS = [user_key(bytes.fromhex(SECRET), name) for name in NAMES]
USERS = pa.array(KEYS)


@pytest.fixture
def night(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, SECRET)
    monkeypatch.setattr(segments.desk, "parent", lambda night: published())
    return Night(load_shop("grocer"), date(2017, 11, 30), tmp_path)


def published():
    """Profiles of all but the last user; the first 150 have one taste, the others the opposite."""
    rows = [
        {"user_key": key, "recency_days": n, "baskets_90d": 1, "price_band": "value" if n % 2 else "premium",
         "embedding": [1.0, n / 1000] if n < 150 else [-1.0, 0.0],
         "category_affinities": [{"name": "TEA", "share": 1.0, "baskets": 1}] if n < 10 else []}
        for n, key in enumerate(KEYS[:-1])
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, pa.schema([field.with_nullable(True) for field in USER_PROFILES.schema]))
    return SimpleNamespace(manifest=SimpleNamespace(tables=[USER_PROFILES.name]), table=lambda name: table)


def chosen(segment, night):
    return np.flatnonzero(segments.members(segment, night, USERS)).tolist()


def test_by_attributes(night):
    where = "department = 'TEA' and price_band = 'value'"
    assert chosen(SegmentSettings(name="tea", where=where), night) == [1, 3, 5, 7, 9]
    assert 299 not in chosen(SegmentSettings(name="rest", where="not department = 'TEA'"), night)


def test_by_item_all_may_be_in_it(night):
    assert chosen(SegmentSettings(name="milk", item="milk"), night) == list(range(300))


def test_like_seeds_are_those_of_their_taste(night, tmp_path):
    path = tmp_path / "seeds.csv"
    path.write_text("user_id\n" + "\n".join(NAMES[:120]))
    found = chosen(SegmentSettings(name="vip", like=path, like_share=0.4), night)
    assert len(found) == 120
    assert set(found) < set(range(150))


@pytest.mark.parametrize(
    ("text", "says"),
    [("user_id\n1\n2\n", "fewer than 100 of its seeds"), ("id\n1\n", "no column user_id"), (None, "not readable")],
)
def test_seeds_that_are_none_are_said_to_be_so(night, tmp_path, text, says):
    path = tmp_path / "seeds.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        chosen(SegmentSettings(name="vip", like=path), night)


def test_before_profiles_are_published_nobody_is_in_it_and_a_wrong_expression_is_refused_all_the_same(
    night, monkeypatch
):
    monkeypatch.setattr(segments.desk, "parent", lambda night: None)
    assert chosen(SegmentSettings(name="tea", where="department = 'TEA'"), night) == []
    with pytest.raises(ConfigError, match="no attribute"):
        chosen(SegmentSettings(name="tea", where="user_key = 'x'"), night)


def test_a_segment_is_a_campaign_of_a_fortnight_about_its_item():
    flags = np.ones(2, bool)
    space = Items(pa.array(["milk", "tea"]), flags, flags, np.zeros(2, np.int64))
    inputs = SimpleNamespace(today=100, ranking=SimpleNamespace(space=space))
    one = segments.campaign(SegmentSettings(name="tea", item="tea"), inputs)
    assert (one.id, one.kind, one.starts, one.ends, one.targets.tolist()) == ("segment:tea", "segment", 101, 115, [1])
    texts = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert segments.creative(one, texts).tolist() == [0.0, 1.0]
    plain = segments.campaign(SegmentSettings(name="all", where="baskets_90d > 0"), inputs)
    assert segments.creative(plain, texts).tolist() == [0.0, 0.0]
    with pytest.raises(ConfigError, match="'beer' is not in the catalogue"):
        segments.campaign(SegmentSettings(name="beer", item="beer"), inputs)


@pytest.mark.parametrize("said", [{}, {"item": "a", "where": "b"}])
def test_a_segment_says_one_thing(said):
    with pytest.raises(ValidationError, match="one of where, item and like"):
        SegmentSettings(name="x", **said)
