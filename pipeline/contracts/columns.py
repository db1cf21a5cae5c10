"""Every column once: type, unit, sentence, privacy class. Tables list these; a rename is one edit here."""

import pyarrow as pa

from pipeline.contracts.table import Column, Privacy

MOMENT = pa.timestamp("us", tz="UTC")
TEXT = pa.string()
INT = pa.int64()
RANK = pa.int32()
REAL = pa.float64()
FLAG = pa.bool_()
PUBLIC, PSEUDONYM, PERSONAL = Privacy.PUBLIC, Privacy.PSEUDONYM, Privacy.PERSONAL
IDENTIFIER, AUDIT = Privacy.IDENTIFIER, Privacy.AUDIT

# Arrival
ds = Column("ds", pa.date32(), "Local day on which the row arrived.")
source = Column("source", TEXT, "Shop and data set the row came from.")

# People
user_id = Column("user_id", TEXT, "The shop's own name for the user.", IDENTIFIER)
user_key = Column("user_key", TEXT, "Keyed hash (HMAC-SHA-256) that stands for the user.", PSEUDONYM)
created_at = Column("created_at", MOMENT, "When the user was first known.", PERSONAL)
consent_personalisation = Column("consent_personalisation", FLAG, "Consent to a personalised shop; null is no.", PERSONAL)
consent_ad_user_data = Column("consent_ad_user_data", FLAG, "Consent to the use of data for ads; null is no.", PERSONAL)
consent_ad_personalization = Column("consent_ad_personalization", FLAG, "Consent to personalised ads; null is no.", PERSONAL)
age_band = Column("age_band", TEXT, "Age band.", AUDIT)
income_band = Column("income_band", TEXT, "Yearly household income band.", AUDIT)
household_type = Column("household_type", TEXT, "Composition of the household.", AUDIT)

# Events
event_id = Column("event_id", TEXT, "Identifies the event.")
session_id = Column("session_id", TEXT, "Visit the event belongs to.", PERSONAL)
ts = Column("ts", MOMENT, "When it happened.", PERSONAL)
kind = Column("kind", TEXT, "What happened: view, click, search, add_to_cart, remove_from_cart, purchase, rating.", PERSONAL)
surface = Column("surface", TEXT, "Where: home, category, search, product, cart, email, push, ad, store.")
device = Column("device", TEXT, "web, ios, android or store.", PERSONAL)
basket_id = Column("basket_id", TEXT, "Basket the line belongs to.", PERSONAL)
quantity = Column("quantity", INT, "Pieces bought; 1 for goods sold by measure.", PERSONAL, "pieces")
amount_cents = Column("amount_cents", INT, "Paid for the line.", PERSONAL, "hundredths of the currency")
rating = Column("rating", REAL, "Rating given.", PERSONAL, "stars")
query = Column("query", TEXT, "Search text.", PERSONAL)
position = Column("position", RANK, "Place in the list that was shown, 1 first.")
store_id = Column("store_id", TEXT, "Store of the purchase.", PERSONAL)

# Items
item_id = Column("item_id", TEXT, "Identifies the item.")
title = Column("title", TEXT, "Name shown to people.")
title_is_composed = Column("title_is_composed", FLAG, "The name was composed from other columns, the shop gave none.")
description = Column("description", TEXT, "Description.")
category = Column("category", TEXT, "Category path, widest first, separated by ' > '.")
brand = Column("brand", TEXT, "Brand.")
price_cents = Column("price_cents", INT, "Price of one piece.", unit="hundredths of the currency")
price_is_derived = Column("price_is_derived", FLAG, "The price was derived from sales lines, the shop gave none.")
currency = Column("currency", TEXT, "ISO 4217 code.")
in_stock = Column("in_stock", FLAG, "Can be bought; null when the shop does not say.")
package_size = Column("package_size", TEXT, "Size as printed.")
sold_by_measure = Column("sold_by_measure", FLAG, "Sold by volume or weight: quantity is not a count of pieces.")
updated_at = Column("updated_at", MOMENT, "When the item was last changed.")

