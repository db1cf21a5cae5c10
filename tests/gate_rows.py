"""A few good rows of every feed, feature and table, as the gates see them: what a test spoils."""

from datetime import UTC, date, datetime

import pyarrow as pa

from pipeline.contracts.features import FEATURES
from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Table
from pipeline.contracts.tables import AUDITED, TABLES

DAY, NOON = date(2017, 11, 30), datetime(2017, 11, 30, 17, tzinfo=UTC)
KEYS = [f"{number:032x}" for number in range(4)]
LANDED = {"ds": DAY, "source": "shop"}
NAMES = (
    "recommendations", "cart_recommendations", "ad_audiences", "ad_audience_summary", "ad_experiments", "user_profiles",
    "page_layouts", "ad_placements", "item_facts", "answers",
)  # fmt: skip
WHY = "You often buy it"
PROMISED = ("G1_replacements", "G2_overlap", "G3_week", "G4_devices", "G5_contract", "G6_layouts", "G11_freshness",
            "causes", "experience", "change_ledger", "ad_placements", "answers", "answers_kept",
            "answers_understood")  # fmt: skip
AUDITED_FOR = ("exposure_brand", "exposure_price_band", "exposure_popularity", "exposure_newness", "gap_accuracy",
               "gap_calibration", "gap_stability", "consent", "harmful_text")  # fmt: skip
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
        "open_questions": [
            {
                "rank": rank,
                "wanted": "stock",
                "times_asked": 9,
                "askers": 8,
                "common_words": ["parking"],
                "example_questions": ["is there parking"],
                "first_asked_on": date(2017, 11, 1),
                "last_asked_on": DAY,
            }
            for rank in (1, 2)
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
        "audits": [
            {"audit": name, "cases": cases, "violations": 0, "worst": 0.5, "sentence": words}
            for name, cases, words in (
                *((name, 9, "Within.") for name in AUDITED_FOR),
                ("leakage", 0, "No input: no group of people is large enough to be told of."),
            )
        ],
        "item_exposure": [
            {
                "axis": axis,
                "group_name": group,
                "goods": 9,
                "exposure_share": 0.5,
                "merit_share": 0.5,
                "exposure_ratio": 1.0,
                "exposure_penalty": 0.0,
            }
            for axis in ("brand", "price_band", "popularity", "newness")
            for group in ("a", "b")
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
        "item_facts": [
            {
                "item_id": f"i{n}",
                "title": "Milk, private brand",
                "category": "Dairy",
                "brand": "Private",
                "price_cents": 250,
                "price_is_derived": False,
                "currency": "USD",
                "in_stock": True,
                "buyers_recent": 2,
                "is_recommendable": n < 2,
            }
            for n in range(4)
        ],
        "user_orders": [
            {
                "user_key": key,
                "order_rank": rank,
                "order_id": f"b{rank}",
                "ordered_on": DAY,
                "order_cents": 300,
                "order_lines": [{"item_id": "i1", "quantity": 1, "amount_cents": 300}],
            }
            for key in KEYS
            for rank in (1, 2)
        ],
        "shop_documents": [
            {
                "document_id": f"d{n}",
                "document_title": "Returns",
                "document_text": "Goods may be returned within 30 days.",
                "document_kind": "policy",
            }
            for n in range(2)
        ],
        "answers": [
            {
                "asked": asked,
                "subject": "i1",
                "answer_language": language,
                "question": "How much is “Milk, private brand”?",
                "answer": "“Milk, private brand” costs 2.50 USD.",
                "answer_facts": [
                    {"table": "item_facts", "key": "i1", "column": "title", "shown": "Milk, private brand"},
                    {"table": "item_facts", "key": "i1", "column": "price_cents", "shown": "2.50 USD"},
                ],
                "confidence": 1.0,
            }
            for asked in ("price", "stock")
            for language in ("en", "zh")
        ],
        "run_status": [
            *({"table_name": name, "status": "produced", "rows": 8} for name in NAMES),
            {"table_name": "shop_documents", "status": "no_input", "rows": 0, "status_reason": "no documents"},
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
