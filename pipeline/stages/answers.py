"""Stage what the chat reads: item_facts, user_orders, shop_documents, and answers made from the staged tables."""

from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from ibis.backends.duckdb import Backend

from pipeline import engine
from pipeline.answering import served
from pipeline.answering.tools import Shop
from pipeline.contracts.tables import ANSWERS, ITEM_FACTS, SHOP_DOCUMENTS, USER_ORDERS
from pipeline.errors import NoData
from pipeline.features import behaviour
from pipeline.feeds import partitions
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.spans import USERS, Span
from pipeline.tables import answers, item_facts, shop_documents, user_orders
from pipeline.warehouse.staging import Staging


@dataclass(frozen=True)
class Staged:
    """The staged night as the chat's tools read it."""

    staging: Staging

    def table(self, table: str, columns: list[str] | None = None, user_key: str | None = None) -> pa.Table:
        """Rows of a staged table; of one user where a key is given."""
        rows = self.staging.read(table, columns)
        return rows if user_key is None else rows.filter(pc.field("user_key") == user_key)


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Write the facts, then the answers that rest on them, and what the chat makes of their questions."""
    staging = Staging.open(night.warehouse, night.day, night.run)
    connection = desk.connect(night)
    items, events = desk.landed(connection, night, "items"), desk.landed(connection, night, "events")
    if items is None or events is None:
        raise NoData(f"shop {night.shop.name}: no items or no events have landed by {night.day}; run ingest first")
    goods = item_facts.rows(partitions.latest(items, "item_id"), ibis.memtable(desk.catalogue(night)))
    files = [staging.write(ITEM_FACTS, engine.arrow(goods, ITEM_FACTS))]
    lines = _purchases(night, connection, events)
    with staging.parts(USER_ORDERS) as parts:
        for span in Span.all_of(consenting.users(night)[0], USERS):
            parts.add(user_orders.rows(span.lines(lines), night.shop.chat.orders))
    files.append(parts.facts)
    progress(1, 2)
    documents = desk.landed(connection, night, "documents")
    newest = None if documents is None else partitions.latest(documents, "document_id").to_pyarrow()
    files.append(staging.write(SHOP_DOCUMENTS, shop_documents.rows(newest)))
    found = answers.rows(Shop(Staged(staging)), night.shop.chat.answered_items)
    judged = desk.noted(night, "judgement").items()
    serving = {name: judgement["serves"] for name, judgement in judged if judgement["serves"]}
    asked = answers.tried(found, served.answerer(night, Staged(staging), serving))
    files.append(staging.write(ANSWERS, asked))
    if (share := pc.mean(asked.column("is_understood")).as_py()) is not None:
        recorder.metrics({"answers/understood": share})
    progress(2, 2)
    rows = {file.name: file.rows for file in files}
    recorder.metrics({f"rows/{name}": count for name, count in rows.items()})
    facts = {"rows": rows, "empty": "nothing of the kind has arrived"}
    desk.note(night, "answered", facts)
    return facts


def _purchases(night: Night, connection: Backend, events: ir.Table) -> ir.Table:
    """Purchases alone: the night's lines, unless more than these count as taking an item."""
    if night.shop.recommender.signals == behaviour.BOUGHT:
        return desk.lines(night, connection)
    return behaviour.purchases(events, night.shop.zone, night.shop.first_day, night.day)
