"""Only what enough people asked is told, in words that enough of them used."""

from datetime import date

import numpy as np

from pipeline.contracts.tables import OPEN_QUESTIONS
from pipeline.models.open_questions import Questions
from pipeline.tables import open_questions

DAYS = [date(2017, 3, day) for day in range(1, 11)]


def told(texts, askers, group, floor=3):
    count = len(texts)
    rows = open_questions.rows(Questions(texts, askers), np.array(group), ["stock"] * count, DAYS[:count], floor)
    return OPEN_QUESTIONS.enforce(rows).to_pylist()


def test_a_group_tells_what_its_people_share():
    texts = ["do you deliver to Boston 02101", "Do you deliver to York 7", "do you deliver to Ann", "deliver to Ann"]
    (row,) = told(texts, ["a", "b", "c", "c"], [0] * 4)
    assert (row["rank"], row["times_asked"], row["askers"], row["wanted"]) == (1, 4, 3, "stock")
    assert row["common_words"] == ["deliver"]
    assert row["example_questions"] == []  # nobody's way to ask is that of three people
    assert (row["first_asked_on"], row["last_asked_on"]) == (DAYS[0], DAYS[3])


def test_a_way_to_ask_that_enough_share_is_shown_masked():
    texts = ["do you have size 42", "do you have size 44?", "Do you have size 1"]
    (row,) = told(texts, ["a", "b", "c"], [0] * 3)
    assert row["example_questions"] == ["do you have size #"]


def test_what_few_asked_is_not_told_however_often():
    assert told(["why"] * 9, ["a", "b"] * 4 + ["a"], [0] * 9) == []


def test_most_people_come_first():
    texts = ["opening hours"] * 3 + ["gift wrap"] * 4
    rows = told(texts, list("abc") + list("abcd"), [0, 0, 0, 1, 1, 1, 1])
    assert [(row["rank"], row["askers"], row["example_questions"]) for row in rows] == [
        (1, 4, ["gift wrap"]),
        (2, 3, ["opening hours"]),
    ]
