"""The user_orders table: each user's last orders with their items, for the user alone."""

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from pipeline.contracts.tables import USER_ORDERS


def rows(lines: ir.Table, most: int) -> pa.Table:
    """One row a user and order, latest first; of one day the later, then the greater number.

    Args:
        lines: purchases: user_key, item_id, basket_id, ds, ts, quantity, amount_cents.
        most: orders of a user at most.
    """
    orders = lines.group_by("user_key", "basket_id").agg(
        ordered_on=_.ds.max(), at=_.ts.max(), order_cents=_.amount_cents.sum()
    )
    latest = ibis.window(group_by="user_key", order_by=[_.at.desc(), _.basket_id.desc()])
    ranked = orders.mutate(order_rank=ibis.row_number().over(latest) + 1).filter(_.order_rank <= most)
    wanted = lines.semi_join(ranked, ["user_key", "basket_id"])
    items = wanted.group_by("user_key", "basket_id", "item_id").agg(
        quantity=_.quantity.sum(), amount_cents=_.amount_cents.sum()
    )
    order = ["user_key", "order_rank", "item_id"]
    held = ranked.join(items, ["user_key", "basket_id"]).order_by(order).to_pyarrow().combine_chunks()
    user, rank = held.column("user_key"), np.asarray(held.column("order_rank"))
    changes = np.asarray(pc.not_equal(user[1:], user[:-1])) | (rank[1:] != rank[:-1])
    starts = np.flatnonzero(np.r_[True, changes][: len(held)])
    fields = ["item_id", "quantity", "amount_cents"]
    lists = pa.ListArray.from_arrays(
        pa.array(np.r_[starts, len(held)], pa.int32()),
        pa.StructArray.from_arrays([held.column(name).combine_chunks() for name in fields], fields),
    )
    first = held.take(pa.array(starts))
    columns = {name: first.column(name) for name in ("user_key", "order_rank", "ordered_on", "order_cents")}
    found = pa.table(columns | {"order_id": first.column("basket_id"), "order_lines": lists})
    return found.select(USER_ORDERS.names)
