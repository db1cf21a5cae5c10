"""Gates: planted defects and crashes block, empty or toothless suites refuse, Data Docs stand and quote nobody."""

import json
import re
from collections import defaultdict
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.dataset import dataset

from pipeline import gates
from pipeline.errors import ConfigError, Refused
from tests.gate_rows import DAY, KEYS, ROWS, frame

BETWEEN, IN_SET, REGEX = "values_to_be_between", "values_to_be_in_set", "values_to_match_regex"
NULL, LENGTH, PAIR, UNIQUE = "not_be_null", "value_lengths", "pair_values_a_to_be_greater", "to_be_unique"
# Suite, what is changed, in how many of the first rows, the expectation that must notice.
DEFECTS = [
    ("feed_events", {"event_id": "e0"}, 4, UNIQUE),
    ("feed_events", {"kind": "stare"}, 1, IN_SET),
    ("feed_events", {"item_id": None}, 1, NULL),
    ("feed_events", {"amount_cents": 3}, 4, "mean_to_be_between"),
    ("feed_events", {"amount_cents": -5}, 1, BETWEEN),
    ("feed_events", {"user_key": "alice@example.org"}, 1, REGEX),
    ("feed_events", {"source": "another shop"}, 1, "unique_value_count"),
    ("feed_items", {"currency": "EUR"}, 1, "unique_value_count"),
    ("feed_items", {"item_id": "i0"}, 2, UNIQUE),
    ("feed_items", {"category": None}, 2, NULL),
    ("feed_users", {"user_key": KEYS[0]}, 2, UNIQUE),
    ("feed_campaigns", {"ends_on": date(2017, 1, 1)}, 1, PAIR),
    ("feed_contacts", {"contact_kind": "hug"}, 1, IN_SET),
    ("feed_contacts", {"contact_propensity": None}, 1, NULL),
    ("feed_placements", {"store_count": 0}, 1, BETWEEN),
    ("feature_catalogue", {"price_cents": None}, 1, NULL),
    ("feature_catalogue", {"is_recommendable": False}, 4, "mean_to_be_between"),
    ("feature_catalogue", {"is_listable": False}, 1, IN_SET),
    ("feature_sequences", {"sequence_days": [1]}, 1, "pair_values_to_be_equal"),
    ("recommendations", {"rank": 0}, 1, BETWEEN),
    ("recommendations", {"item_id": "i1"}, 3, UNIQUE),
    ("recommendations", {"surface": "billboard"}, 1, IN_SET),
    ("recommendations", {"reason": ""}, 1, LENGTH),
    ("recommendations", {"rank": 1}, 24, "mean_to_be_between"),
    ("cart_recommendations", {"context_id": "alice"}, 2, REGEX),
    ("cart_recommendations", {"together": 1}, 1, BETWEEN),
    ("ad_audiences", {"propensity": 1.2}, 1, BETWEEN),
    ("ad_audiences", {"propensity": 0.9}, 4, "mean_to_be_between"),
    ("ad_audiences", {"user_key": KEYS[0]}, 2, UNIQUE),
    ("ad_audiences", {"is_holdout": True}, 2, IN_SET),
    ("ad_audience_summary", {"expected_responses_low": 3.0}, 1, PAIR),
    ("ad_audience_summary", {"withheld_reason": None}, 2, NULL),
    ("ad_audience_summary", {"size": 99}, 1, PAIR),
    ("ad_audience_summary", {"min_size": 99}, 2, BETWEEN),
    ("ad_audience_summary", {"smallest_difference": 1}, 1, PAIR),
    ("ad_audience_summary", {"flapped": 101}, 1, PAIR),
    ("ad_audience_summary", {"planned": 151}, 1, PAIR),
    ("ad_audience_summary", {"planned_cost_cents": 2001.0}, 1, PAIR),
    ("ad_audience_summary", {"plan_reason": None}, 2, NULL),
    ("ad_audiences", {"is_holdout": True, "is_planned": True}, 1, IN_SET),
    ("ad_audiences", {"expected_value_cents": -1.0}, 3, BETWEEN),
    ("ad_audience_summary", {"uplift_reason": None}, 2, NULL),
    ("ad_experiments", {"contact_propensity": 1.0}, 1, BETWEEN),
    ("ad_experiments", {"user_key": KEYS[0]}, 2, UNIQUE),
    ("audits", {"violations": 1}, 1, IN_SET),
    ("audits", {"cases": 0, "sentence": "Within."}, 1, REGEX),
    ("item_exposure", {"exposure_ratio": -1.0}, 1, BETWEEN),
    ("ad_placements", {"item_id": "i2"}, 2, UNIQUE),
    ("open_questions", {"rank": 1}, 2, UNIQUE),
    ("open_questions", {"askers": 1}, 1, BETWEEN),
    ("open_questions", {"times_asked": 7}, 1, PAIR),
    ("open_questions", {"wanted": ""}, 1, LENGTH),
    ("open_questions", {"last_asked_on": date(2017, 1, 1)}, 1, PAIR),
    ("ad_placements", {"campaign_id": None}, 1, NULL),
    ("ad_placements", {"change_cause": "whim"}, 1, IN_SET),
    ("item_facts", {"item_id": "i0"}, 2, UNIQUE),
    ("item_facts", {"price_cents": 0}, 1, BETWEEN),
    ("item_facts", {"currency": "EUR"}, 1, "unique_value_count"),
    ("user_orders", {"user_key": "alice"}, 1, REGEX),
    ("user_orders", {"order_id": "b1"}, 2, UNIQUE),
    ("user_orders", {"order_lines": []}, 1, BETWEEN),
    ("shop_documents", {"document_kind": "rumour"}, 1, IN_SET),
    ("answers", {"asked": "horoscope"}, 1, IN_SET),
    ("answers", {"answer": "See <b>here</b>"}, 1, "not_match_regex"),
    ("answers", {"answer_facts": []}, 1, BETWEEN),
    ("answers", {"confidence": 0.0}, 1, BETWEEN),
    ("user_profiles", {"embedding": [1.0]}, 1, "unique_value_count"),
    ("user_profiles", {"price_band": "gold"}, 1, IN_SET),
    ("user_profiles", {"segment": "vip"}, 1, IN_SET),
    ("user_profiles", {"segment_cause": "data"}, 1, IN_SET),
    ("user_profiles", {"axes": "v1"}, 1, "unique_value_count"),
    ("user_profiles", {"embedding_shift": 1.0}, 2, "mean_to_be_between"),
    ("user_profiles", {"basket_cuts": [2.0, 9.0]}, 1, BETWEEN),
    ("experience", {"rbo": 0.8}, 1, PAIR),
    ("experience", {"voluntary": 3}, 1, PAIR),
    ("experience", {"budget": 3}, 1, BETWEEN),
    ("experience", {"contradictions": 1}, 1, IN_SET),
    ("experience", {"is_stale": True}, 3, IN_SET),
    ("experience", {"voluntary_by_night": [1, 1]}, 1, BETWEEN),
    ("experience", {"user_key": KEYS[0]}, 2, UNIQUE),
    ("change_ledger", {"change": "moved"}, 1, IN_SET),
    ("change_ledger", {"rank_before": None}, 1, NULL),
    ("change_ledger", {"rank_before": 3}, 2, "values_to_be_null"),
    ("change_ledger", {"change_cause": "kept"}, 1, IN_SET),
    ("change_ledger", {"reason": "why"}, 1, LENGTH),
    ("promises", {"violations": 1}, 1, IN_SET),
    ("promises", {"cases": 0, "sentence": "Kept."}, 1, REGEX),
    ("promises", {"cases": 0, "sentence": "No input: none."}, 5, BETWEEN),
    ("promises", {"promise": "G1_replacements"}, 2, "distinct_values_to_contain_set"),
    ("page_layouts", {"slot": 1}, 2, UNIQUE),
    ("page_layouts", {"module": "offers"}, 2, UNIQUE),
    ("page_layouts", {"module": "cuckoo_clock"}, 1, IN_SET),
    ("page_layouts", {"slot": 4}, 1, "pair_values_to_be_equal"),  # G6: an anchor that moved
    ("page_layouts", {"change_cause": "user", "moves_7d": 1, "moved_on": DAY}, 1, IN_SET),  # G6: by choice
    ("page_layouts", {"moves_7d": 2, "moved_on": DAY}, 1, BETWEEN),  # G6: twice in a week
    (
        "page_layouts",
        {"is_anchor": False, "change_cause": "data", "moves_7d": 0},
        1,
        IN_SET,
    ),  # G6: a move that is not counted
    ("page_layouts", {"moves_7d": 1, "moved_on": None}, 1, NULL),
    ("page_layouts", {"value_source": "none", "value": 0.5}, 1, "values_to_be_null"),
    ("page_layouts", {"user_key": "alice"}, 1, REGEX),
    ("run_status", {"rows": 0}, 1, BETWEEN),
    ("run_status", {"table_name": "others"}, 1, "distinct_values_to_contain_set"),
]


