"""What users touch without taking it (views, clicks, what is put into a basket), and how they rate, as of a day.

Not here: purchases and whatever else counts as taking an item (`behaviour`).
"""

from collections.abc import Callable
from datetime import date
from zoneinfo import ZoneInfo

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from ibis import _

from pipeline.engine import local_day
from pipeline.features.history import Items
from pipeline.features.split import between, known_by

Build = Callable[[ir.Table, ZoneInfo, date, date], ir.Table]
KINDS = ("view", "click", "add_to_cart")
PRIOR = 10  # ratings by which an item of few is drawn to the mean of all


def touches(events: ir.Table, zone: ZoneInfo, first_day: date, last_day: date) -> ir.Table:
    """One row a touch of an item: user_key, item_id, surface, ds (its local day).

    Args:
        events: landed events that have arrived by the business day.
        zone: the shop's time zone.
        first_day: the shop's first day.
        last_day: the business day.
    """
    touched = events.filter(_.kind.isin(KINDS) & _.item_id.notnull())
    day = local_day(touched.ts, zone, first_day, last_day)
    return touched.select("user_key", "item_id", "surface", ds=day)


def ratings(events: ir.Table, zone: ZoneInfo, first_day: date, last_day: date) -> ir.Table:
    """One row a rating: item_id, ds (its local day), hundredths (of a star).

    Args:
        events: landed events that have arrived by the business day.
        zone: the shop's time zone.
        first_day: the shop's first day.
        last_day: the business day.
    """
    rated = events.filter(_.rating.notnull() & _.item_id.notnull())
    day = local_day(rated.ts, zone, first_day, last_day)
    return rated.select("item_id", ds=day, hundredths=(rated.rating * 100).round().cast("int64"))


def touched_between(rows: ir.Table, users: pa.Array, space: Items, after: date, upto: date) -> sp.csr_matrix:
    """How often each user touched each item in a range of days: float32 CSR [U, I]."""
    found = between(rows, after, upto).group_by("user_key", "item_id").agg(times=_.count()).to_pyarrow()
    user = np.asarray(pc.fill_null(pc.index_in(found.column("user_key"), users), -1))
    item = space.index(found.column("item_id"))
    kept = (user >= 0) & (item >= 0)
    times = found.column("times").to_numpy()[kept].astype(np.float32)
    return sp.csr_matrix((times, (user[kept], item[kept])), shape=(len(users), len(space.ids)))


def mean_ratings(rows: ir.Table, space: Items, as_of: date) -> np.ndarray:
    """Mean stars of each item as of a day, drawn to the mean of all by PRIOR ratings; 0 where nobody rated: [I]."""
    found = known_by(rows, as_of).group_by("item_id").agg(n=_.count(), total=_.hundredths.sum()).to_pyarrow()
    item = space.index(found.column("item_id"))
    count, total = (found.column(name).to_numpy()[item >= 0].astype(np.float64) for name in ("n", "total"))
    means = np.zeros(len(space.ids))
    if len(count):
        means[item[item >= 0]] = (total + PRIOR * total.sum() / count.sum()) / (count + PRIOR) / 100
    return means


def on_surfaces(rows: ir.Table, surfaces: tuple[str, ...]) -> ir.Table:
    """Touches that happened on some surfaces."""
    return rows.filter(rows.surface.isin(surfaces))
