"""Rows about reviews and items: polarity from words or stars, intervals, trend, examples, the floor."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline.contracts.tables import ITEM_SENTIMENT, REVIEW_SENTIMENT
from pipeline.metrics.intervals import wilson
from pipeline.tables import sentiment
from pipeline.tables.sentiment import Floor, Saying

DAY = date(2020, 6, 30)
FLOOR = Floor(0.35, 10)


def reviews(stars):
    count = len(stars)
    return pa.table(
        {
            "review_id": [f"r{n}" for n in range(count)],
            "user_key": ["0123456789abcdef" * 2] * count,
            "item_id": ["tea"] * count,
            "review_kind": ["review"] * (count - 1) + ["question"],
            "language": pa.array([None] * count, pa.string()),
            "stars": pa.array(stars, pa.float64()),
        }
    )


def say(polarity, number, days=1, item="tea", sure=0.5):
    return Saying(item, sentiment.WHOLE, f"r{number}", DAY - timedelta(days), polarity, sure, (0, 5))


def rows_of(sayings):
    return ITEM_SENTIMENT.enforce(sentiment.item_rows(sayings, DAY, FLOOR)).to_pylist()


def test_words_decide_and_stars_do_where_there_are_no_words():
    chance = np.array([[0.7, 0.2, 0.1], [np.nan] * 3, [np.nan] * 3, [0.1, 0.1, 0.8]])
    expected = np.array([1.5, np.nan, np.nan, 4.5])
    version = np.array(["v", None, None, "v"], dtype=object)
    days = pa.array([DAY] * 4)
    table = sentiment.review_rows(reviews([5.0, 4.0, None, None]), chance, expected, version, days)
    rows = REVIEW_SENTIMENT.enforce(table).to_pylist()
    assert [(row["review_id"], row["polarity"], row["polarity_probability"]) for row in rows] == [
        ("r0", "negative", 0.7),
        ("r1", "positive", None),
        ("r3", "positive", 0.8),
    ]
    assert [row["expected_stars"] for row in rows] == [1.5, None, 4.5]
    whole = sentiment.wholes(table, {f"r{n}": 9 for n in range(4)})
    # The stars given count for the item; a question counts for nothing.
    assert [(one.review_id, one.polarity, one.sureness) for one in whole] == [("r0", 2, 0.0), ("r1", 2, 0.0)]


@pytest.mark.parametrize(("stars", "polarity"), [(1, 0), (2, 0), (3, 1), (3.5, 1), (4, 2), (5, 2), (np.nan, -1)])
def test_polarity_of_stars(stars, polarity):
    assert sentiment.given(np.array([stars]))[0] == polarity


def test_counts_and_interval_are_those_of_good_and_bad_alone():
    (row,) = rows_of([say(2, 0), say(2, 1), say(0, 2), say(1, 3)])
    assert (row["mentions"], row["positive_mentions"], row["negative_mentions"]) == (4, 2, 1)
    assert (row["share_positive"], row["share_positive_low"], row["share_positive_high"]) == wilson(2, 3)
    (row,) = rows_of([say(1, 0)])
    assert row["share_positive"] is None and not row["is_suppressed"]


def test_only_what_is_surely_under_the_floor_is_suppressed():
    bad = [say(0, n) for n in range(12)]
    table = sentiment.item_rows([*bad, *(say(0, n, item="cup") for n in range(9))], DAY, FLOOR)
    assert sentiment.disliked(table) == ["tea"]
    some = [say(2, n) for n in range(20, 24)]
    assert sentiment.disliked(sentiment.item_rows([*bad, *some], DAY, FLOOR)) == []  # a quarter is good, but not surely


def test_the_trend_is_of_the_last_quarter_against_before():
    old, new = [say(2, n, days=200) for n in range(5)], [say(0, n, days=10) for n in range(5, 10)]
    assert rows_of([*old, *new])[0]["trend"] == -1
    assert rows_of([*old, *new[:4]])[0]["trend"] is None


def test_examples_are_the_surest_of_both_sides_in_turn():
    sayings = [
        say(2, 0, sure=0.6),
        say(2, 1, sure=0.9),
        say(0, 2, sure=0.7),
        say(0, 3, sure=0.8),
        say(2, 4, days=0, sure=0.9),
    ]
    (row,) = rows_of(sayings)
    assert [one["review_id"] for one in row["evidence"]] == ["r4", "r3", "r1"]
    assert row["evidence"][1] == {"review_id": "r3", "polarity": "negative", "start": 0, "stop": 5}


def test_a_hidden_review_counts_and_is_no_example():
    sayings = [say(2, n, sure=0.5 + n / 100) for n in range(4)]
    told, hidden = (sentiment.item_rows(sayings, DAY, FLOOR, names).to_pylist()[0] for names in ((), {"r3", "r1"}))
    assert [one["review_id"] for one in told["evidence"]] == ["r3", "r2", "r1"]
    assert [one["review_id"] for one in hidden["evidence"]] == ["r2", "r0"]
    assert {name: told[name] for name in told if name != "evidence"} == {
        name: hidden[name] for name in hidden if name != "evidence"
    }
