"""The reader of intents by night: without dialogues, taught and judged by whole dialogues, and left as it is."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.contracts.feeds import FEEDS
from pipeline.learning import champions
from pipeline.models import turn_intents
from pipeline.models.turn_intents import NAME
from pipeline.record import JsonRecorder, last_values
from pipeline.settings import Night, load_shop
from pipeline.stages import desk, dialogue_inputs, fine_tune_answers, judge

DAY = date(2017, 3, 31)
ASKED = (("where is my parcel", "where"), ("how much is tea", "price"), ("tea and the parcel", "price|where"))


def landed(night, count=40):
    """Dialogues of two turns, one arriving twice; a bot's turn and one without an intent teach nothing."""
    rows = []
    for n in range(count):
        ts = datetime(2017, 3, 1, tzinfo=UTC) + timedelta(hours=n)
        text, intent = ASKED[n % 3]
        shared = {"dialogue_id": f"d{n:03}", "user_key": "0123456789abcdef" * 2, "ts": ts, "ds": date(2017, 3, 20)}
        rows.append(shared | {"turn": 0, "speaker": "user", "utterance": f" {text} {n} ", "intent": intent})
        rows.append(shared | {"turn": 1, "speaker": "bot", "utterance": "Here.", "intent": "answer"})
        rows.append(shared | {"turn": 2, "speaker": "user", "utterance": "hm", "intent": None})
    rows.append(rows[0] | {"utterance": "where is it now 0", "ds": date(2017, 3, 21)})
    rows = [{"is_resolved": None, "source": "shop"} | row for row in rows]
    for day in sorted({row["ds"] for row in rows}):
        folder = night.feeds / "dialogues" / f"ds={day}"
        folder.mkdir(parents=True)
        table = pa.Table.from_pylist([row for row in rows if row["ds"] == day], FEEDS["dialogues"].landed.schema)
        pq.write_table(table, folder / "rows.parquet")


@pytest.fixture
def night(tmp_path, tiny_bert):
    shop = load_shop("grocer")
    rates = {"steps": 20, "warm_steps": 2, "batch_size": 16, "learning_rate": 3e-3, "eval_steps": 5}
    training = shop.sentiment.training.model_copy(update=rates)
    reader = {"checkpoint": f"path:{tiny_bert}", "max_tokens": 16, "trained_layers": 1, "training": training}
    shop = shop.model_copy(update={"sentiment": shop.sentiment.model_copy(update=reader)})
    night = Night(shop, DAY, tmp_path)
    desk.note(night, "start", {"current": None, "parent": None})
    return night


def tuned(night, tmp_path):
    return fine_tune_answers.run(night, JsonRecorder(tmp_path / "r"), lambda *_: None)


def test_a_shop_without_dialogues_says_so(night, tmp_path):
    assert tuned(night, tmp_path) == {"champion": None, "no_input": "the shop hands over no dialogues"}


def test_the_newest_arrival_of_each_labelled_turn_teaches(night):
    landed(night)
    told = dialogue_inputs.labelled(dialogue_inputs.turns(night))
    assert len(told.texts) == 40
    assert told.texts[:2] == ("where is it now 0", "how much is tea 1")
    assert told.intents[2] == ("price", "where")
    assert list(told.dialogues) == sorted(told.dialogues)


def test_it_is_taught_judged_and_kept(night, tmp_path):
    landed(night, 120)
    facts = tuned(night, tmp_path)
    assert facts["accuracy"] > 0.8
    assert facts["gain"][0] > 0.4
    assert judge.judge_answers(facts, night.shop.thresholds).verdict in ("promoted", "refused")
    assert last_values(tmp_path / "r", "metrics")["turns/judged"] == 18
    model = turn_intents.load(champions.folder(night.models, NAME, facts["challenger"]), night.home)
    assert model.classes == ["price", "where"]
    assert model.reader.learned == 120


def test_without_enough_it_is_refused(night, tmp_path):
    landed(night, 9)
    facts = tuned(night, tmp_path)
    assert "too few to learn from" in facts["refused"]
    assert judge.judge_answers(facts, night.shop.thresholds).serves is None


def test_a_quiet_night_keeps_the_champion(night, tmp_path, monkeypatch):
    landed(night)
    version = champions.keep(
        night.models, NAME, lambda folder: champions.write_json(folder / "config.json", {"learned": 40})
    )
    monkeypatch.setattr(desk, "champion", lambda *_: version)
    facts = tuned(night, tmp_path)
    assert judge.judge_answers(facts, night.shop.thresholds).serves == version


def test_no_dialogue_both_teaches_and_judges():
    names = np.repeat([f"d{n}" for n in range(9)], 5)
    told = dialogue_inputs.Labelled(["x"] * 45, [("a",)] * 45, names.tolist())
    taught, judged = fine_tune_answers.parts(told, 20, 1000)
    assert not set(names[taught]) & set(names[judged])
    assert len(taught) == 20
    assert judged[-1] == 44
    assert len(judged) == 10  # 15 % are 6 turns; the dialogue they begin in is judged whole
    assert [len(one) for one in fine_tune_answers.parts(replace(told, texts=[], intents=[], dialogues=[]), 1, 1)] == [
        0,
        0,
    ]
