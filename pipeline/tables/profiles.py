"""The user_profiles table: who each user is as a shopper, every word backed by a number of the row."""

from collections.abc import Mapping
from dataclasses import asdict
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
from pipeline.models import profiles as models
from pipeline.models.axes import Settled
from pipeline.models.profiles import LastNight

RECENT, LONG = 90, 180
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CATEGORIES, BRANDS = 5, 3
BLOCK = 10_000  # users whose rows are Python's own at a time
VISIT = ("user_key", "recency_days", "baskets_90d", "spend_cents_90d", "rhythm_days")


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


def summary(row: Mapping[str, Any], currency: str) -> str:
    """The profile in one sentence, made of the row's own values."""
    often = "day" if row["rhythm_days"] == 1 else f"{row['rhythm_days']:g} days" if row["rhythm_days"] else ""
    rhythm = f"shops about every {often}" if often else "has shopped on one day only"
    day = f", mostly on {row['usual_weekday']}s" if row["usual_weekday"] else ""
    paid = "" if row["spend_cents_90d"] is None else f" and {row['spend_cents_90d'] / 100:.2f} {currency}"
    baskets = f"{row['baskets_90d']} basket{'' if row['baskets_90d'] == 1 else 's'}"
    shelves = " and ".join(entry["name"].lower() for entry in row["category_affinities"][:2])
    likes = f"; buys {shelves} most" if shelves else ""
    return (
        f"{row['segment_name']}: {rhythm}{day}; {baskets}{paid} in the last {RECENT} days{likes}; "
        f"{row['price_band']} price band."
    )


def tastes(weight: sp.csr_matrix, texts: np.ndarray) -> np.ndarray:
    """Unit mean text vector of what each user buys, float32 [U, T]; zero where nothing was bought."""
    taste = np.asarray(weight @ texts)
    return np.round(taste / np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-9), 5).astype(np.float32)


def vector_columns(settled: Settled) -> list[dict[str, Any]]:
    """The columns embedding and embedding_shift of each user."""
    shifts = settled.shift.tolist()
    return [
        {"embedding": vector, "embedding_shift": None if np.isnan(shift) else shift}
        for vector, shift in zip(settled.vectors, shifts, strict=True)
    ]


def cuts(visited: pa.Table, level: Mapping[str, float], night_before: LastNight) -> dict[str, list[float] | None]:
    """The columns basket_cuts and price_cuts: tonight's quantiles, or last night's cuts a step nearer to them.

    Args:
        visited: `visits` of the users.
        level: price levels by user.
        night_before: what was published then.
    """
    before = next(iter(night_before.rows.values()), {"basket_cuts": None, "price_cuts": None})
    tonight = {
        "basket_cuts": models.quantile_cuts(visited.column("baskets_90d"), gap=1) if len(visited) else None,
        "price_cuts": models.quantile_cuts(list(level.values())) if level else None,
    }
    return {
        name: before[name] if target is None else models.moved(before[name], target).tolist()
        for name, target in tonight.items()
    }


def rows(
    visited: pa.Table,
    categories: pa.Table,
    brands: pa.Table,
    levels: pa.Table,
    vectors: Mapping[str, Mapping[str, Any]],
    night_before: LastNight,
    *,
    day: date,
    encoder: str,
    axes: str,
    currency: str,
) -> pa.Table:
    """Rows of the table from the parts above.

    Args:
        visited: `visits` of the users that get a row.
        categories: `affinities` to shelves.
        brands: `affinities` to brands.
        levels: `price_levels`.
        vectors: `vector_columns` by user.
        night_before: what tonight's segments, bands and cuts are held to.
        day: the business day.
        encoder: version of the encoder that serves.
        axes: version of the encoder whose axes the vectors have.
        currency: ISO 4217 code.
    """
    ratio = np.exp(levels.column("level").to_numpy() / 1000).round(4).tolist()
    level = dict(zip(levels.column("user_key").to_pylist(), ratio, strict=True))
    cut, shelves, makers = cuts(visited, level, night_before), _grouped(categories), _grouped(brands)

    def told(visit: Mapping[str, Any]) -> dict[str, Any]:
        key = visit["user_key"]
        last, is_idle = night_before.rows.get(key), key in night_before.idle
        stands = models.standing(visit, last, is_idle=is_idle, cuts=cut["basket_cuts"] or (), day=day)
        band, paid = models.band(level.get(key), last, is_idle=is_idle, cuts=cut["price_cuts"] or ())
        row = {
            **{name: visit[name] for name in VISIT},
            "usual_weekday": None if visit["usual_weekday"] is None else WEEKDAYS[visit["usual_weekday"]],
            "price_band": band,
            "price_level": paid,
            "category_affinities": shelves.get(key, []),
            "brand_affinities": makers.get(key, []),
            **asdict(stands),
            "segment_name": models.SEGMENTS[stands.segment],
            **cut,
            **vectors.get(key, {}),
            "encoder_version": encoder,
            "axes": axes,
        }
        return {**row, "summary": summary(row, currency)}

    blocks = (visited.slice(start, BLOCK).to_pylist() for start in range(0, len(visited) or 1, BLOCK))
    return pa.concat_tables(pa.Table.from_pylist(list(map(told, some)), schema=USER_PROFILES.schema) for some in blocks)


def steadiness(made: pa.Table, night_before: LastNight, day: date) -> dict[str, float]:
    """What moved since the night before, as shares of the users that both nights have; empty on a first night.

    Args:
        made: tonight's rows.
        night_before: what they are compared with.
        day: the business day.
    """
    names = ["user_key", "segment", "segment_since", "segment_before", "segment_cause", "embedding_shift"]
    both = [row for row in made.select(names).to_pylist() if row["user_key"] in night_before.rows]
    if not both:
        return {}
    still = [row for row in both if row["user_key"] in night_before.idle]
    shifts = [row["embedding_shift"] for row in still if row["embedding_shift"] is not None]
    flaps = [models.is_flap(row, night_before.rows[row["user_key"]], day) for row in both]
    measured = {
        "profiles/idle_users": len(still),
        "profiles/segment_changes": _changed(both),
        "profiles/segment_flaps@7": sum(flaps) / len(both),
    }
    if still:
        measured["profiles/idle_segment_changes"] = _changed(still)
    if shifts:
        measured["profiles/idle_cosine"] = 1 - float(np.mean(shifts))
    return measured


def _changed(found: list[dict[str, Any]]) -> float:
    return sum(row["segment_cause"] != "kept" for row in found) / len(found)


def _grouped(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    out: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        out.setdefault(row.pop("user_key"), []).append(row)
    return out
