"""Rows of the change ledger, as its contract asks, and their words."""

import numpy as np
import pyarrow as pa

from pipeline.contracts.tables import CAUSES, CHANGE_LEDGER
from pipeline.tables import ledger

IDS, TITLES = pa.array(["bread", "milk", "soap", "wine"]), ["Bread", "Milk", "Soap", "Wine"]


def told(*changes):
    """Rows from (item, entered, before, now, cause, instead, reason)."""
    item, entered, before, now, cause, instead, reasons = zip(*changes, strict=True)
    rows = ledger.rows(
        "home",
        pa.array(["ann"]),
        user=np.zeros(len(item), np.int64),
        item=np.array(item),
        entered=np.array(entered),
        rank_before=np.array(before),
        rank_now=np.array(now),
        cause=np.array([CAUSES.index(one) for one in cause], np.int8),
        instead=np.array(instead),
        reasons=reasons,
        item_ids=IDS,
        titles=TITLES,
    )
    return {row["item_id"]: row for row in CHANGE_LEDGER.enforce(rows).to_pylist()}


def test_each_change_says_what_happened_and_why():
    rows = told(
        (0, True, 0, 2, "user", -1, "You buy it about every 7 days, last 8 days ago"),
        (1, False, 2, 0, "user", 0, ""),
        (2, False, 3, 0, "forced", -1, "It was just bought, and people do not buy it again and again."),
        (3, False, 4, 0, "forced", -1, ""),
    )
    assert rows["bread"] == {
        "user_key": "ann", "surface": "home", "item_id": "bread", "change": "entered", "rank_before": None,
        "rank_now": 2, "change_cause": "user",
        "reason": "You shopped since the last night. You buy it about every 7 days, last 8 days ago",
    }  # fmt: skip
    assert (rows["milk"]["change"], rows["milk"]["rank_before"], rows["milk"]["rank_now"]) == ("left", 2, None)
    assert rows["milk"]["reason"] == "Made place for Bread. You shopped since the last night."
    assert rows["soap"]["reason"] == "It was just bought, and people do not buy it again and again."
    assert rows["wine"]["reason"] == "The list became shorter."


def test_every_cause_of_a_change_has_its_words():
    assert set(ledger.WORDS) == set(CAUSES) - {"kept"}
    assert len(set(ledger.WORDS.values())) == len(ledger.WORDS)


def test_nothing_changed_is_an_empty_ledger():
    none = np.zeros(0, np.int64)
    rows = ledger.rows(
        "home", pa.array(["ann"]), user=none, item=none, entered=none > 0, rank_before=none, rank_now=none,
        cause=none.astype(np.int8), instead=none, reasons=[], item_ids=IDS, titles=TITLES,
    )  # fmt: skip
    assert len(CHANGE_LEDGER.enforce(rows)) == 0
