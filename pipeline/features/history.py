"""Users × items as index arrays, as of a day: what list models and baselines compute on."""

from dataclasses import dataclass, replace
from datetime import date

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline.features import behaviour, sequences
from pipeline.features.split import between


@dataclass(frozen=True)
class Items:
    """The catalogue as arrays; an item's place is its index everywhere.

    Attributes:
        ids: item ids, sorted.
        recommendable: bool [I].
        listable: bool [I], goods that a list may ever hold; judged purchases are those of listable items.
        text: int [I], row of the item's text vector.
    """

    ids: pa.Array
    recommendable: np.ndarray
    listable: np.ndarray
    text: np.ndarray

    def index(self, ids: pa.ChunkedArray | pa.Array) -> np.ndarray:
        """Places of item ids; -1 where unknown."""
        return np.asarray(pc.fill_null(pc.index_in(ids, self.ids), -1)).astype(np.int64)


@dataclass(frozen=True)
class History:
    """What is known of users and items by the end of a day; U users, I items.

    Attributes:
        as_of: the day.
        users: user keys, sorted.
        baskets: CSR [U, I] baskets that hold the item.
        weight: CSR [U, I] the same, halved per 30 days of age.
        age: CSR [U, I] days since the last purchase, plus one (zero means never).
        gap: CSR [U, I] mean days between purchases, zero when bought on one day only.
        buyers_recent: float [I].
        stores: float [I] stores that promote the item in the week of `as_of`.
        lines: the latest basket lines.
    """

    as_of: date
    users: pa.Array
    baskets: sp.csr_matrix
    weight: sp.csr_matrix
    age: sp.csr_matrix
    gap: sp.csr_matrix
    buyers_recent: np.ndarray
    stores: np.ndarray
    lines: sequences.Lines

    def only(self, users: np.ndarray) -> "History":
        """The same for some users (ascending places): what is measured on them need not be computed for all."""
        return replace(
            self,
            users=self.users.take(pa.array(users)),
            baskets=self.baskets[users],
            weight=self.weight[users],
            age=self.age[users],
            gap=self.gap[users],
            lines=self.lines.only(users),
        )


def items(catalogue: pa.Table, texts: pa.Array) -> Items:
    """Arrays of a catalogue (sorted by item id) over sorted distinct text hashes."""
    return Items(
        ids=catalogue.column("item_id").combine_chunks(),
        recommendable=np.asarray(catalogue.column("is_recommendable")),
        listable=np.asarray(catalogue.column("is_listable")),
        text=np.asarray(pc.index_in(catalogue.column("text_hash"), texts)).astype(np.int64),
    )


def history(
    lines: ir.Table,
    placements: ir.Table | None,
    space: Items,
    as_of: date,
    limit: int,
    recent_days: int = behaviour.RECENT_DAYS,
) -> History:
    """Build the arrays from purchases up to a day.

    Args:
        lines: purchases.
        placements: where items were shown, if the shop says.
        space: the items.
        as_of: last day that counts.
        limit: latest basket lines kept a user.
        recent_days: days of sales by which items are popular.
    """
    bought = behaviour.user_items(lines, as_of).order_by("user_key", "item_id").to_pyarrow()
    recent = sequences.recent_lines(lines, as_of, limit)
    users = pc.unique(bought.column("user_key").combine_chunks())
    shape = (len(users), len(space.ids))
    place = (np.asarray(pc.index_in(bought.column("user_key"), users)), space.index(bought.column("item_id")))
    age = (np.datetime64(as_of) - bought.column("last_on").to_numpy().astype("datetime64[D]")).astype(np.int64) + 1

    def matrix(values: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((np.nan_to_num(values).astype(np.float32), place), shape=shape)

    basket = recent.column("basket_id").combine_chunks()
    changed = np.r_[True, np.asarray(pc.not_equal(basket[1:], basket[:-1]))] if len(basket) else np.zeros(0, bool)
    return History(
        as_of=as_of,
        users=users,
        baskets=matrix(bought.column("baskets").to_numpy()),
        weight=matrix(bought.column("recent_weight").to_numpy()),
        age=matrix(age),
        gap=matrix(bought.column("gap_days").to_numpy()),
        buyers_recent=_per_item(behaviour.item_sales(lines, as_of, recent_days), "buyers_recent", space),
        stores=_per_item(behaviour.promoted(placements, as_of), "stores", space),
        lines=sequences.Lines(
            item=space.index(recent.column("item_id")),
            basket=np.cumsum(changed),
            age=recent.column("age").to_numpy().astype(np.int64),
            start=sequences.offsets(recent.column("user_key")),
        ),
    )


def _per_item(rows: ir.Table | None, column: str, space: Items) -> np.ndarray:
    values = np.zeros(len(space.ids), np.float32)
    if rows is not None:
        table = rows.select("item_id", column).to_pyarrow()
        place = space.index(table.column("item_id"))
        values[place[place >= 0]] = table.column(column).to_numpy()[place >= 0]
    return values


def bought_between(lines: ir.Table, users: pa.Array, space: Items, after: date, upto: date) -> sp.csr_matrix:
    """What users bought in a range of days, listable goods only: bool CSR [U, I]."""
    rows = between(lines, after, upto).select("user_key", "item_id").distinct().to_pyarrow()
    user = np.asarray(pc.fill_null(pc.index_in(rows.column("user_key"), users), -1))
    item = space.index(rows.column("item_id"))
    kept = (user >= 0) & (item >= 0)
    kept[kept] &= space.listable[item[kept]]
    ones = np.ones(int(kept.sum()), bool)
    return sp.csr_matrix((ones, (user[kept], item[kept])), shape=(len(users), len(space.ids)))
