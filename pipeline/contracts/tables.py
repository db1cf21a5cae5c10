"""What a night publishes: one contract a table. `docs/tables.md` is generated from these."""

from pipeline.contracts import columns as c
from pipeline.contracts.table import Table

PERSONALISATION, MARKETING, PLATFORM = "personalisation team", "marketing", "platform team"

RECOMMENDATIONS = Table(
    "recommendations", "one user, surface and rank", "What to show each user on each surface.",
    (c.user_key, c.surface, c.rank, c.item_id, c.score, c.reason, c.kept_since, c.change_cause, c.is_fallback),
    ("user_key", "surface", "rank"), ("user_key", "surface", "rank"), PERSONALISATION,
    ("item_id", "score", "reason", "kept_since", "change_cause", "is_fallback"),
)
CART_RECOMMENDATIONS = Table(
    "cart_recommendations", "one item or open basket, and rank", "What goes with an item, and what completes a basket.",
    # Since when and why are told of a basket's rows alone: what goes with an item is nobody's list.
    (c.context, c.context_id, c.rank, c.item_id, c.score, c.lift, c.together, c.reason, c.kept_since, c.change_cause),
    ("context", "context_id", "rank"), ("context", "context_id", "rank"), PERSONALISATION,
    ("item_id", "score", "reason"),
)
AD_AUDIENCES = Table(
    "ad_audiences", "one campaign and rank", "Whom to contact for each live campaign, likeliest first.",
    (c.campaign_id, c.rank, c.user_key, c.propensity, c.uplift, c.expected_value_cents, c.decile, c.is_holdout,
     c.is_planned, c.in_since, c.reason),
    ("campaign_id", "rank"), ("campaign_id", "rank"), MARKETING,
    ("user_key", "propensity", "expected_value_cents", "decile", "is_holdout", "is_planned", "in_since", "reason"),
)
AD_AUDIENCE_SUMMARY = Table(
    "ad_audience_summary", "one live campaign", "What to expect of each audience, and why one is withheld.",
    (c.campaign_id, c.campaign_name, c.campaign_kind, c.starts_on, c.ends_on, c.size, c.expected_responses,
     c.expected_responses_low, c.expected_responses_high, c.is_published, c.withheld_reason, c.platforms_ok,
     c.nearest_campaign_id, c.nearest_overlap, c.min_size, c.smallest_difference, c.entered, c.left, c.last_overlap,
     c.flapped, c.cost_per_contact_cents, c.budget_cents, c.spent_cents, c.planned, c.planned_cost_cents,
     c.planned_responses, c.planned_value_cents, c.plan_reason, c.measured_uplift, c.measured_uplift_low,
     c.measured_uplift_high, c.uplift_reason, c.top_reasons),
    ("campaign_id",), ("campaign_id",), MARKETING,
    ("campaign_name", "starts_on", "ends_on", "size", "expected_responses", "is_published", "min_size",
     "cost_per_contact_cents", "spent_cents", "planned", "planned_cost_cents", "planned_responses",
     "planned_value_cents"),
)
AD_EXPERIMENTS = Table(
    "ad_experiments", "one campaign and user",
    "Who was drawn to be contacted or held out, when a campaign's audience was first published.",
    (c.campaign_id, c.user_key, c.is_holdout, c.contact_propensity, c.enrolled_on),
    ("campaign_id", "user_key"), ("campaign_id", "user_key"), MARKETING,
    ("is_holdout", "contact_propensity", "enrolled_on"),
)
USER_PROFILES = Table(
    "user_profiles", "one user", "Who each user is as a shopper, with the evidence.",
    (c.user_key, c.recency_days, c.baskets_90d, c.spend_cents_90d, c.rhythm_days, c.usual_weekday, c.price_band,
     c.price_level, c.price_cuts, c.category_affinities, c.brand_affinities, c.segment, c.segment_name, c.segment_since,
     c.segment_before, c.segment_cause, c.basket_cuts, c.embedding, c.encoder_version, c.axes, c.embedding_shift,
     c.summary),
    ("user_key",), ("user_key",), PERSONALISATION,
    ("recency_days", "baskets_90d", "price_band", "segment", "segment_name", "segment_since", "segment_cause",
     "basket_cuts", "axes", "summary"),
)
EXPERIENCE = Table(
    "experience", "one user and surface", "How consistent and how personal each list is, and what of it was promised.",
    (c.user_key, c.surface, c.state, c.list_size, c.budget, c.pinned, c.voluntary, c.forced, c.voluntary_by_night,
     c.voluntary_7d, c.unchanged_nights, c.is_stale, c.rbo, c.rbo_floor, c.churn, c.coherence, c.calibration_kl,
     c.contradictions),
    ("user_key", "surface"), ("user_key", "surface"), PERSONALISATION,
    ("state", "list_size", "budget", "pinned", "voluntary", "forced", "voluntary_by_night", "voluntary_7d",
     "unchanged_nights", "is_stale", "contradictions"),
)
CHANGE_LEDGER = Table(
    "change_ledger", "one user, surface and item that entered or left", "What changed in each list, and why.",
    (c.user_key, c.surface, c.item_id, c.change, c.rank_before, c.rank_now, c.change_cause, c.reason),
    ("user_key", "surface", "item_id"), ("user_key", "surface", "item_id"), PERSONALISATION,
    ("change", "change_cause", "reason"),
)
OPERATING_POINT = Table(
    "operating_point", "one point of the balance", "What each setting gave in a replay, and which one serves.",
    (c.calibration_weight, c.distil_weight, c.budget_idle, c.budget_active, c.pinned_idle, c.accuracy_ratio,
     c.accuracy_ratio_low, c.price_of_consistency, c.idle_rbo, c.mean_coherence, c.mean_calibration_kl, c.exposure_low,
     c.exposure_high, c.parity_gap, c.personalisation, c.is_front, c.is_chosen, c.broken_bounds, c.binding_rules),
    ("calibration_weight", "distil_weight", "budget_idle", "budget_active", "pinned_idle"),
    ("calibration_weight", "distil_weight", "budget_idle", "budget_active", "pinned_idle"), PLATFORM,
    ("is_front", "is_chosen", "broken_bounds", "binding_rules"),
)
PROMISES = Table(
    "promises", "one promise", "Whether each promise of the balance holds on the staged tables.",
    (c.promise, c.cases, c.violations, c.worst, c.sentence), ("promise",), ("promise",), PLATFORM,
    ("cases", "violations", "sentence"),
)
AUDITS = Table(
    "audits", "one audit", "What each audit of fairness, leakage, consent and harmful text found in the staged tables.",
    (c.audit, c.cases, c.violations, c.worst, c.sentence), ("audit",), ("audit",), PLATFORM,
    ("cases", "violations", "sentence"),
)
ITEM_EXPOSURE = Table(
    "item_exposure", "one group of goods", "What groups of goods get of all that lists show, beside what they merit.",
    (c.axis, c.group_name, c.goods, c.exposure_share, c.merit_share, c.exposure_ratio, c.exposure_penalty),
    ("axis", "group_name"), ("axis", "group_name"), PLATFORM,
    ("goods", "exposure_share", "merit_share", "exposure_penalty"),
)
PAGE_LAYOUTS = Table(
    "page_layouts", "one user, surface and slot", "Which module stands where on each user's pages.",
    (c.user_key, c.surface, c.slot, c.module, c.default_slot, c.is_anchor, c.value, c.value_source, c.kept_since,
     c.change_cause, c.moves_7d, c.moved_on),
    ("user_key", "surface", "slot"), ("user_key", "surface", "slot"), PERSONALISATION,
    ("module", "is_anchor", "value_source", "kept_since", "change_cause", "moves_7d"),
)
AD_PLACEMENTS = Table(
    "ad_placements", "one user, surface and ad slot", "Which campaign and item stands in each ad slot.",
    (c.user_key, c.surface, c.slot, c.campaign_id, c.item_id, c.propensity, c.reason, c.kept_since, c.change_cause,
     c.is_fallback),
    ("user_key", "surface", "slot"), ("user_key", "surface", "slot"), MARKETING,
    ("item_id", "reason", "kept_since", "change_cause", "is_fallback"),
)
REVIEW_SENTIMENT = Table(
    "review_sentiment", "one review, question or answer", "What each review says of its item.",
    (c.review_id, c.user_key, c.item_id, c.reviewed_on, c.review_kind, c.language, c.polarity, c.polarity_probability,
     c.stars, c.expected_stars, c.model_version),
    ("review_id",), ("review_id",), PERSONALISATION,
    ("user_key", "item_id", "reviewed_on", "review_kind", "polarity"),
)
ITEM_SENTIMENT = Table(
    "item_sentiment", "one item and aspect", "What reviews say of each item, as a whole and by what they speak of.",
    (c.item_id, c.aspect, c.mentions, c.positive_mentions, c.negative_mentions, c.share_positive, c.share_positive_low,
     c.share_positive_high, c.trend, c.evidence, c.is_suppressed),
    ("item_id", "aspect"), ("item_id", "aspect"), PERSONALISATION,
    ("mentions", "positive_mentions", "negative_mentions", "evidence", "is_suppressed"),
)
ITEM_FACTS = Table(
    "item_facts", "one item", "What the shop may say of each item, to anybody.",
    (c.item_id, c.title, c.category, c.brand, c.package_size, c.price_cents, c.price_is_derived, c.currency, c.in_stock,
     c.buyers_recent, c.is_recommendable),
    ("item_id",), ("item_id",), PERSONALISATION, ("title", "price_is_derived", "buyers_recent", "is_recommendable"),
)
USER_ORDERS = Table(
    "user_orders", "one user and order", "Each user's last orders, for the user alone.",
    (c.user_key, c.order_rank, c.order_id, c.ordered_on, c.order_cents, c.order_lines),
    ("user_key", "order_rank"), ("user_key", "order_rank"), PERSONALISATION, ("order_id", "ordered_on", "order_lines"),
)
SHOP_DOCUMENTS = Table(
    "shop_documents", "one document", "Policies, answers and guides as they stand, for the chat to quote.",
    (c.document_id, c.document_title, c.document_text, c.document_kind),
    ("document_id",), ("document_id",), PERSONALISATION, ("document_title", "document_text", "document_kind"),
)
ANSWERS = Table(
    "answers", "one question and language", "Answers that need no user, with the facts they rest on.",
    (c.asked, c.subject, c.answer_language, c.question, c.answer, c.answer_facts, c.confidence, c.is_understood),
    ("asked", "subject", "answer_language"), ("asked", "subject", "answer_language"), PERSONALISATION,
    ("question", "answer", "answer_facts", "confidence"),
)
OPEN_QUESTIONS = Table(
    "open_questions", "one group of like questions", "What users asked and nobody answered, for people to answer.",
    (c.rank, c.wanted, c.times_asked, c.askers, c.common_words, c.example_questions, c.first_asked_on, c.last_asked_on),
    ("rank",), ("rank",), PERSONALISATION,
    ("wanted", "times_asked", "askers", "common_words", "example_questions", "first_asked_on", "last_asked_on"),
)
RUN_STATUS = Table(
    "run_status", "one published table", "What the night produced, and why a table is empty.",
    (c.table_name, c.status, c.rows, c.status_reason), ("table_name",), ("table_name",), PLATFORM, ("status", "rows"),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        RECOMMENDATIONS, CART_RECOMMENDATIONS, AD_AUDIENCES, AD_AUDIENCE_SUMMARY, AD_EXPERIMENTS, USER_PROFILES,
        PAGE_LAYOUTS, AD_PLACEMENTS,
        EXPERIENCE, CHANGE_LEDGER, OPERATING_POINT, ITEM_EXPOSURE, REVIEW_SENTIMENT, ITEM_SENTIMENT, ITEM_FACTS,
        USER_ORDERS, SHOP_DOCUMENTS, ANSWERS, OPEN_QUESTIONS, RUN_STATUS,
    )
}

# Frames that the audit computes and judges, not published.
AUDITED = {PROMISES.name: PROMISES, AUDITS.name: AUDITS}

# Tables of the plan whose feeds or models no shop has yet: named in run_status, never invented.
STATUS = ("produced", "fallback", "empty", "no_input", "kept")
# What the balance says of a user's list, of a change in it, and of why a place holds what it holds.
STATES = ("new", "active", "idle")
CHANGES = ("entered", "left")
CAUSES = ("kept", "forced", "user", "data", "model", "explore", "first_night")
