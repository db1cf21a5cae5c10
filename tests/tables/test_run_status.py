"""What run_status says of each table."""

from pipeline import gates
from pipeline.contracts.tables import RUN_STATUS, STATUS
from pipeline.tables import run_status


def told(tables, fallbacks=None, empties=None, feeds=()):
    rows = RUN_STATUS.enforce(run_status.rows(tables, fallbacks or {}, empties or {}, feeds)).to_pylist()
    assert {row["status"] for row in rows} <= set(STATUS)
    return {row["table_name"]: (row["status"], row["rows"], row["status_reason"]) for row in rows}


def test_a_table_with_rows_is_produced_or_a_fallback():
    rows = told({"recommendations": 10, "user_profiles": 2}, {"recommendations": "no model is better"})
    assert rows["recommendations"] == ("fallback", 10, "no model is better")
    assert rows["user_profiles"] == ("produced", 2, None)


def test_an_empty_table_says_why():
    rows = told({"a": 0, "b": 0}, {"b": "never mind"}, {"a": "no campaign runs"})
    assert rows["a"] == ("empty", 0, "no campaign runs")
    assert rows["b"] == ("empty", 0, "nothing qualified tonight")


def test_documents_that_never_came_are_no_input():
    assert told({"shop_documents": 0})["shop_documents"] == ("no_input", 0, "the shop hands over no documents")
    assert told({"shop_documents": 0}, feeds={"documents"})["shop_documents"][0] == "empty"


def test_a_failed_night_keeps_every_table_but_those_that_never_were():
    last = run_status.rows({"a": 0, "b": 5, "shop_documents": 0}, {}, {}, ())
    told = {row["table_name"]: row for row in RUN_STATUS.enforce(run_status.kept(last, "because")).to_pylist()}
    assert [(told[name]["status"], told[name]["rows"], told[name]["status_reason"]) for name in "ab"] == [
        ("kept", 0, "because"),
        ("kept", 5, "because"),
    ]
    assert told["shop_documents"]["status"] == "no_input"


def test_a_snapshot_never_says_kept():
    """The word is for readers of a failed night; the gate refuses it."""
    judged = [one["kwargs"] for one in gates.load_suite("run_status")["expectations"] if "column" in one["kwargs"]]
    allowed = [one["value_set"] for one in judged if one["column"] == "status" and "mostly" not in one]
    assert allowed == [[state for state in STATUS if state != "kept"]]


def test_audiences_of_a_shop_without_campaigns_have_no_input():
    assert told({"ad_audiences": 0}, {}, {"ad_audiences": "refused"})["ad_audiences"] == (
        "no_input", 0, "the shop hands over no campaigns"
    )  # fmt: skip
    assert told({"ad_audiences": 0}, {}, {"ad_audiences": "refused"}, {"campaigns"})["ad_audiences"][0] == "empty"


def test_reviews_that_never_came_and_reviews_that_say_nothing_are_told_apart():
    empties = {"item_sentiment": "no review says anything of an item"}
    assert told({"item_sentiment": 0}, {}, empties)["item_sentiment"] == (
        "no_input", 0, "the shop hands over no reviews"
    )  # fmt: skip
    assert told({"item_sentiment": 0}, {}, empties, {"reviews"})["item_sentiment"][2] == empties["item_sentiment"]
