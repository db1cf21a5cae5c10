"""Typed read-only tools: what the chat can look up, and nothing else.

`Shop` reads what anybody may know; `Account` the rows of one user, by a filter that stands here and not in any model.
No tool takes a user, so there are no words by which another's rows could be asked for. Not here: what is said of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.answering.facts import Fact, shown
from pipeline.contracts.tables import (
    AD_AUDIENCE_SUMMARY,
    AD_PLACEMENTS,
    CART_RECOMMENDATIONS,
    ITEM_FACTS,
    ITEM_SENTIMENT,
    RECOMMENDATIONS,
    SHOP_DOCUMENTS,
    USER_ORDERS,
    USER_PROFILES,
)

SURFACE = "home"  # the list that the chat recommends from
WHOLE = "(all)"  # item_sentiment's row of an item as a whole
FEW = 5


class Source(Protocol):
    """Tables of one snapshot, or of a staged night."""

    def table(self, table: str, columns: list[str] | None = None, user_key: str | None = None) -> pa.Table:
        """Rows of a table; of one user where a key is given."""


@dataclass(frozen=True)
class Row:
    """One row that was looked up, its values and where they stand."""

    table: str
    key: str
    values: Mapping[str, Any]
    currency: str | None = None

    def fact(self, column: str) -> Fact:
        """A value as a fact."""
        return Fact(self.table, self.key, column, shown(column, self.values[column], self.currency))

    def __getitem__(self, column: str) -> Any:
        """A value as it is."""
        return self.values[column]


@dataclass(frozen=True)
class Order:
    """One order and its items."""

    row: Row
    lines: tuple[tuple[Row, int], ...]  # item, pieces


class Shop:
    """What the shop may tell anybody."""

    def __init__(self, source: Source) -> None:
        """Open the tables; each is read when first asked for."""
        self.source = source

    @cached_property
    def items(self) -> pa.Table:
        """All items, by item id."""
        return self.source.table(ITEM_FACTS.name).combine_chunks()

    @cached_property
    def _places(self) -> dict[str, int]:
        return {item: place for place, item in enumerate(self.items.column("item_id").to_pylist())}

    def item(self, item_id: str) -> Row | None:
        """An item's facts; None when the shop has no such item."""
        place = self._places.get(item_id)
        return None if place is None else self.items_at([place])[0]

    def items_at(self, places: Sequence[int] | np.ndarray) -> list[Row]:
        """Items at places of the table."""
        rows = self.items.take(pa.array(places, pa.int64())).to_pylist()
        return [Row(ITEM_FACTS.name, row["item_id"], row, row["currency"]) for row in rows]

    def opinion(self, item_id: str) -> Row | None:
        """What reviews say of an item as a whole; None without any."""
        found = self._opinions.get(item_id)
        return None if found is None else Row(ITEM_SENTIMENT.name, f"{item_id}/{WHOLE}", found)

    @cached_property
    def _opinions(self) -> dict[str, dict[str, Any]]:
        columns = ["item_id", "aspect", "mentions", "positive_mentions", "negative_mentions", "is_suppressed"]
        rows = self.source.table(ITEM_SENTIMENT.name, columns)
        return {row["item_id"]: row for row in rows.filter(pc.field("aspect") == WHOLE).to_pylist()}

    @cached_property
    def suppressed(self) -> frozenset[str]:
        """Items under the sentiment floor, which nothing recommends."""
        return frozenset(item for item, row in self._opinions.items() if row["is_suppressed"])

    def popular(self) -> list[Row]:
        """The items most users bought of late, ties by item id."""
        rows = self.items
        bought = np.where(rows.column("is_recommendable"), rows.column("buyers_recent"), 0)
        best = np.lexsort((np.arange(len(rows)), -bought))[: FEW + len(self.suppressed)]
        found = self.items_at(best[bought[best] > 0])
        return [row for row in found if row.key not in self.suppressed][:FEW]

    def goes_with(self, item_id: str) -> list[tuple[Row, Row]]:
        """What goes with an item: rows of cart_recommendations, and the item each names."""
        rows = self._complements.get(item_id, [])
        found = [(Row(CART_RECOMMENDATIONS.name, f"item/{item_id}/{row['rank']}", row), row["item_id"]) for row in rows]
        return [(row, item) for row, name in found[:FEW] if (item := self.item(name)) is not None]

    @cached_property
    def _complements(self) -> dict[str, list[dict[str, Any]]]:
        rows = self.source.table(CART_RECOMMENDATIONS.name, ["context", "context_id", "rank", "item_id", "reason"])
        out: dict[str, list[dict[str, Any]]] = {}
        for row in rows.filter(pc.field("context") == "item").to_pylist():
            out.setdefault(row["context_id"], []).append(row)
        return out

    @cached_property
    def campaigns(self) -> list[Row]:
        """Live campaigns, by id."""
        columns = ["campaign_id", "campaign_name", "starts_on", "ends_on"]
        rows = self.source.table(AD_AUDIENCE_SUMMARY.name, columns).to_pylist()
        return [Row(AD_AUDIENCE_SUMMARY.name, row["campaign_id"], row) for row in rows if ":" not in row["campaign_id"]]

    @cached_property
    def documents(self) -> list[Row]:
        """Policies, answers and guides, by id."""
        rows = self.source.table(SHOP_DOCUMENTS.name).to_pylist()
        return [Row(SHOP_DOCUMENTS.name, row["document_id"], row) for row in rows]


