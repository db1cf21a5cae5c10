"""Vectors of the night's encoder: opened when first needed, and those of many texts kept."""

from datetime import date

import numpy as np
import pytest

from pipeline.answering.meaning import MANY, Meaning
from pipeline.answering.tools import Shop
from pipeline.learning import champions
from pipeline.settings import Night, load_shop
from tests.small_shop import Source, rows

TEXTS = [f"text number {n}" for n in range(MANY - 1)] + ["text number 0"]


@pytest.fixture
def night(tmp_path, tiny_bert, monkeypatch):
    monkeypatch.setattr(champions, "folder", lambda _store, _model, _version: tiny_bert)
    return Night(load_shop("grocer"), date(2017, 11, 30), tmp_path)


def test_only_what_is_at_hand_is_opened(night):
    assert Meaning.at_hand(night, {}) is None
    assert Meaning.at_hand(night, {"encoder": "v1"}) is None
    (night.models / "encoder" / "v1").mkdir(parents=True)
    assert Meaning.at_hand(night, {"encoder": "v1"}).version == "v1"


def test_vectors_are_the_same_alone_and_among_many_which_are_kept(night):
    meaning, kept = Meaning(night, "v1"), night.embeddings / "v1" / "vectors.parquet"
    alone = np.concatenate([meaning([text]) for text in TEXTS])
    assert not kept.exists()
    many = meaning(TEXTS)
    assert kept.is_file()
    assert np.allclose(alone, many, atol=1e-3)
    assert np.array_equal(many[0], many[-1])
    assert np.allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-3)


def test_items_that_stand_in_no_list_have_none(night):
    items = Shop(Source(rows())).items
    vectors = Meaning(night, "v1").items(items)
    assert [bool(row.any()) for row in vectors] == items.column("is_recommendable").to_pylist()
