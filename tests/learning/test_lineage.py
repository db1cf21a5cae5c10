"""Which versions could have learned of somebody: by the day, and by what they come from."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from pipeline.learning import lineage
from pipeline.learning.lineage import Lesson

DAY = date(2017, 3, 20)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An encoder that a recommender reads through, one that grew from it, and one that stands alone."""
    store = tmp_path / "models"
    lineage.note(store, "encoder/e1", Lesson(DAY))
    lineage.note(store, "recommendations/r1", Lesson(DAY - timedelta(5)))
    lineage.note(store, "recommendations/r2", Lesson(DAY - timedelta(4), ("encoder/e1", "recommendations/r1")))
    lineage.note(store, "recommendations/r3", Lesson(DAY - timedelta(4), ("recommendations/r2",)))
    return store


def test_who_read_the_day_and_who_comes_from_one_that_did(store: Path) -> None:
    assert lineage.taught_since(store, DAY) == ["encoder/e1", "recommendations/r2", "recommendations/r3"]
    assert len(lineage.taught_since(store, DAY - timedelta(9))) == 4
    assert lineage.taught_since(store, DAY + timedelta(1)) == []


def test_a_version_kept_again_has_all_its_days_and_parents(store: Path) -> None:
    lineage.note(store, "encoder/e1", Lesson(DAY - timedelta(9), ("encoder/e0",)))
    assert lineage.known(store)["encoder/e1"] == Lesson(DAY, ("encoder/e0",))


def test_what_grows_from_a_version_that_knew_an_erased_user_says_so(store: Path) -> None:
    lineage.mark(store, ["encoder/e1"])
    told = lineage.note(store, "audiences/a1", Lesson(DAY + timedelta(1), ("encoder/e1",)))
    assert told.knew_erased and lineage.known(store)["audiences/a1"].knew_erased
    assert not lineage.note(store, "audiences/a2", Lesson(DAY + timedelta(1), ("recommendations/r1",))).knew_erased
    lineage.note(store, "audiences/a1", Lesson(DAY + timedelta(2), ("recommendations/r1", "encoder/e1")))
    assert lineage.knew_erased(store, "audiences/a1")  # one clean parent is not enough


def test_a_marked_version_made_again_without_them_loses_its_mark(store: Path) -> None:
    lineage.mark(store, ["encoder/e1", "recommendations/r2"])
    lineage.note(store, "encoder/e1", Lesson(DAY + timedelta(1)))
    assert lineage.known(store)["encoder/e1"] == Lesson(DAY + timedelta(1))
    assert lineage.knew_erased(store, "recommendations/r2")  # that was not made again


def test_of_what_nothing_is_noted_anything_may_have_been_learned(store: Path) -> None:
    assert not lineage.knew_erased(store, "counting/v1")
    lineage.mark(store, ["counting/v1"])
    assert lineage.knew_erased(store, "counting/v1") and "counting/v1" in lineage.taught_since(store, date.max)


def test_before_any_model_nothing_is_known(tmp_path: Path) -> None:
    assert lineage.known(tmp_path / "models") == {}
