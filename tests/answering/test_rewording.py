"""Frames hold no value of a sentence, give it back whole, and every wording that is taught passes the copy check."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answering.copying import rewords
from pipeline.answering.facts import Fact, Sentence, harmless
from pipeline.answering.rewording import MARK, SLOT, Rewording, example, filled, framed, frames, pairs, wordings
from pipeline.answering.words import say, templates
from pipeline.stages.fine_tune_phrasing import PLAIN

VALUES = PLAIN | {"title": "Tomato paste, private brand, 6 oz", "cheap": "Rice", "dear": "Oil"}


def fact(shown, column="title"):
    return Fact("item_facts", "10001", column, shown)


def test_facts_become_letters_and_come_back():
    said = say("price", "en", title=fact("Paste, 6 oz"), price=fact("0.39 USD", "price_cents"))
    frame, values = framed(said)
    assert frame == "[X] costs [Y]."
    assert values == {"X": "“Paste, 6 oz”", "Y": "0.39 USD"}
    assert filled("For [Y] you get [X].", values) == "For 0.39 USD you get “Paste, 6 oz”."


@pytest.mark.parametrize("said", ["It costs [Y].", "[X] [X] costs [Y].", "[X] costs [Y] or [Z].", "Nothing.", ""])
def test_a_wording_that_loses_doubles_or_invents_a_fact_is_none(said):
    assert filled(said, {"X": "“Paste”", "Y": "0.39 USD"}) == ""


def test_what_a_sentence_rests_on_and_does_not_show_has_no_letter():
    said = say("stock_yes", "en", title=fact("Paste"))
    assert framed(Sentence(said.text, (*said.facts, fact("yes", "in_stock"))))[0] == "[X] is in stock."


def test_equal_values_and_numbers_within_others_keep_their_places():
    counts = {name: fact(one, name) for name, one in (("mentions", "2"), ("positive", "2"), ("negative", "0"))}
    said = say("opinion", "en", title=fact("Paste 2, 20 oz"), **counts)
    frame, values = framed(said)
    assert frame == "Of [X] reviews of [Y], [Z] speak well of it and [W] do not."
    assert filled(frame, values) == said.text


@given(st.text(min_size=1).map(harmless).filter(bool), st.integers(0, 10**6))
def test_a_frame_filled_again_is_the_sentence(title, cents):
    said = say("price", "en", title=fact(title), price=fact(f"{cents / 100:.2f} USD"))
    frame, values = framed(said)
    assert filled(frame, values) == said.text
    assert not re.search(r"\d", MARK.sub("", frame))


def test_every_template_that_shows_facts_has_the_frame_of_its_sentences():
    assert set(frames()) == {name for name, one in templates().items() if "{" in one["en"]}
    for name, frame in frames().items():
        assert framed(example(name, VALUES))[0] == frame, name


def test_every_wording_that_is_taught_says_the_same_of_short_and_long_names():
    for name, said in wordings().items():
        assert len(set(said)) == len(said) >= 2
        for title in ("Eggs", VALUES["title"]):
            values = VALUES | {"title": title}
            original = example(name, values)
            for one in said:
                assert sorted(SLOT.findall(one)) == sorted(SLOT.findall(templates()[name]["en"])), one
                assert rewords(one.format(**values), original), one
    assert all(said != frame for both in pairs().values() for frame, said in both)


def test_a_writer_sees_frames_alone_and_chinese_is_left_to_templates():
    seen = []
    words = Rewording(lambda frame: seen.append(frame) or "You pay [Y] for [X].")
    facts = {"title": fact("Paste"), "price": fact("0.39 USD")}
    assert words.reword(say("price", "en", **facts), "PASTE?") == "You pay 0.39 USD for “Paste”."
    assert words.reword(say("price", "zh", **facts), "") == say("price", "zh", **facts).text
    assert words.reword(say("hello", "en"), "") == say("hello", "en").text
    assert seen == ["[X] costs [Y]."]
    assert Rewording(lambda _frame: "").reword(say("price", "en", **facts), "") == say("price", "en", **facts).text
