"""Gates: planted defects and crashes block, empty or toothless suites refuse, Data Docs stand and quote nobody."""

import json
from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import gates
from pipeline.contracts.features import FEATURES
from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Table
from pipeline.contracts.tables import AUDITED, TABLES
from pipeline.errors import ConfigError, Refused

DAY, NOON = date(2017, 11, 30), datetime(2017, 11, 30, 17, tzinfo=UTC)
KEYS = [f"{number:032x}" for number in range(4)]
LANDED = {"ds": DAY, "source": "shop"}
NAMES = (
    "recommendations", "cart_recommendations", "ad_audiences", "ad_audience_summary", "ad_experiments", "user_profiles",
    "page_layouts", "ad_placements",
)  # fmt: skip
WHY = "You often buy it"
PROMISED = ("G1_replacements", "G2_overlap", "G3_week", "G4_devices", "G5_contract", "G6_layouts", "G11_freshness",
            "causes", "experience", "change_ledger", "ad_placements")  # fmt: skip
AFFINITY = [{"name": "Dairy", "share": 0.5, "baskets": 3}]


def feed_rows() -> dict[str, list[dict]]:
    return {
        "feed_events": [
            {
                **LANDED,
                "event_id": f"e{n}",
                "user_key": key,
                "ts": NOON,
                "kind": "purchase",
                "item_id": "i1",
                "surface": "store",
                "device": "store",
                "basket_id": f"b{n}",
                "quantity": 1,
                "amount_cents": 300,
                "price_cents": 300,
            }
            for n, key in enumerate(KEYS)
        ],
        "feed_items": [
            {
                **LANDED,
                "item_id": f"i{n}",
                "title": "Milk, private brand",
                "title_is_composed": True,
                "category": "Dairy",
                "brand": "Private",
                "price_cents": 250,
                "currency": "USD",
                "sold_by_measure": False,
            }
            for n in range(4)
        ],
        "feed_users": [{**LANDED, "user_key": key, "created_at": NOON} for key in KEYS],
        "feed_campaigns": [
            {
                **LANDED,
                "campaign_id": "c1",
                "campaign_name": "Spring",
                "campaign_kind": "Type A",
                "starts_on": DAY,
                "ends_on": DAY,
                "creative": "Coupons for milk",
                "target_item_ids": ["i1"],
            }
        ],
        "feed_contacts": [
            {
                **LANDED,
                "contact_id": f"s{n}",
                "campaign_id": "c1",
                "user_key": key,
                "contact_kind": "send",
                "ts": NOON,
                "is_randomised": n == 0,
                "contact_propensity": 0.5,
            }
            for n, key in enumerate(KEYS)
        ],
        "feed_placements": [
            {
                **LANDED,
                "placement_id": f"p{n}",
                "item_id": f"i{n}",
                "starts_on": DAY,
                "display_location": "0",
                "mailer_location": "A",
                "store_count": 3,
            }
            for n in range(4)
        ],
    }


def feature_rows() -> dict[str, list[dict]]:
    return {
        "feature_user_items": [
            {
                "user_key": key,
                "item_id": item,
                "baskets": int(item[1]) + 1,
                "recent_weight": 0.5,
                "first_on": DAY,
                "last_on": DAY,
            }
            for key in KEYS
            for item in ("i0", "i1")
        ],
        "feature_catalogue": [
            {
                "item_id": f"i{n}",
                "title": "Milk",
                "price_cents": 250,
                "item_text": "milk, private brand",
                "text_hash": f"{n:064x}",
                "baskets": 5,
                "buyers": 4,
                "buyers_recent": 2,
                "is_listable": True,
                "is_recommendable": n < 2,
            }
            for n in range(4)
        ],
        "feature_sequences": [
            {"user_key": key, "sequence": ["i0", "i1", "i0"], "sequence_days": [9, 3, 1]} for key in KEYS
        ],
    }