class Account:
    """What the signed-in user may know of themselves: every read is of this user's rows."""

    def __init__(self, source: Source, shop: Shop, user_key: str) -> None:
        """Sign in: the key comes from whoever checked who the user is, never from the talk."""
        self._source, self._shop, self._user_key = source, shop, user_key

    def _mine(self, table: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
        rows = self._source.table(table, columns, user_key=self._user_key)
        if "user_key" in rows.column_names:  # a source that forgot the filter must not be trusted
            rows = rows.filter(pc.field("user_key") == self._user_key)
        return rows.to_pylist()

    @cached_property
    def orders(self) -> list[Order]:
        """The last orders, latest first."""
        found = []
        for row in self._mine(USER_ORDERS.name):
            lines = [(self._shop.item(line["item_id"]), int(line["quantity"])) for line in row["order_lines"]]
            values = {name: row[name] for name in ("order_id", "ordered_on", "order_cents", "order_rank")}
            named = tuple((item, pieces) for item, pieces in lines if item is not None)
            found.append(
                Order(Row(USER_ORDERS.name, f"{row['order_rank']}", values, self._currency(named)), named),
            )
        return sorted(found, key=lambda order: order.row["order_rank"])

    @staticmethod
    def _currency(lines: tuple[tuple[Row, int], ...]) -> str | None:
        return lines[0][0].currency if lines else None

    def order(self, order_id: str) -> Order | None:
        """One of the user's own orders; None for every other number, whoever's it is."""
        return next((order for order in self.orders if order.row["order_id"] == order_id), None)

    def last_with(self, item_ids: frozenset[str]) -> tuple[Order, Row] | None:
        """The latest order that holds one of some items."""
        for order in self.orders:
            for item, _pieces in order.lines:
                if item.key in item_ids:
                    return order, item
        return None

    @cached_property
    def bought(self) -> dict[str, date]:
        """Items of the last orders, and when each was bought last."""
        return {item.key: order.row["ordered_on"] for order in reversed(self.orders) for item, _pieces in order.lines}

    def recommended(self) -> list[tuple[Row, Row]]:
        """The first places of the user's own list: its rows, and the item each names."""
        columns = ["user_key", "surface", "rank", "item_id", "reason"]
        rows = [row for row in self._mine(RECOMMENDATIONS.name, columns) if row["surface"] == SURFACE]
        found = [
            (Row(RECOMMENDATIONS.name, f"{SURFACE}/{row['rank']}", row), self._shop.item(row["item_id"]))
            for row in sorted(rows, key=lambda row: row["rank"])[:FEW]
        ]
        return [(row, item) for row, item in found if item is not None]

    def offers(self) -> list[tuple[Row, Row, Row]]:
        """Ads of the home page that a live campaign pays for: placement, campaign, item."""
        columns = ["user_key", "surface", "slot", "campaign_id", "item_id"]
        rows = [row for row in self._mine(AD_PLACEMENTS.name, columns) if row["surface"] == SURFACE]
        campaigns = {row.key: row for row in self._shop.campaigns}
        found = []
        for row in sorted(rows, key=lambda row: row["slot"]):
            campaign, item = campaigns.get(row["campaign_id"] or ""), self._shop.item(row["item_id"])
            if campaign is not None and item is not None:
                found.append((Row(AD_PLACEMENTS.name, f"{SURFACE}/{row['slot']}", row), campaign, item))
        return found

    def profile(self) -> Row | None:
        """The one sentence that says who the user is as a shopper; None when nothing is known."""
        rows = self._mine(USER_PROFILES.name, ["user_key", "summary"])
        return Row(USER_PROFILES.name, "own", rows[0]) if rows else None
