"""Rows of the recommendations, as the contract asks."""

from datetime import date

import numpy as np
import pyarrow as pa

from pipeline.contracts.tables import RECOMMENDATIONS
from pipeline.tables import recommendations as table

IDS = pa.array([f"i{n}" for n in range(6)])
USERS = pa.array(["u1", "u2", "u3"])
ITEMS = np.array([[5, 0, 2], [3, -1, -1], [-1, -1, -1]])


def made(surface="home", *, fallback=False):
    words = np.array([["a", "b", "c"], ["d", "", ""], ["", "", ""]], dtype=object)
    causes = np.array([["kept", "user", "model"], ["first_night", "", ""], ["", "", ""]], dtype=object)
    since = np.full(ITEMS.shape, np.datetime64("2017-03-30"))
    scores = np.array([[1.23456789, 2.0, -1.0], [0.5, 0, 0], [0, 0, 0]])
    rows = table.rows(surface, USERS, ITEMS, scores, words, since, causes, IDS, fallback=fallback)
    return RECOMMENDATIONS.enforce(rows).to_pylist()


def test_a_row_says_what_where_since_when_and_why():
    assert [tuple(row.values()) for row in made("email")] == [
        ("u1", "email", 1, "i5", 1.234568, "a", date(2017, 3, 30), "kept", False),
        ("u1", "email", 2, "i0", 2.0, "b", date(2017, 3, 30), "user", False),
        ("u1", "email", 3, "i2", -1.0, "c", date(2017, 3, 30), "model", False),
        ("u2", "email", 1, "i3", 0.5, "d", date(2017, 3, 30), "first_night", False),
    ]


def test_what_is_popular_is_marked():
    assert {row["is_fallback"] for row in made(fallback=True)} == {True}


def test_nobody_is_an_empty_table():
    none = np.zeros((0, 3))
    rows = table.rows(
        "home", USERS[:0], none.astype(int), none, none.astype(object), none.astype("datetime64[D]"),
        none.astype(object), IDS, fallback=True,
    )  # fmt: skip
    assert len(RECOMMENDATIONS.enforce(rows)) == 0
