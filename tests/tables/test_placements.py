"""Rows of ad slots say whose ad it is, which goods, and why."""

from datetime import date

import numpy as np
import pyarrow as pa

from pipeline.contracts.tables import AD_PLACEMENTS
from pipeline.models.ads import NOTHING, Candidates
from pipeline.tables import placements as table

KEYS = pa.array([f"{n:032x}" for n in range(2)])
DAY = date(2017, 3, 1)


def test_each_row_says_whose_ad_it_is_and_why():
    shown = Candidates(
        np.array([0, 0, 1]), np.array([0, NOTHING, 0]), np.array([1, 0, 1]), np.ones(3), np.array([0.2, np.nan, 0.1]),
        np.array([True, True, False]), np.zeros(3, int),
    )  # fmt: skip
    made = AD_PLACEMENTS.enforce(
        table.rows(
            "home", KEYS, shown, np.array([1, 2, 1]), campaigns=[("c1", "Spring")], items=pa.array(["tea", "milk"]),
            titles=["Green tea", "Whole milk"], since=np.full(3, DAY, "datetime64[D]"), cause=np.array(["kept"] * 3),
        )
    ).to_pylist()  # fmt: skip
    assert [(row["slot"], row["campaign_id"], row["item_id"]) for row in made] == [
        (1, "c1", "milk"), (2, None, "tea"), (1, "c1", "milk"),
    ]  # fmt: skip
    assert [row["propensity"] for row in made] == [0.2, None, 0.1]
    assert [row["is_fallback"] for row in made] == [False, True, False]
    assert made[0]["reason"] == "Spring: of its goods Whole milk is what you are likeliest to take"
    assert made[1]["reason"] == "No campaign plans to contact you; Green tea stands in your own list of ads"
    assert made[2]["reason"] == "Spring: of its goods Whole milk sells best of late"
