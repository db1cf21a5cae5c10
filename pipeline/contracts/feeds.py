"""What a shop hands over: one contract a feed, raw and as landed, and what a row must satisfy.

A raw row that breaks a rule is quarantined under the rule's reason; ingest refuses columns and types as `drift` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pipeline.contracts import columns as c
from pipeline.contracts.table import Column, Drift, Table


class Reason(StrEnum):
    """Why a row stands in quarantine."""

    MISSING_VALUE = "missing_value"
    BAD_TYPE = "bad_type"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_SURFACE = "unknown_surface"
    UNKNOWN_DEVICE = "unknown_device"
    UNKNOWN_ITEM = "unknown_item"
    UNKNOWN_CAMPAIGN = "unknown_campaign"
    NON_POSITIVE_AMOUNT = "non_positive_amount"
    NON_POSITIVE_QUANTITY = "non_positive_quantity"
    IMPLAUSIBLE_QUANTITY = "implausible_quantity"
    NEGATIVE_PRICE = "negative_price"
    RATING_OUT_OF_RANGE = "rating_out_of_range"
    AFTER_BUSINESS_DAY = "after_business_day"
    BEFORE_FIRST_DAY = "before_first_day"
    ENDS_BEFORE_START = "ends_before_start"
    PROPENSITY_OUT_OF_RANGE = "propensity_out_of_range"
    NOT_SENT = "not_sent"
    NO_STORES = "no_stores"
    UNKNOWN_SPEAKER = "unknown_speaker"
    STARS_OUT_OF_RANGE = "stars_out_of_range"
    NOTHING_SAID = "nothing_said"
    ERASED = "erased"
    BAD_LINE = "bad_line"
    BAD_ENCODING = "bad_encoding"
    TOO_LONG = "too_long"


REASON_WORDS = {
    Reason.MISSING_VALUE: "a value that must be there is missing",
    Reason.BAD_TYPE: "a value is not of the contract's type",
    Reason.UNKNOWN_KIND: "the kind is none the contract lists",
    Reason.UNKNOWN_SURFACE: "the surface is none the contract lists",
    Reason.UNKNOWN_DEVICE: "the device is none the contract lists",
    Reason.UNKNOWN_ITEM: "the item is in no catalogue that has arrived",
    Reason.UNKNOWN_CAMPAIGN: "the campaign has not arrived",
    Reason.NON_POSITIVE_AMOUNT: "nothing was paid for the line",
    Reason.NON_POSITIVE_QUANTITY: "no piece was bought",
    Reason.IMPLAUSIBLE_QUANTITY: "more pieces than a person carries, and the item is not sold by measure",
    Reason.NEGATIVE_PRICE: "the price is negative",
    Reason.RATING_OUT_OF_RANGE: "the rating is outside 0 to 5",
    Reason.AFTER_BUSINESS_DAY: "it happened after the day it arrived",
    Reason.BEFORE_FIRST_DAY: "it happened before the shop's first day",
    Reason.ENDS_BEFORE_START: "the campaign ends before it starts",
    Reason.PROPENSITY_OUT_OF_RANGE: "the propensity is outside 0 to 1",
    Reason.NOT_SENT: "a response without a send",
    Reason.NO_STORES: "no store placed it",
    Reason.UNKNOWN_SPEAKER: "the speaker is none the contract lists",
    Reason.STARS_OUT_OF_RANGE: "the stars are outside 1 to 5",
    Reason.NOTHING_SAID: "neither stars nor words",
    Reason.ERASED: "the user has asked to be erased; the row was not kept",
    Reason.BAD_LINE: "the line is not a row of its file's format",
    Reason.BAD_ENCODING: "the line is not UTF-8 text",
    Reason.TOO_LONG: "a field is longer than the shop allows",
}

KINDS = ("view", "click", "search", "add_to_cart", "remove_from_cart", "purchase", "rating")
SURFACES = ("home", "category", "search", "product", "cart", "email", "push", "ad", "store")
DEVICES = ("web", "ios", "android", "store")
REVIEW_KINDS = ("review", "feedback", "question", "answer")
USER = "user"
SPEAKERS = (USER, "agent", "bot")
DOCUMENT_KINDS = ("policy", "faq", "guide")
MAX_PIECES = 1000


@dataclass(frozen=True)
class Feed:
    """One feed: the contract of what arrives, from which the landed form follows.

    Attributes:
        defaults: what a value means that the shop leaves out.
    """

    raw: Table
    defaults: Mapping[str, bool] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The feed's name."""
        return self.raw.name

    @property
    def landed(self) -> Table:
        """As kept: the user's name replaced by the user key, arrival day and source added."""
        swap = {c.user_id.name: c.user_key}
        rename = {c.user_id.name: c.user_key.name}
        columns = tuple(swap.get(column.name, column) for column in self.raw.columns)
        key = tuple(rename.get(name, name) for name in self.raw.key)
        required = tuple(rename.get(name, name) for name in self.raw.required)
        return replace(self.raw, columns=(*columns, c.ds, c.source), key=key, order=(c.ds.name, *key),
                       required=(*required, c.ds.name, c.source.name))