@pytest.fixture(scope="module")
def planted() -> dict[int, gates.Verdict]:
    """The verdict on each defect."""
    return verdicts_on_defects()


@cache
def verdicts_on_defects() -> dict[int, gates.Verdict]:
    """One run judges one defect of every suite; another file asks for them, too."""
    rounds: dict[int, dict[str, int]] = defaultdict(dict)
    for number, (suite, *_) in enumerate(DEFECTS):
        rounds[sum(earlier[0] == suite for earlier in DEFECTS[:number])][suite] = number
    verdicts = {}
    for defects in rounds.values():
        frames = {}
        for suite, number in defects.items():
            _, change, rows, _ = DEFECTS[number]
            frames[suite] = frame(suite, [{**row, **change} if n < rows else row for n, row in enumerate(ROWS[suite])])
        with TemporaryDirectory() as docs:
            judged = gates.check(frames, Path(docs))
        verdicts.update({defects[verdict.suite]: verdict for verdict in judged})
    return verdicts


@pytest.mark.parametrize("number", range(len(DEFECTS)), ids=[f"{d[0]}-{'-'.join(d[1])}-{d[3]}" for d in DEFECTS])
def test_planted_defect_is_blocked(planted: dict[int, gates.Verdict], number: int) -> None:
    suite, change, _, expectation = DEFECTS[number]
    verdict = planted[number]
    assert not verdict.passed
    noticed = [
        failure
        for failure in verdict.failures
        if expectation in failure.expectation
        and set(change) & set(failure.column.split(", "))
        and failure.severity == "critical"
    ]
    assert noticed
    assert not any(failure.observed.startswith("could not") for failure in verdict.failures)
    with pytest.raises(Refused, match=rf"{suite}: {noticed[0].expectation} of .*Data Docs"):
        gates.require([verdict])