def table_rows() -> dict[str, list[dict]]:
    return {
        "recommendations": [
            {
                "user_key": key,
                "surface": surface,
                "rank": rank,
                "item_id": f"i{rank}",
                "score": -rank,
                "reason": WHY,
                "is_fallback": False,
            }
            for key in KEYS
            for surface in ("home", "email")
            for rank in (1, 2, 3)
        ],
        "cart_recommendations": [
            {
                "context": context,
                "context_id": key,
                "rank": 1,
                "item_id": "i1",
                "score": 1.0,
                "reason": WHY,
                "lift": 2.0,
                "together": 9,
            }
            for key in KEYS
            for context in ("item", "basket")
        ],
        "ad_audiences": [
            {
                "campaign_id": "c1",
                "rank": n + 1,
                "user_key": key,
                "propensity": 0.2,
                "expected_value_cents": 12.0,
                "decile": 1,
                "is_holdout": False,
                "is_planned": True,
                "in_since": DAY,
                "reason": WHY,
            }
            for n, key in enumerate(KEYS)
        ],
        "ad_audience_summary": [
            {
                "campaign_id": "c1",
                "campaign_name": "Spring",
                "starts_on": DAY,
                "ends_on": DAY,
                "size": 150,
                "min_size": 100,
                "smallest_difference": 120,
                "entered": 100,
                "left": 100,
                "flapped": 2,
                "last_overlap": 0.9,
                "cost_per_contact_cents": 5.0,
                "budget_cents": 2000.0,
                "spent_cents": 500.0,
                "planned": 140,
                "planned_cost_cents": 700.0,
                "planned_responses": 0.7,
                "planned_value_cents": 900.0,
                "measured_uplift": 0.1,
                "measured_uplift_low": 0.05,
                "measured_uplift_high": 0.15,
                "expected_responses": 0.8,
                "expected_responses_low": 0.1,
                "expected_responses_high": 2.0,
                "is_published": True,
                "top_reasons": [WHY],
            },
            {
                "campaign_id": "c2",
                "campaign_name": "Autumn",
                "starts_on": DAY,
                "ends_on": DAY,
                "size": 0,
                "min_size": 100,
                "expected_responses": 0.0,
                "is_published": False,
                "withheld_reason": "too small",
                "cost_per_contact_cents": 5.0,
                "spent_cents": 0.0,
                "planned": 0,
                "planned_cost_cents": 0.0,
                "planned_responses": 0.0,
                "planned_value_cents": 0.0,
                "plan_reason": "its audience is withheld",
                "uplift_reason": "nobody was contacted",
            },
        ],
        "ad_experiments": [
            {
                "campaign_id": "c1",
                "user_key": key,
                "is_holdout": False,
                "contact_propensity": 0.95,
                "enrolled_on": DAY,
            }
            for key in KEYS
        ],
        "ad_placements": [
            {
                "user_key": key,
                "surface": "home",
                "slot": slot,
                "campaign_id": campaign,
                "item_id": f"i{slot}",
                "reason": WHY,
                "kept_since": DAY,
                "change_cause": "kept",
                "is_fallback": campaign is None,
            }
            for key in KEYS
            for slot, campaign in ((1, "c1"), (2, None))
        ],
        "user_profiles": [
            {
                "user_key": key,
                "recency_days": 3,
                "baskets_90d": 9,
                "spend_cents_90d": 9000,
                "rhythm_days": 7.0,
                "usual_weekday": "Friday",
                "price_band": band,
                "price_level": 1.1,
                "price_cuts": [0.9, 0.95, 1.05, 1.1],
                "category_affinities": AFFINITY,
                "segment": segment,
                "segment_name": "Shops often",
                "segment_since": DAY,
                "segment_cause": "kept",
                "basket_cuts": [2.0, 3.0, 8.0, 9.0],
                "embedding": [0.6, 0.8],
                "encoder_version": "v1",
                "axes": "v0",
                "embedding_shift": 0.01,
                "summary": "Shops often: about every 7 days",
            }
            for key, band, segment in zip(
                KEYS, ("value", "middle", "premium", "value"), ("loyal", "regular", "new", "new"), strict=True
            )
        ],
        "experience": [
            {
                "user_key": key,
                "surface": "home",
                "state": state,
                "list_size": 20,
                "budget": budget,
                "pinned": 3,
                "voluntary": 0 if state == "new" else 2,
                "forced": 0,
                "voluntary_by_night": [0, 0, 0, 0, 0, 1, 0 if state == "new" else 2],
                "voluntary_7d": 3,
                "unchanged_nights": 0,
                "is_stale": False,
                "rbo": None if state == "new" else 0.93,
                "rbo_floor": None if state == "new" else 0.84,
                "churn": None if state == "new" else 0.1,
                "coherence": 0.8,
                "calibration_kl": 0.4,
                "contradictions": 0,
            }
            for key, state, budget in zip(KEYS, ("idle", "idle", "active", "new"), (2, 2, 5, 20), strict=True)
        ],
        "change_ledger": [
            {
                "user_key": key,
                "surface": "home",
                "item_id": item,
                "change": change,
                "rank_before": before,
                "rank_now": now,
                "change_cause": "data",
                "reason": "Made place for milk. What other shoppers did since the last night speaks for it.",
            }
            for key in KEYS
            for item, change, before, now in (("i1", "left", 4, None), ("i2", "entered", None, 4))
        ],
        "promises": [
            {"promise": name, "cases": cases, "violations": 0, "worst": 0.0, "sentence": words}
            for name, cases, words in (
                *((name, 9, "Kept.") for name in PROMISED),
                ("G7_audiences", 0, "No input: the shop hands over no campaigns."),
            )
        ],
        "page_layouts": [
            {
                "user_key": key,
                "surface": surface,
                "slot": slot,
                "module": module,
                "default_slot": slot if module != "complements" else None,
                "is_anchor": slot == 1,
                "value": 0.5,
                "value_source": "replayed",
                "kept_since": DAY,
                "change_cause": "kept" if (slot, surface) != (3, "home") else cause,
                "moves_7d": 0 if cause == "kept" else 1,
                "moved_on": None if cause == "kept" else DAY,
            }
            for key, cause in zip(KEYS, ("kept", "user", "data", "kept"), strict=True)
            for surface in ("home", "cart")
            for slot, module in enumerate(("offers", "buy_again", "complements"), start=1)
        ],
        "run_status": [
            *({"table_name": name, "status": "produced", "rows": 8} for name in NAMES),
            {"table_name": "answers", "status": "no_input", "rows": 0, "status_reason": "no documents"},
        ],
    }


