"""Harmful text that would be shown is counted, by other means than those that filter it."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.dataset import dataset

from pipeline.audit import texts
from pipeline.audit.finding import Finding
from pipeline.feeds import harmful

PIECES = [*harmful.words()["en"], *harmful.words()["zh"], "milk", "s", "ing", " ", "-", "_", "é", "9", "白糖"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map("".join))
def test_what_the_recount_finds_the_filter_had_kept_back(text: str) -> None:
    if texts.is_harmful(text):
        assert harmful.harmful(pa.array([text])).to_pylist() == [True]


def lists(items: list[str], reason: str = "You often buy it") -> dict[str, pa.Table]:
    return {"recommendations": pa.table({"item_id": items, "reason": [reason] * len(items)})}


def audited(titles: dict[str, str], reviews: dict[str, str], tables: dict[str, pa.Table]) -> Finding:
    return texts.texts(titles, reviews, {name: dataset(table) for name, table in tables.items()})


TITLES = {"i1": "Milk", "i2": "You moron"}


def test_what_is_kept_back_is_counted_and_nothing_is_broken() -> None:
    found = audited(TITLES, {"r1": "piss off", "r2": "good"}, lists(["i1"]))
    assert (found.cases, found.violations) == (5, 0)
    assert "1 of 2 titles and 1 of 2 reviews are kept back" in found.sentence


@pytest.mark.parametrize(
    "tables",
    [
        lists(["i1", "i2"]),
        lists(["i1"], "Goes with 王八蛋"),
        {"ad_audience_summary": pa.table({"campaign_name": ["For morons"], "top_reasons": [["fine"]]})},
        {"ad_audience_summary": pa.table({"campaign_name": ["Spring"], "top_reasons": [["fine", "sluts"]]})},
        {"item_facts": pa.table({"title": ["Tea for morons"]})},
        {"answers": pa.table({"question": ["What of tea?"], "answer": ["It is shit"]})},
        {"item_sentiment": pa.table({"item_id": ["i1"], "evidence": [[{"review_id": "r1"}]]})},
    ],
)
def test_what_would_be_shown_is_a_violation(tables: dict[str, pa.Table]) -> None:
    assert audited(TITLES, {"r1": "piss off"}, tables).violations == 1


def test_an_items_own_row_of_sentiment_shows_nobody_its_title() -> None:
    table = pa.table({"item_id": ["i2"], "evidence": pa.array([[]], pa.list_(pa.struct([("review_id", pa.string())])))})
    assert audited(TITLES, {}, {"item_sentiment": table}).violations == 0
    assert audited({}, {}, {}).cases == 0