def test_good_frames_pass_and_docs_stand(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "stale.html").write_text("of an earlier attempt")
    verdicts = gates.check({name: frame(name) for name in ROWS}, docs)
    assert {verdict.suite: verdict.failures for verdict in verdicts} == dict.fromkeys(ROWS, ())
    assert all(v.passed and v.evaluated == len(gates.load_suite(v.suite)["expectations"]) for v in verdicts)
    gates.require(verdicts)
    index = (docs / "index.html").read_text(encoding="utf-8")
    pages = {name: page for page, name in re.findall(r'<a href="([^"]+)">(\w+)</a>', index)}
    assert pages.keys() == ROWS.keys()
    assert all((docs / page).is_file() and page.startswith(f"validations/{name}/") for name, page in pages.items())
    assert "http" not in index  # stands without a network
    assert not (docs / "stale.html").exists()


def test_what_is_read_as_asked_for_is_judged_alike(tmp_path: Path) -> None:
    fallback = frame("recommendations", [{**row, "is_fallback": True, "rank": 0} for row in ROWS["recommendations"]])
    pq.write_table(fallback, tmp_path / "rows.parquet", row_group_size=5)
    read = gates.check({"recommendations": dataset(tmp_path / "rows.parquet")}, tmp_path / "docs")
    assert read == gates.check({"recommendations": fallback}, tmp_path / "docs") and not read[0].passed


def test_warnings_are_reported_and_do_not_block(tmp_path: Path) -> None:
    fallback = frame("recommendations", [{**row, "is_fallback": True} for row in ROWS["recommendations"]])
    (verdict,) = gates.check({"recommendations": fallback}, tmp_path)
    assert verdict.passed
    gates.require([verdict])
    (failure,) = verdict.failures
    assert (failure.column, failure.severity) == ("is_fallback", "warning")
    assert "24 of 24 rows (100.00%" in failure.observed
    assert failure.why
    assert json.loads(json.dumps(verdict.as_dict())) == {
        "suite": "recommendations",
        "passed": True,
        "evaluated": verdict.evaluated,
        "failures": [
            {
                "expectation": "expect_column_values_to_be_in_set",
                "column": "is_fallback",
                "severity": "warning",
                "observed": failure.observed,
                "why": failure.why,
            }
        ],
    }
    assert type(failure.severity) is str


