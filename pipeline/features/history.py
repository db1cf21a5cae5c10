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
    known = age >= 0
    user, item, basket, age = timeline.user[known], timeline.item[known], timeline.basket[known], age[known]
    first = np.flatnonzero(_changes(user))
    start, shape = np.r_[first, len(user)], (len(first), len(space.ids))
    pair, habits = _habits(np.repeat(np.arange(shape[0]), np.diff(start)) * shape[1] + item, age)
    row, column = np.divmod(pair, shape[1])
    ends = np.r_[0, np.cumsum(np.bincount(row, minlength=shape[0]))]

    def matrix(values: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((values.astype(np.float32), column.copy(), ends.copy()), shape=shape)

    buyers = np.bincount(column[habits.age < recent_days], minlength=shape[1])
    return History(
        as_of=as_of,
        users=timeline.users.take(pa.array(user[first])),
        baskets=matrix(habits.baskets),
        weight=matrix(habits.weight),
        age=matrix(habits.age + 1),
        gap=matrix(habits.gap),
        buyers_recent=buyers.astype(np.float32),
        stores=_per_item(behaviour.promoted(placements, as_of), "stores", space),
        lines=sequences.Lines(item=item.astype(np.int64), basket=np.cumsum(_changes(basket)), age=age, start=start),
    )


@dataclass(frozen=True)
class _Habits:
    """Of P pairs of a user and an item: baskets, those halved per 30 days, days since the last, days between two."""

    baskets: np.ndarray
    weight: np.ndarray
    age: np.ndarray
    gap: np.ndarray


def _habits(pair: np.ndarray, age: np.ndarray) -> tuple[np.ndarray, _Habits]:
    """The pairs [P], ascending, and their habits, of the pair and the age of each line int64 [N]."""
    span = int(age.max(initial=0)) + 1
    key = np.sort(pair * span + (span - 1 - age))  # of a pair the oldest first
    weights = np.floor(2.0 ** (-np.arange(span) / behaviour.HALF_LIFE_DAYS) * behaviour.MILLIONTHS + 0.5)
    pairs, baskets, weight, newest, gap = _by_pair(key, span, weights)
    return pairs, _Habits(baskets, weight / behaviour.MILLIONTHS, newest, gap)


@numba.njit(nogil=True)
def _by_pair(key: np.ndarray, span: int, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of each pair among sorted keys (pair x span + span - 1 - age): it, lines, their weights, least age, mean gap."""
    count = 0
    for at in range(len(key)):
        count += at == 0 or key[at] // span != key[at - 1] // span
    pairs, lines, newest = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    weight, gap = np.zeros(count), np.zeros(count)
    place, begin, days = -1, 0, 0
    for at in range(len(key)):
        pair, age = key[at] // span, span - 1 - key[at] % span
        if at == 0 or pair != pairs[place]:
            place, begin, days = place + 1, at, 0
        elif key[at] != key[at - 1]:
            days += 1
        pairs[place], lines[place], newest[place] = pair, at - begin + 1, age
        weight[place] += weights[age]
        gap[place] = (span - 1 - key[begin] % span - age) / days if days else 0.0
    return pairs, lines, weight, newest, gap


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
