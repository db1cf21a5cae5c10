"""Users × items as index arrays, as of a day: what list models and baselines compute on."""

from dataclasses import dataclass, replace
from datetime import date

import ibis.expr.types as ir
import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline.features import behaviour, sequences
from pipeline.features.split import between
from pipeline.features.timeline import Timeline


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
    timeline: Timeline,
    placements: ir.Table | None,
    space: Items,
    as_of: date,
    recent_days: int = behaviour.RECENT_DAYS,
) -> History:
    """Cut the arrays of a day from the purchases of all days.

    Args:
        timeline: purchases.
        placements: where items were shown, if the shop says.
        space: the items.
        as_of: last day that counts.
        recent_days: days of sales by which items are popular.
    """
    age = (np.datetime64(as_of) - timeline.day).astype(np.int64)
    known = slice(None) if age.min(initial=0) >= 0 else age >= 0
    user, item, basket, age = timeline.user[known], timeline.item[known], timeline.basket[known], age[known]
    first = np.flatnonzero(_changes(user))
    start, shape = np.r_[first, len(user)], (len(first), len(space.ids))
    ends, column, habits = _habits(start, item, age, _weights(int(age.max(initial=0)) + 1), shape[1])

    def matrix(values: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((values, column.copy(), ends.copy()), shape=shape)

    baskets, weight, newest, gap = map(matrix, habits)
    buyers = np.bincount(column[newest.data <= recent_days], minlength=shape[1])
    return History(
        as_of=as_of,
        users=timeline.users.take(pa.array(user[first])),
        baskets=baskets,
        weight=weight,
        age=newest,
        gap=gap,
        buyers_recent=buyers.astype(np.float32),
        stores=_per_item(behaviour.promoted(placements, as_of), "stores", space),
        lines=sequences.Lines(item=item.astype(np.int64), basket=np.cumsum(_changes(basket)), age=age, start=start),
    )


def _weights(ages: int) -> np.ndarray:
    """What a basket of each age counts, in whole millionths: float [A]."""
    return np.asarray(np.floor(2.0 ** (-np.arange(ages) / behaviour.HALF_LIFE_DAYS) * behaviour.MILLIONTHS + 0.5))


@numba.njit(nogil=True)
def _habits(
    start: np.ndarray, item: np.ndarray, age: np.ndarray, weights: np.ndarray, items: int
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """What each user took, by item: baskets with it, these weighed by age, days since the last and one, mean gap.

    Args:
        start: int [U + 1] where each user's lines begin.
        item: int [N] of lines, of a user the oldest first.
        age: int [N] days.
        weights: float [A] as of `_weights`.
        items: how many there are.

    Returns:
        Int32 [U + 1] where a user's pairs begin, int32 [P] items of pairs, and the four, float32 [P] each.
    """
    ends, holder = np.zeros(len(start), np.int32), np.full(items, -1)
    for user in range(len(start) - 1):
        ends[user + 1] = ends[user]
        for line in range(start[user], start[user + 1]):
            ends[user + 1] += holder[item[line]] != user
            holder[item[line]] = user
    size = ends[-1]
    column, gap = np.empty(size, np.int32), np.zeros(size, np.float32)
    baskets, weight, newest = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    lines, days, total = np.zeros(items, np.int64), holder, np.empty(items)
    oldest, latest = np.empty(items, np.int64), np.empty(items, np.int64)
    for user in range(len(start) - 1):
        done = ends[user]
        for line in range(start[user], start[user + 1]):
            one = item[line]
            if not lines[one]:
                column[done] = one
                done += 1
                oldest[one], days[one], total[one] = age[line], 0, 0.0
            elif age[line] != latest[one]:
                days[one] += 1
            lines[one] += 1
            total[one] += weights[age[line]]
            latest[one] = age[line]
        column[ends[user] : done].sort()
        for at in range(ends[user], done):
            one = column[at]
            baskets[at], weight[at], newest[at] = lines[one], total[one] / behaviour.MILLIONTHS, latest[one] + 1
            if days[one]:
                gap[at] = (oldest[one] - latest[one]) / days[one]
            lines[one] = 0
    return ends, column, (baskets, weight, newest, gap)


def _changes(values: np.ndarray) -> np.ndarray:
    """Whether each value differs from the one before: bool [N]."""
    return np.r_[True, values[1:] != values[:-1]][: len(values)]


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
