"""The audit of answers: good ones hold, and each way of being wrong is found."""

import pyarrow as pa
import pytest

from pipeline.answering.tools import Shop
from pipeline.audit.answers import KEPT, UNDERSTOOD, flips, rests, understood
from pipeline.tables import answers
from tests.small_shop import Source, rows

READ = ("item_facts", "item_sentiment", "ad_audience_summary", "shop_documents")


def tables(given=None):
    source = Source(given or rows())
    return {name: source.table(name) for name in READ} | {"answers": answers.rows(Shop(source), 10)}


def spoiled(**changes):
    """The tables with the first answer about a price changed."""
    found = tables()
    told = found["answers"].to_pylist()
    at = next(at for at, row in enumerate(told) if (row["asked"], row["answer_language"]) == ("price", "en"))
    for name, change in changes.items():
        told[at][name] = change(told[at][name])
    return found | {"answers": pa.Table.from_pylist(told, found["answers"].schema)}


def test_answers_that_rest_on_the_tables_hold():
    finding = rests(tables())
    assert (finding.cases, finding.violations) == (len(tables()["answers"]), 0)
    assert finding.cases > 40


def test_names_that_were_cleaned_still_rest_on_theirs():
    given = rows()
    given["item_facts"][0]["title"] = "Paste <b>of</b> tomatoes, see http://evil.example/x [or](here)"
    given["shop_documents"][0]["document_text"] = "Return goods *within* 30 days at www.evil.example."
    assert rests(tables(given)).violations == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": lambda text: text.replace("0.39", "0.29")},
        {"answer": lambda text: text + " Only 3 left."},
        {"answer": lambda text: text.replace("Tomato", "Golden")},
        {"answer_facts": lambda facts: []},
        {"answer_facts": lambda facts: [dict(one, shown=one["shown"].replace("0.39", "0.29")) for one in facts]},
        {"answer_facts": lambda facts: [dict(one, key="10002") for one in facts]},
        {"answer_facts": lambda facts: [dict(one, key="nothing") for one in facts]},
    ],
)
def test_an_answer_that_does_not_is_found(changes):
    assert rests(spoiled(**changes)).violations == 1


def test_a_fact_that_changed_after_it_was_answered_is_found():
    found = tables()
    given = rows()
    given["item_facts"][0]["price_cents"] = 40
    assert rests(found | {"item_facts": Source(given).table("item_facts")}).violations == 2  # in each language


def test_no_answers_are_no_pass():
    finding = rests(tables() | {"answers": tables()["answers"].slice(0, 0)})
    assert (finding.cases, finding.sentence[:9]) == (0, "No input:")


def test_the_same_facts_have_the_same_answers_and_there_is_no_baseline_before_the_first_night():
    finding = flips(tables(), tables(), 0.0)
    assert (finding.promise, finding.cases, finding.violations) == (KEPT, len(tables()["answers"]), 0)
    for last in ({}, {"answers": tables()["answers"]}, tables() | {"answers": tables()["answers"].slice(0, 0)}):
        assert flips(tables(), last, 0.0).sentence[:12] == "No baseline:"


def test_an_answer_by_other_facts_is_a_flip_only_while_the_facts_stay():
    shorter = spoiled(answer_facts=lambda facts: facts[:1])  # the price is not told any more, though it stayed
    assert flips(shorter, tables(), 0.0).violations == 1
    assert flips(shorter, tables(), 0.05).violations == 0
    assert flips(tables(), shorter, 0.0).violations == 1
    given = rows()
    given["item_facts"][0]["price_cents"] = 40
    given["item_facts"][3] |= {"in_stock": True, "buyers_recent": 5}
    dearer = flips(tables(given), tables(), 0.0)
    assert dearer.violations == 0
    assert dearer.cases < flips(tables(), tables(), 0.0).cases


def test_questions_that_only_one_night_answered_are_no_cases():
    source = Source(rows())
    fewer = tables() | {"answers": answers.rows(Shop(source), 1)}
    assert flips(fewer, tables(), 0.0).cases == len(fewer["answers"])


def taken(told, given=None):
    """The tables with what the chat made of each question."""
    found = tables(given)
    answered = [row | {"is_understood": told(row)} for row in found["answers"].to_pylist()]
    return found | {"answers": pa.Table.from_pylist(answered, found["answers"].schema)}


def is_first_price(row):
    return (row["asked"], row["subject"], row["answer_language"]) == ("price", "10001", "en")


def test_what_was_understood_and_is_not_any_more_is_lost():
    good, lost = taken(lambda _row: True), taken(lambda row: not is_first_price(row))
    finding = understood(good, good, 0.0)
    assert (finding.promise, finding.violations) == (UNDERSTOOD, 0)
    milk = sum(row["subject"] in ("10003", "10006") for row in good["answers"].to_pylist())  # two of one name
    assert finding.cases == len(good["answers"]) - milk
    assert understood(lost, good, 0.0).violations == 1
    assert understood(lost, good, 0.05).violations == 0
    assert understood(good, lost, 0.0).violations == 0
    assert understood(lost, lost, 0.0).cases == finding.cases - 1


def test_what_was_not_tried_or_asked_in_other_words_is_no_case():
    good, some = taken(lambda _row: True), taken(lambda row: True if is_first_price(row) else None)
    assert understood(good, some, 0.0).cases == understood(some, good, 0.0).cases == 1
    renamed = rows()
    renamed["item_facts"][0]["title"] = "Paste of tomatoes"
    assert understood(taken(lambda _row: False, renamed), some, 0.0).cases == 0
    older = good | {"answers": good["answers"].drop_columns("is_understood")}
    for last in ({}, older):
        assert understood(good, last, 0.0).sentence[:12] == "No baseline:"
