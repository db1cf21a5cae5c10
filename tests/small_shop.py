"""A shop of a few goods and three users as the chat reads it: a source of tables that stand in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.answering.answerer import Answerer
from pipeline.answering.shelf import Shelf
from pipeline.answering.tools import Account, Shop
from pipeline.contracts.tables import TABLES
from pipeline.settings import Night
from pipeline.tables import answers
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.snapshot import pointer
from pipeline.warehouse.staging import Staging

ANN, BOB, CAT = (letter * 32 for letter in "abc")
CANARY = "CANARY"  # stands in every row of a user who is not signed in
DAY = date(2017, 11, 30)
PLAIN = {"string": "x", "int32": 1, "int64": 1, "double": 0.5, "bool": False, "date32[day]": DAY}

Rows = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Source:
    """Tables by name; a table that is left out is empty."""

    rows: Rows
    filters: bool = True

    def table(self, table: str, columns: list[str] | None = None, user_key: str | None = None) -> pa.Table:
        schema = pa.schema([field.with_nullable(True) for field in TABLES[table].schema])
        found = pa.Table.from_pylist(self.rows.get(table, []), schema)
        if user_key is not None and self.filters:
            found = found.filter(pc.field("user_key") == user_key)
        return found if columns is None else found.select(columns)


def item(number: str, title: str, price: int | None = 199, **more: Any) -> dict[str, Any]:
    plain = {"category": "GROCERY > SHELF", "brand": "Private", "package_size": "6 oz", "currency": "USD"}
    told = {"price_is_derived": False, "in_stock": True, "buyers_recent": 3, "is_recommendable": True}
    return {"item_id": number, "title": title, "price_cents": price} | plain | told | more


def order(user: str, rank: int, number: str, day: date, *goods: str) -> dict[str, Any]:
    lines = [{"item_id": one, "quantity": place, "amount_cents": 100} for place, one in enumerate(goods, start=1)]
    return {
        "user_key": user, "order_rank": rank, "order_id": number, "ordered_on": day, "order_cents": 100 * len(goods),
        "order_lines": lines,
    }  # fmt: skip


def rows() -> dict[str, list[dict[str, Any]]]:
    """What the shop and its users have: everything of Bob and Cat carries a canary."""
    goods = [
        item("10001", "Tomato paste, private brand, 6 oz", 39, buyers_recent=9),
        item("10002", "Tomato paste, national brand, 12 oz", 89),
        item("10003", "Whole milk, private brand, 1 ga", 250, in_stock=False),
        item("10004", "Dark chocolate, national brand, 3.5 oz", None, in_stock=None, buyers_recent=0),
        item("10005", "Dr.Pepper soda, national brand, 12 oz", 120, price_is_derived=True),
        item("10006", "Whole milk, private brand, 1 ga", 270, buyers_recent=1),
        item("10007", "Secret canary goods", 777, is_recommendable=False, buyers_recent=0),
    ]
    lists = [
        {"user_key": user, "surface": "home", "rank": rank, "item_id": number, "reason": reason, "score": -rank,
         "is_fallback": False}
        for user, mark in ((ANN, ""), (BOB, CANARY), (CAT, CANARY))
        for rank, number, reason in (
            (1, "10003", f"You bought it twice, last 3 days ago{mark}"), (2, "10001", f"Fits your baskets{mark}"),
        )
    ]  # fmt: skip
    return {
        "item_facts": goods,
        "item_sentiment": [
            {"item_id": "10001", "aspect": "(all)", "mentions": 12, "positive_mentions": 9, "negative_mentions": 2,
             "evidence": [], "is_suppressed": False},
        ],
        "user_orders": [
            order(ANN, 1, "900001", date(2017, 11, 28), "10001", "10003"),
            order(ANN, 2, "900002", date(2017, 11, 20), "10003"),
            order(BOB, 1, f"{CANARY}-700001", date(2016, 6, 6), "10007"),
            order(BOB, 2, "700002", date(2016, 6, 5), "10007"),
            order(CAT, 1, f"{CANARY}-800001", date(2015, 5, 5), "10007"),
        ],
        "recommendations": lists,
        "cart_recommendations": [
            {"context": "item", "context_id": "10001", "rank": 1, "item_id": "10003", "score": 1.0,
             "reason": "Together in 9 baskets"},
            {"context": "basket", "context_id": BOB, "rank": 1, "item_id": "10007", "score": 1.0, "reason": CANARY},
        ],
        "ad_audience_summary": [
            {"campaign_id": "18", "campaign_name": "Campaign 18", "starts_on": date(2017, 11, 1),
             "ends_on": date(2017, 12, 24)},
        ],
        "ad_placements": [
            {"user_key": user, "surface": "home", "slot": 1, "campaign_id": "18", "item_id": number, "reason": mark,
             "kept_since": DAY, "change_cause": "kept", "is_fallback": False}
            for user, number, mark in ((ANN, "10002", "fits"), (BOB, "10007", CANARY))
        ],
        "user_profiles": [
            {"user_key": user, "summary": words}
            for user, words in ((ANN, "Shops often: about every 7 days"), (BOB, f"{CANARY} lives alone"))
        ],
        "shop_documents": [
            {"document_id": "returns", "document_title": "Returns and refunds", "document_kind": "policy",
             "document_text": "You may return unopened goods within 30 days of purchase.\n\n"
             "Refunds are paid to the card you used within 5 working days."},
            {"document_id": "delivery", "document_title": "Delivery", "document_kind": "faq",
             "document_text": "Shipping costs 4.90 USD. Orders over 50 USD ship free."},
        ],
    }  # fmt: skip


def answerer(given: Rows | None = None, **more: Any) -> tuple[Answerer, Source]:
    """An answerer that goes by words alone, and what it reads."""
    source = Source(rows() if given is None else given)
    shelf = Shelf.of(source.table("answers").to_pylist())
    return Answerer(Shop(source), DAY, shelf=shelf, **more), source


def account(source: Source, shop: Shop, user: str = ANN) -> Account:
    """A signed-in user."""
    return Account(source, shop, user)


def published(night: Night, day: str = "2017-11-30", price: int = 39, **models: str) -> str:
    """The snapshot's id once the real writer has published the shop, with a price of its first item."""
    told = rows()
    told["item_facts"][0]["price_cents"] = price
    told["answers"] = answers.rows(Shop(Source(told)), 10).to_pylist()
    staging = Staging.open(night.warehouse, date.fromisoformat(day), "night", fresh=True)
    for name, contract in TABLES.items():
        full = [whole(name, row) for row in told.get(name, [])]
        staging.write(contract, pa.Table.from_pylist(full, contract.schema))
    now = pointer(night.warehouse)
    return commit(
        night.warehouse,
        staging,
        shop="grocer",
        day=date.fromisoformat(day),
        parent=now,
        models=models,
        policy_hash="p",
        code_version="v",
        requires=Requirements(current=now, verdict_passed=True, tables=frozenset(TABLES)),
    ).snapshot


def whole(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row with the plainest value wherever one must stand and none does."""
    fields = TABLES[name].schema
    return {field.name: None if field.nullable else PLAIN.get(str(field.type), []) for field in fields} | row