# Campaigns and contacts
campaign_id = Column("campaign_id", TEXT, "Identifies the campaign.")
campaign_name = Column("campaign_name", TEXT, "Name shown to people.")
campaign_kind = Column("campaign_kind", TEXT, "Kind of campaign as the shop calls it.")
starts_on = Column("starts_on", pa.date32(), "First local day.")
ends_on = Column("ends_on", pa.date32(), "Last local day.")
creative = Column("creative", TEXT, "Text of the creative; composed from the targeted items where the shop gave none.")
target_item_ids = Column("target_item_ids", pa.list_(TEXT), "Items the campaign is about.")
contact_id = Column("contact_id", TEXT, "Identifies the contact or the response.")
contact_kind = Column("contact_kind", TEXT, "send (user was contacted) or response (user acted on it).")
is_randomised = Column("is_randomised", FLAG, "The contact was decided by chance with a known propensity.")
contact_propensity = Column("contact_propensity", REAL, "Probability with which the contact was made.", unit="0 to 1")

# Reviews, dialogues, documents
review_id = Column("review_id", TEXT, "Identifies the review.")
stars = Column("stars", REAL, "Stars given.", PERSONAL, "1 to 5")
review_title = Column("review_title", TEXT, "Headline of the review.", PERSONAL)
review_text = Column("review_text", TEXT, "What was written.", PERSONAL)
language = Column("language", TEXT, "ISO 639-1 code; null when the shop does not say.")
review_kind = Column("review_kind", TEXT, "review, feedback, question or answer.")
parent_id = Column("parent_id", TEXT, "The review this one answers.")
dialogue_id = Column("dialogue_id", TEXT, "Identifies the dialogue.")
turn = Column("turn", INT, "Place in the dialogue, 0 first.")
speaker = Column("speaker", TEXT, "user, agent or bot.")
utterance = Column("utterance", TEXT, "What was said.", PERSONAL)
intent = Column("intent", TEXT, "What the user wants, as the shop labels it.")
is_resolved = Column("is_resolved", FLAG, "The dialogue ended with the user's question answered.")
document_id = Column("document_id", TEXT, "Identifies the document.")
document_title = Column("document_title", TEXT, "Headline of the document.")
document_text = Column("document_text", TEXT, "The document.")
document_kind = Column("document_kind", TEXT, "policy, faq or guide.")

# Placements
placement_id = Column("placement_id", TEXT, "Identifies the placement.")
display_location = Column("display_location", TEXT, "Place in the store, 0 for none.")
mailer_location = Column("mailer_location", TEXT, "Place in the mailer, 0 for none.")
store_count = Column("store_count", INT, "Stores that placed the item so.", unit="stores")

# Features
baskets = Column("baskets", INT, "Baskets that hold the item.", PERSONAL, "baskets")
recent_weight = Column("recent_weight", REAL, "Baskets, each halved per 30 days of age.", PERSONAL, "baskets")
first_on = Column("first_on", pa.date32(), "First local day of purchase.", PERSONAL)
last_on = Column("last_on", pa.date32(), "Last local day of purchase.", PERSONAL)
gap_days = Column("gap_days", REAL, "Mean days between purchases of the item; null under two.", PERSONAL, "days")
item_text = Column("item_text", TEXT, "Text the encoder reads.")
text_hash = Column("text_hash", TEXT, "SHA-256 of the text, by which its vector is kept.")
buyers = Column("buyers", INT, "Users who bought the item.", unit="users")
buyers_recent = Column("buyers_recent", INT, "Users who bought the item lately (the shop's recent_days).", unit="users")
is_listable = Column("is_listable", FLAG, "Goods that a list may ever hold: no fuel, no service line.")
is_recommendable = Column("is_recommendable", FLAG, "May stand in tonight's lists: listable, priced, sold lately.")
sequence = Column("sequence", pa.list_(TEXT), "Item ids in order of purchase, oldest first.", PERSONAL)
sequence_days = Column("sequence_days", pa.list_(INT), "Age of each purchase in days, same order.", PERSONAL, "days")

