"""What the features stage leaves for models and tables, as of the business day."""

from pipeline.contracts import columns as c
from pipeline.contracts.table import Table

OWNER = "personalisation team"

CATALOGUE = Table(
    "catalogue", "one item", "Items as models see them: text, price, sales and whether they may stand in a list.",
    (c.item_id, c.title, c.category, c.brand, c.price_cents, c.item_text, c.text_hash, c.baskets, c.buyers,
     c.buyers_recent, c.is_listable, c.is_recommendable),
    ("item_id",), ("item_id",), OWNER,
    ("title", "item_text", "text_hash", "baskets", "buyers", "buyers_recent", "is_listable", "is_recommendable"),
)
SEQUENCES = Table(
    "sequences", "one user", "Each user's purchases in order.",
    (c.user_key, c.sequence, c.sequence_days), ("user_key",), ("user_key",), OWNER, ("sequence", "sequence_days"),
)

FEATURES: dict[str, Table] = {table.name: table for table in (CATALOGUE, SEQUENCES)}
