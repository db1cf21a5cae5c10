"""The user_profiles table: who each user is as a shopper, every word backed by a number of the row."""

from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from ibis import _

from pipeline.contracts.tables import USER_PROFILES
from pipeline.features.behaviour import age_days
from pipeline.features.split import known_by

RECENT, LONG = 90, 180
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SEGMENTS = {
    "new": "New shopper",
    "lapsed": "Has not shopped for two months",
    "slipping": "Shops later than usual",
    "loyal": "Shops often",
    "occasional": "Shops now and then",
    "regular": "Regular shopper",
}
BANDS = ("value", "middle", "premium")
CATEGORIES, BRANDS = 5, 3


def visits(lines: ir.Table, as_of: date) -> ir.Table:
    """Visits of each user: recency, first visit, baskets and spend of the last 90 days, rhythm, usual weekday."""
    known = known_by(lines, as_of)
    known = known.mutate(age=age_days(known.ds, as_of))
    recent = known.age < RECENT
    totals = known.group_by("user_key").agg(
        recency_days=_.age.min(),
        first_days=_.age.max(),
        baskets_90d=_.basket_id.nunique(where=recent),
        # Null where the shop tells no amounts.
        spend_cents_90d=ibis.ifelse(
            _.amount_cents.max().notnull(), _.amount_cents.sum(where=recent).fill_null(0), None
        ),
    )
    days = known.select("user_key", "ds").distinct()
    before = days.ds.lag().over(ibis.window(group_by="user_key", order_by="ds"))
    gaps = days.mutate(gap=days.ds.delta(before, unit="day")).filter(_.gap.notnull())
    rhythm = gaps.group_by("user_key").agg(rhythm_days=_.gap.cast("float64").median())
    weekday = known.select("user_key", "basket_id", weekday=known.ds.day_of_week.index()).distinct()
    counted = weekday.group_by("user_key", "weekday").agg(n=_.count())
    first = ibis.row_number().over(ibis.window(group_by="user_key", order_by=[_.n.desc(), _.weekday]))
    usual = counted.mutate(place=first).filter(_.place == 0).select("user_key", usual_weekday="weekday")
    joined = (
        totals.left_join(rhythm, "user_key").drop("user_key_right").left_join(usual, "user_key").drop("user_key_right")
    )
    return joined.order_by("user_key")


def affinities(lines: ir.Table, labels: ir.Table, as_of: date, top: int) -> ir.Table:
    """user_key, name, share, baskets: each user's top labels by share of their basket lines in the last 180 days.

    Args:
        lines: purchases.
        labels: item_id and its label.
        as_of: last day that counts.
        top: labels kept a user.
    """
    known = known_by(lines, as_of)
    known = known.filter(age_days(known.ds, as_of) < LONG).join(labels.filter(_.label.notnull()), "item_id")
    counted = known.group_by("user_key", "label").agg(n=_.count(), baskets=_.basket_id.nunique())
    whole = counted.mutate(share=(counted.n / counted.n.sum().over(ibis.window(group_by="user_key"))).round(4))
    order = ibis.window(group_by="user_key", order_by=[_.n.desc(), _.label])
    best = whole.mutate(place=ibis.row_number().over(order)).filter(_.place < top)
    return best.order_by("user_key", "place").select("user_key", name="label", share="share", baskets="baskets")


def price_levels(lines: ir.Table, prices: ir.Table, as_of: date) -> ir.Table:
    """user_key, level: mean log ratio, in thousandths, of prices paid to the shelf's median, over the last 180 days."""
    known = known_by(lines, as_of)
    known = known.filter(age_days(known.ds, as_of) < LONG)
    shelf = prices.filter(_.price_cents > 0)
    middle = shelf.group_by("label").agg(middle=_.price_cents.cast("float64").median())
    ratio = shelf.join(middle, "label")
    ratio = ratio.select("item_id", log=((ratio.price_cents / ratio.middle).ln() * 1000).round().cast("int64"))
    return known.join(ratio, "item_id").group_by("user_key").agg(level=_.log.sum() / _.log.count())


def segment(row: dict[str, Any], often: float, seldom: float) -> str:
    """Segment code of a user: what they do now against their own rhythm and against others."""
    if row["first_days"] < 28:
        return "new"
    if row["recency_days"] > 60:
        return "lapsed"
    if row["rhythm_days"] and row["recency_days"] > max(14.0, 3 * row["rhythm_days"]):
        return "slipping"
    if row["baskets_90d"] >= often:
        return "loyal"
    return "occasional" if row["baskets_90d"] <= seldom else "regular"


def summary(row: dict[str, Any], currency: str) -> str:
    """The profile in one sentence, made of the row's own values."""
    rhythm = f"shops about every {row['rhythm_days']:g} days" if row["rhythm_days"] else "has shopped on one day only"
    day = f", mostly on {row['usual_weekday']}s" if row["usual_weekday"] else ""
    paid = "" if row["spend_cents_90d"] is None else f" and {row['spend_cents_90d'] / 100:.2f} {currency}"
    spend = f"{row['baskets_90d']} baskets{paid} in the last {RECENT} days"
    shelves = " and ".join(entry["name"].lower() for entry in row["category_affinities"][:2])
    likes = f"; buys {shelves} most" if shelves else ""
    return f"{row['segment_name']}: {rhythm}{day}; {spend}{likes}; {row['price_band']} price band."


def tastes(weight: sp.csr_matrix, texts: np.ndarray) -> np.ndarray:
    """Unit mean text vector of what each user buys, float32 [U, T]; zero where nothing was bought."""
    taste = np.asarray(weight @ texts)
    return np.round(taste / np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-9), 5).astype(np.float32)


def rows(
    visited: pa.Table,
    categories: pa.Table,
    brands: pa.Table,
    levels: pa.Table,
    taste: dict[str, np.ndarray],
    *,
    encoder: str,
    currency: str,
) -> pa.Table:
    """Rows of the table from the parts above."""
    level = dict(zip(levels.column("user_key").to_pylist(), levels.column("level").to_pylist(), strict=True))
    cuts = np.quantile(list(level.values()) or [0.0], [1 / 3, 2 / 3])
    frequency = visited.column("baskets_90d").to_numpy()
    often, seldom = np.quantile(frequency, [2 / 3, 1 / 3]) if len(frequency) else (0, 0)
    shelves, makers = _grouped(categories), _grouped(brands)
    out = []
    for visit in visited.to_pylist():
        key = visit["user_key"]
        code = segment(visit, often, seldom)
        row = {
            **{
                name: visit[name]
                for name in ("user_key", "recency_days", "baskets_90d", "spend_cents_90d", "rhythm_days")
            },
            "usual_weekday": None if visit["usual_weekday"] is None else WEEKDAYS[visit["usual_weekday"]],
            "price_band": BANDS[int(np.searchsorted(cuts, level[key], side="right"))] if key in level else "middle",
            "category_affinities": shelves.get(key, []),
            "brand_affinities": makers.get(key, []),
            "segment": code,
            "segment_name": SEGMENTS[code],
            "embedding": taste.get(key),
            "encoder_version": encoder,
        }
        out.append({**row, "summary": summary(row, currency)})
    return pa.Table.from_pylist(out, schema=USER_PROFILES.schema)


def _grouped(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    out: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        out.setdefault(row.pop("user_key"), []).append(row)
    return out
