"""A talk with a thumb is a drop that the next night lands, teaches by and tells people of."""

import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from pipeline.chat.talks import Talks
from pipeline.contracts.feeds import DIALOGUES
from pipeline.engine import connect
from pipeline.feeds import ingest
from pipeline.privacy.keys import Secret
from pipeline.settings import LandingSettings, Night, load_shop
from pipeline.shops.landing import Landing
from pipeline.stages import dialogue_inputs, score_open_questions
from tests.small_shop import ANN, BOB

SECRET = Secret(bytes(range(32)))
NOON = datetime(2017, 11, 30, 17, tzinfo=UTC)
PARKING = "is there parking near the store"


@pytest.fixture
def night(tmp_path):
    landing = LandingSettings(path=str(tmp_path / "drops"))
    shop = load_shop("grocer").model_copy(update={"adapter": "landing", "landing": landing})
    return Night(shop, date(2017, 11, 30), tmp_path / "home")


@pytest.fixture
def talks(night, tmp_path):
    return Talks(tmp_path / "drops", night.shop, SECRET, lambda: NOON)


def landed(night):
    """Turns as the night's stages read them, once the drops have landed."""
    connection = connect(1)
    source = Landing(night.shop, connection)
    ingest.land(
        connection, source, night.feeds, DIALOGUES, night.day,
        first_day=night.shop.first_day, zone=ZoneInfo("UTC"), secret=SECRET, origin="chat",
    )  # fmt: skip
    source.intake.parser.close()
    return dialogue_inputs.turns(night)


def test_a_thumb_goes_all_the_way_to_teaching_and_to_open_questions(night, talks):
    for user, place in ((ANN, "at noon"), (BOB, "tonight"), (None, "now")):
        talks.keep(["hello", f"{PARKING} {place}"], "outside", is_resolved=False, user_key=user)
    talks.keep(["how much is milk"], "price", is_resolved=True, user_key=ANN)
    rows = landed(night)
    assert {row["user_key"] for row in rows.to_pylist()} == {ANN, BOB, None}
    told = dialogue_inputs.labelled(rows)
    assert (list(told.texts), list(told.intents)) == (["how much is milk"], [("price",)])
    asked = score_open_questions.unanswered(rows, night)
    assert sorted(row["utterance"] for row in asked) == [f"{PARKING} {when}" for when in ("at noon", "now", "tonight")]


def test_a_file_names_nobody_and_lies_where_drops_do(night, talks, tmp_path):
    path = talks.keep(["how much is milk"], "price", is_resolved=True, user_key=ANN)
    assert path.parent == tmp_path / "drops" / "dialogues" / "ds=2017-11-30"
    (row,) = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert row["utterance"] == "how much is milk"
    assert ANN not in path.name
    assert set(row) <= set(DIALOGUES.raw.names)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_the_last_thumb_of_one_talk_counts(night, talks):
    for is_resolved in (True, False):
        path = talks.keep(["how much is milk"], "price", is_resolved=is_resolved, user_key=ANN)
    assert len(list(path.parent.iterdir())) == 1
    (row,) = landed(night).to_pylist()
    assert (row["is_resolved"], row["intent"]) == (False, None)


def test_a_day_begins_where_the_shop_is(night, tmp_path):
    late = Talks(tmp_path, night.shop, SECRET, lambda: datetime(2017, 12, 1, 3, tzinfo=UTC))  # 22:00 in New York
    assert late.keep(["hi"], "hello", is_resolved=True, user_key=None).parent.name == "ds=2017-11-30"