def test_people_are_counted_not_quoted(tmp_path: Path) -> None:
    rows = [{**ROWS["feed_users"][0], "user_key": "alice@example.org"}, *ROWS["feed_users"][1:]]
    (verdict,) = gates.check({"feed_users": frame("feed_users", rows)}, tmp_path)
    assert "alice" not in json.dumps(verdict.as_dict())
    pages = [page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")]
    assert len(pages) >= 3
    assert not any("alice" in page or KEYS[1] in page for page in pages)


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Judge rows by a suite made for the test."""
    monkeypatch.setenv("SHOPKEEL_EXPECTATIONS", str(tmp_path))

    def run(expectations: list[dict], rows: dict[str, list]) -> gates.Verdict:
        (tmp_path / "trial.json").write_text(json.dumps({"name": "trial", "meta": {}, "expectations": expectations}))
        return gates.check({"trial": pa.table(rows)}, tmp_path / "docs")[0]

    return run


def one(kind: str, severity: str = "critical", why: str = "it matters", **kwargs: object) -> dict:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity, "meta": {"why": why}}


@pytest.mark.parametrize(
    "crashing",
    [
        one("column_values_to_be_between", "warning", column="absent", min_value=0),
        one("column_values_to_be_between", "warning", column="words", min_value=0),
        one("column_values_to_be_nice", "warning", column="n"),
        one("column_values_to_not_be_null", "warning", colum="n"),
        one("column_values_to_be_between", "warning", column="n", min_value=5, max_value=1),
    ],
    ids=["absent column", "text compared to a number", "unknown expectation", "misspelt argument", "impossible bounds"],
)
def test_what_cannot_be_judged_blocks_whatever_its_severity(judge, crashing: dict) -> None:
    healthy = one("column_values_to_be_between", column="n", min_value=0)
    verdict = judge([healthy, crashing], {"n": [1, 2], "words": ["a", "b"]})
    assert not verdict.passed
    assert [failure.severity for failure in verdict.failures] == ["critical"]
    with pytest.raises(Refused, match="could not be judged"):
        gates.require([verdict])


@pytest.mark.parametrize(
    ("expectations", "words"),
    [
        ([], "empty"),
        ([one("column_values_to_be_between", column="n")], "no threshold"),
        ([one("column_values_to_be_in_set", column="n", value_set=[])], "no threshold"),
        ([one("column_values_to_not_be_null", column="n", mostly=0)], "no threshold"),
    ],
)
def test_suites_that_cannot_fail_refuse(judge, expectations: list[dict], words: str) -> None:
    with pytest.raises(Refused, match=words):
        judge(expectations, {"n": [1]})


@pytest.mark.parametrize(
    "broken",
    [
        {"expectations": [one("column_values_to_not_be_null", "fatal", column="n")]},
        {"expectations": [one("column_values_to_not_be_null", why="", column="n")]},
        {"expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {}, "severity": "warning"}]},
        {"suite": []},
        [],
    ],
)
def test_malformed_suites_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: object) -> None:
    monkeypatch.setenv("SHOPKEEL_EXPECTATIONS", str(tmp_path))
    (tmp_path / "trial.json").write_text(json.dumps(broken))
    with pytest.raises(ConfigError, match=r"trial\.json"):
        gates.check({"trial": pa.table({"n": [1]})}, tmp_path / "docs")


def test_absent_and_unreadable_suites_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPKEEL_EXPECTATIONS", str(tmp_path))
    with pytest.raises(ConfigError, match=r"trial\.json: no suite"):
        gates.load_suite("trial")
    (tmp_path / "trial.json").write_text("{")
    with pytest.raises(ConfigError, match=r"trial\.json: not a suite"):
        gates.load_suite("trial")


@pytest.mark.parametrize(
    ("expectations", "passes"),
    [
        ([one("table_row_count_to_be_between", min_value=1)], False),
        (
            [
                one("table_row_count_to_be_between", max_value=9),
                one("column_mean_to_be_between", column="n", max_value=1),
            ],
            True,
        ),
        ([one("column_values_to_not_be_null", column="n")], False),
    ],
    ids=["rows are a must", "none is fine", "the suite does not say"],
)
def test_no_rows(judge, expectations: list[dict], passes: bool) -> None:
    verdict = judge(expectations, {"n": pa.array([], pa.int64())})
    assert verdict.passed is passes
    assert verdict.evaluated == sum(expectation["type"] == gates.ROW_COUNT for expectation in expectations)


def test_a_column_that_a_shop_never_fills_is_judged_only_where_the_suite_says_so(judge) -> None:
    mean = one("column_mean_to_be_between", column="cents", min_value=1, max_value=9)
    lenient = mean | {"meta": mean["meta"] | {"only_if_any": True}}
    rows = one("table_row_count_to_be_between", min_value=1)
    nothing, cheap = ({"cents": pa.array(values, pa.int64())} for values in ([None, None], [None, 0]))
    assert not judge([rows, mean], nothing).passed
    assert judge([rows, lenient], nothing).passed
    assert not judge([rows, lenient], cheap).passed


def test_rows_without_named_columns_are_counted(judge) -> None:
    assert judge([one("table_row_count_to_be_between", min_value=3, max_value=3)], {"n": [1, 2, 3]}).passed


def test_nothing_judged_is_refused() -> None:
    with pytest.raises(Refused, match="nothing was judged"):
        gates.require([])
