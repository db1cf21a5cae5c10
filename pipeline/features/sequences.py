"""Each user's purchases in order, as rows and as index arrays for the sequential model."""

from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
from ibis import _

from pipeline.features.behaviour import age_days
from pipeline.features.split import known_by


@dataclass(frozen=True)
class Lines:
    """Basket lines, user after user, each oldest first.

    Attributes:
        item: int [N] place in the catalogue.
        basket: int [N] another number at each new basket of a user.
        age: int [N] days.
        start: int [U + 1] where each user's lines begin.
    """

    item: np.ndarray
    basket: np.ndarray
    age: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        """How many users."""
        return len(self.start) - 1

    def only(self, users: np.ndarray) -> "Lines":
        """The same for some users (places)."""
        sizes = self.start[users + 1] - self.start[users]
        start = np.r_[0, np.cumsum(sizes)]
        rows = np.arange(start[-1]) + np.repeat(self.start[users] - start[:-1], sizes)
        return Lines(self.item[rows], self.basket[rows], self.age[rows], start)

    def among(self, columns: np.ndarray, items: int) -> "Lines":
        """Only the lines of some items, which are then numbered by their place among those.

        Args:
            columns: int [R] places in the catalogue, ascending.
            items: how many the catalogue has.
        """
        place = np.full(items, -1)
        place[columns] = np.arange(len(columns))
        kept = place[self.item] >= 0
        start = np.r_[0, np.cumsum(kept)][self.start]
        return Lines(place[self.item[kept]], self.basket[kept], self.age[kept], start)

    def lately(self, days: int) -> "Lines":
        """Only the lines of the last days."""
        kept = self.age < days
        start = np.r_[0, np.cumsum(kept)][self.start]
        return Lines(self.item[kept], self.basket[kept], self.age[kept], start)


def recent(lines: ir.Table, as_of: date, limit: int) -> ir.Table:
    """user_key, item_id, age: each user's last `limit` basket lines, oldest first, as of a day.

    Lines of one basket are ordered by a hash of basket and item: the source's order within a basket (item id) would be
    learned as if it were behaviour.
    """
    mixed = _once(lines, as_of)
    newest = ibis.window(group_by="user_key", order_by=[_.ts.desc(), _.basket_id.desc(), _.mix.desc()])
    last = mixed.mutate(place=ibis.row_number().over(newest)).filter(_.place < limit)
    ordered = last.order_by("user_key", ibis.desc("place"))
    return ordered.select("user_key", "item_id", "basket_id", age=age_days(ordered.ds, as_of))


def in_order(lines: ir.Table, as_of: date) -> ir.Table:
    """user_key, item_id, basket_id, ds: all of each user's basket lines in the order of `recent`."""
    ordered = _once(lines, as_of).order_by("user_key", "ts", "basket_id", "mix")
    return ordered.select("user_key", "item_id", "basket_id", "ds")


def _once(lines: ir.Table, as_of: date) -> ir.Table:
    """Each line of a basket once, with a hash of basket and item."""
    once = known_by(lines, as_of).group_by("user_key", "item_id", "basket_id", "ds").agg(ts=_.ts.min())
    return once.mutate(mix=(once.basket_id + once.item_id).hexdigest("md5"))