# Lists
rank = Column("rank", RANK, "Place in the list, 1 first.")
score = Column("score", REAL, "Score that orders the list, rounded to 6 digits.", PERSONAL)
reason = Column("reason", TEXT, "Why, in plain words.", PERSONAL)
is_fallback = Column("is_fallback", FLAG, "Comes from the baseline because the model was refused or knows nothing here.")
context = Column("context", TEXT, "item (goes with this item) or basket (completes this user's open basket).")
context_id = Column("context_id", TEXT, "Item id, or user key of the basket's owner.", PSEUDONYM)
lift = Column("lift", REAL, "How many times likelier together than apart.", unit="ratio")
together = Column("together", INT, "Baskets that hold both.", unit="baskets")

# Audiences
propensity = Column("propensity", REAL, "Calibrated probability that the user responds when contacted.", PERSONAL, "0 to 1")
uplift = Column("uplift", REAL, "Effect of the contact; empty where no contacts were randomised.", PERSONAL, "0 to 1")
expected_value_cents = Column("expected_value_cents", REAL, "Propensity times mean value, less contact cost.", PERSONAL,
                              "hundredths of the currency")
decile = Column("decile", RANK, "1 for the tenth likeliest to respond.", PERSONAL)
is_holdout = Column("is_holdout", FLAG, "Held out of contact at random, by salted hash, to measure the effect.", PERSONAL)
size = Column("size", INT, "Users in the audience, hold-out left out.", unit="users")
expected_responses = Column("expected_responses", REAL, "Sum of propensities.", unit="users")
expected_responses_low = Column("expected_responses_low", REAL, "Lower end of the 95 % interval.", unit="users")
expected_responses_high = Column("expected_responses_high", REAL, "Upper end of the 95 % interval.", unit="users")
is_published = Column("is_published", FLAG, "The audience's rows are in ad_audiences.")
withheld_reason = Column("withheld_reason", TEXT, "Why an audience is withheld; null when it is not.")
platforms_ok = Column("platforms_ok", pa.list_(TEXT), "Ad platforms whose floor the matched audience reaches.")
nearest_campaign_id = Column("nearest_campaign_id", TEXT, "Live campaign whose top fifth overlaps most; null when alone.")
nearest_overlap = Column("nearest_overlap", REAL, "Jaccard overlap of the two top fifths.", unit="0 to 1")
top_reasons = Column("top_reasons", pa.list_(TEXT), "Commonest reasons in the top decile.")

# Profiles
recency_days = Column("recency_days", INT, "Days since the last basket.", PERSONAL, "days")
baskets_90d = Column("baskets_90d", INT, "Baskets in the last 90 days.", PERSONAL, "baskets")
spend_cents_90d = Column("spend_cents_90d", INT, "Spent in the last 90 days; null where the shop gives no prices.", PERSONAL, "hundredths of the currency")
rhythm_days = Column("rhythm_days", REAL, "Median days between baskets; null under two baskets.", PERSONAL, "days")
usual_weekday = Column("usual_weekday", TEXT, "Weekday with most baskets.", PERSONAL)
price_band = Column("price_band", TEXT, "value, middle or premium, against others buying the same categories.", PERSONAL)
affinity = pa.list_(pa.struct([("name", TEXT), ("share", REAL), ("baskets", INT)]))
category_affinities = Column("category_affinities", affinity, "Top categories: share of purchases, and baskets as evidence.",
                             PERSONAL)
brand_affinities = Column("brand_affinities", affinity, "Top brands: share of purchases, and baskets as evidence.", PERSONAL)
segment = Column("segment", TEXT, "Segment code.", PERSONAL)
segment_name = Column("segment_name", TEXT, "Segment in plain words.", PERSONAL)
embedding = Column("embedding", pa.list_(pa.float32()), "Mean text vector of what the user buys, unit length.", PERSONAL)
encoder_version = Column("encoder_version", TEXT, "Encoder whose axes the vector has; compare only within one version.")
summary = Column("summary", TEXT, "The profile in one sentence, from the row's own numbers.", PERSONAL)

# Status
table_name = Column("table_name", TEXT, "Published table.")
status = Column("status", TEXT, "produced, fallback, empty or no_input; beside the warehouse: kept.")
rows = Column("rows", INT, "Rows published.", unit="rows")
status_reason = Column("status_reason", TEXT, "Why it is empty, a fallback or kept; null when produced.")
