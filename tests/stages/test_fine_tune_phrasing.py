"""The chat's wording by night: off unless asked for, taught once, measured on tonight's articles, judged."""

from datetime import date

import pytest

from pipeline.answering.copying import rewords
from pipeline.answering.rewording import frames, pairs
from pipeline.learning import champions
from pipeline.models import phrasing
from pipeline.models.phrasing import BOOK, NAME
from pipeline.record import JsonRecorder, last_values
from pipeline.settings import Night, load_shop
from pipeline.stages import desk, fine_tune_phrasing
from pipeline.stages.fine_tune_phrasing import adds, held, sentences

GOODS = [{"item_id": f"{n}", "title": f"Tomato paste, {n} oz", "brand": "Private", "category": "GROCERY > CANS"}
         for n in range(3)]  # fmt: skip


class Taught:
    """Stands for the tuned model: wordings as they are taught, and for one kind what invents."""

    def __init__(self, lies=()):
        self.known = {both[0][0]: both[0][1] for both in pairs().values()}
        self.known |= {frame: f"{frame} Only 5 left." for name, frame in frames().items() if name in lies}

    def write(self, frame):
        return self.known.get(frame, "")

    def save(self, folder, checkpoint, lessons, book):
        champions.write_json(folder / BOOK, book)
        champions.write_json(folder / champions.CONFIG, {"lessons": lessons})


@pytest.fixture
def night(tmp_path, monkeypatch, tiny_llama):
    shop = load_shop("grocer")
    chat = shop.chat.model_copy(update={"generator": f"path:{tiny_llama}"})
    night = Night(shop.model_copy(update={"chat": chat}), date(2017, 3, 31), tmp_path)
    desk.note(night, "start", {"current": None, "parent": None})
    monkeypatch.setattr(desk, "catalogue", lambda _night: _Rows(GOODS))
    return night


class _Rows:
    def __init__(self, rows):
        self.to_pylist = lambda: rows


def run(night, tmp_path, monkeypatch, model, champion=None):
    monkeypatch.setattr(phrasing, "learn", lambda *_, **__: model)
    monkeypatch.setattr(desk, "champion", lambda _night, _model: champion)
    return fine_tune_phrasing.run(night, JsonRecorder(tmp_path / "r"), lambda *_: None)


def test_templates_speak_unless_a_generator_is_named(tmp_path):
    plain = Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)
    desk.note(plain, "start", {"current": None, "parent": None})
    told = fine_tune_phrasing.run(plain, JsonRecorder(tmp_path / "r"), lambda *_: None)
    assert "templates alone" in told["no_input"] == desk.noted(plain, f"measured-{NAME}")["no_input"]


def test_it_is_measured_and_the_copy_check_keeps_what_is_invented_out(night, tmp_path, monkeypatch):
    told = run(night, tmp_path, monkeypatch, Taught())
    untaught = set(frames()) - set(pairs())
    assert told["sentences"] == len(GOODS) * len(frames())
    assert told["accepted"] == pytest.approx(1 - len(untaught) / len(frames()))
    lies = run(night, tmp_path, monkeypatch, Taught(lies=("price", "stock_yes")))
    assert lies["accepted"] == pytest.approx(told["accepted"] - 2 / len(frames()))
    assert (lies["unsupported"], lies["challenger"] != told["challenger"]) == (0, True)
    assert last_values(tmp_path / "r", "metrics")["phrasing/accepted"] == lies["accepted"]


def test_a_night_with_the_same_lessons_trains_nothing_and_flips_are_counted(night, tmp_path, monkeypatch):
    first = run(night, tmp_path, monkeypatch, Taught())
    again = run(night, tmp_path, monkeypatch, None, first["challenger"])
    assert "as they were" in again["kept"]
    assert "challenger" not in again
    monkeypatch.setattr(champions, "config", lambda _folder: {"lessons": "other"})
    worse = run(night, tmp_path, monkeypatch, Taught(lies=("price",)), first["challenger"])
    assert worse["flips"] == pytest.approx(1 / len(pairs()))


def test_kinds_held_out_are_few_and_ever_the_same():
    names = sorted(pairs())
    assert held(names) == held(names[::-1])
    assert 0 < len(held(names)) < len(names) / 3


def test_more_than_the_facts_is_seen_without_the_copy_check():
    for _name, original in sentences(GOODS):
        assert not adds(original.text, original)
        assert adds(f"{original.text} Only 5 left.", original)
        assert adds(f"{original.text} Ask, please, Robert.", original)
        assert not rewords(f"{original.text} Only 5 left.", original)