def contract_of(name: str) -> Table:
    layer, _, rest = name.partition("_")
    if layer == "feed":
        return FEEDS[rest].landed
    return FEATURES[rest] if layer == "feature" else (TABLES | AUDITED)[name]


ROWS = {**feed_rows(), **feature_rows(), **table_rows()}


def frame(name: str, rows: list[dict] | None = None) -> pa.Table:
    names = contract_of(name).schema
    return pa.Table.from_pylist(ROWS[name] if rows is None else rows, pa.schema([f.with_nullable(True) for f in names]))


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
    ("feature_user_items", {"recent_weight": 9.0}, 1, PAIR),
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
    ("ad_placements", {"item_id": "i2"}, 2, UNIQUE),
    ("ad_placements", {"campaign_id": None}, 1, NULL),
    ("ad_placements", {"change_cause": "whim"}, 1, IN_SET),
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
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[int, gates.Verdict]:
    """The verdict on each defect; one run judges one defect of every suite."""
    rounds: dict[int, dict[str, int]] = defaultdict(dict)
    for number, (suite, *_) in enumerate(DEFECTS):
        rounds[sum(earlier[0] == suite for earlier in DEFECTS[:number])][suite] = number
    verdicts = {}
    for defects in rounds.values():
        frames = {}
        for suite, number in defects.items():
            _, change, rows, _ = DEFECTS[number]
            frames[suite] = frame(suite, [{**row, **change} if n < rows else row for n, row in enumerate(ROWS[suite])])
        judged = gates.check(frames, tmp_path_factory.mktemp("docs"))
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
    assert all(name in index for name in ROWS)
    assert not (docs / "stale.html").exists()


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