def _feed(name: str, grain: str, sentence: str, columns: tuple[Column, ...], key: tuple[str, ...], drift: Drift,
          required: tuple[str, ...] = (), **defaults: bool) -> Feed:
    table = Table(name, grain, sentence, columns, key, key, "platform team", required, drift)
    return Feed(table, defaults)


EVENTS = _feed(
    "events", "one thing a user did", "Behaviour events.",
    (c.event_id, c.user_id, c.session_id, c.ts, c.kind, c.item_id, c.surface, c.device, c.basket_id, c.quantity,
     c.amount_cents, c.price_cents, c.rating, c.query, c.campaign_id, c.position, c.store_id),
    ("event_id",), Drift.DISCARD_ROW, ("user_id", "ts", "kind"),
)
ITEMS = _feed(
    "items", "one item", "The catalogue. A later arrival of an item replaces the earlier.",
    (c.item_id, c.title, c.title_is_composed, c.description, c.category, c.brand, c.price_cents, c.price_is_derived,
     c.currency, c.in_stock, c.package_size, c.sold_by_measure, c.updated_at),
    ("item_id",), Drift.EVOLVE, ("title", "title_is_composed", "price_is_derived", "sold_by_measure"),
    title_is_composed=False, price_is_derived=False, sold_by_measure=False,
)
USERS = _feed(
    "users", "one user", "Consent, and attributes that only audits may read.",
    (c.user_id, c.created_at, c.consent_personalisation, c.consent_ad_user_data, c.consent_ad_personalization,
     c.age_band, c.income_band, c.household_type),
    ("user_id",), Drift.DISCARD_VALUE,
)
CAMPAIGNS = _feed(
    "campaigns", "one campaign", "Campaigns, known from their first day on.",
    (c.campaign_id, c.campaign_name, c.campaign_kind, c.starts_on, c.ends_on, c.creative, c.target_item_ids),
    ("campaign_id",), Drift.FREEZE, ("campaign_name", "starts_on", "ends_on"),
)
CONTACTS = _feed(
    "contacts", "one send or one response", "Who was contacted by which campaign, and who responded.",
    (c.contact_id, c.campaign_id, c.user_id, c.contact_kind, c.ts, c.is_randomised, c.contact_propensity),
    ("contact_id",), Drift.DISCARD_ROW, ("campaign_id", "user_id", "contact_kind", "ts"),
)
PLACEMENTS = _feed(
    "placements", "one item in one place in one week", "Where the shop showed an item: displays and mailers.",
    (c.placement_id, c.item_id, c.starts_on, c.display_location, c.mailer_location, c.store_count),
    ("placement_id",), Drift.DISCARD_ROW, ("item_id", "starts_on", "store_count"),
)
REVIEWS = _feed(
    "reviews", "one review, question or answer", "What users wrote about items.",
    (c.review_id, c.user_id, c.item_id, c.ts, c.stars, c.review_title, c.review_text, c.language, c.review_kind,
     c.parent_id),
    ("review_id",), Drift.DISCARD_ROW, ("user_id", "item_id", "ts", "review_kind"),
)
DIALOGUES = _feed(
    "dialogues", "one turn of a dialogue", "What users and the service said to each other.",
    (c.dialogue_id, c.turn, c.user_id, c.ts, c.speaker, c.utterance, c.intent, c.is_resolved),
    ("dialogue_id", "turn"), Drift.DISCARD_ROW, ("ts", "speaker", "utterance"),
)
DOCUMENTS = _feed(
    "documents", "one document", "Policies, answers and guides. A later arrival of a document replaces the earlier.",
    (c.document_id, c.document_title, c.document_text, c.document_kind, c.updated_at),
    ("document_id",), Drift.EVOLVE, ("document_title", "document_text", "document_kind"),
)

# Catalogue and campaigns land before what refers to them.
FEEDS: dict[str, Feed] = {feed.name: feed for feed in (ITEMS, USERS, CAMPAIGNS, EVENTS, CONTACTS, PLACEMENTS, REVIEWS,
                                                     DIALOGUES, DOCUMENTS)}
