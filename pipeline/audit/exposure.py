"""What groups of goods get of all that lists show, against what they merit: by brand, price, popularity and newness.

Not here: the ratio itself (`metrics.exposure`), and what the next night makes of it (`balance.exposure`).
Shapes: I items.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.finding import Finding
from pipeline.contracts.tables import ITEM_EXPOSURE
from pipeline.metrics.exposure import exposure_ratio
from pipeline.metrics.ranking import discounts
from pipeline.policy import AXES, AuditRules

BANDS = ("value", "middle", "premium")
MAIN = 0.05  # share of the merit, or of the goods, under which a group is one of the others
OTHERS, UNKNOWN = "(others)", "(unknown)"
NEW_DAYS, SETTLED_DAYS = 28, 56
DIGITS = 6


def grouped(goods: pd.DataFrame, day: date, first_day: date) -> pd.DataFrame:
    """The group of each item on each axis, by name.

    Price bands are thirds of the price over the median of the category; the head of popularity has half of the recent
    buyers, the middle the next three tenths. An item is new in the four weeks after it was first bought; a shop in its
    first eight weeks has no new items yet.

    Args:
        goods: item_id, brand, shelf, price_cents, merit and first_on of the goods that may be listed [I].
        day: the business day.
        first_day: of the shop.
    """
    level = goods.price_cents / goods.price_cents.groupby(goods.shelf).transform("median")
    cuts = level.quantile([1 / 3, 2 / 3]).to_numpy()
    band = np.where(level.isna(), UNKNOWN, np.array(BANDS, object)[np.searchsorted(cuts, level.fillna(1), "left")])
    is_settled = day - first_day >= timedelta(SETTLED_DAYS)
    is_new = pd.to_datetime(goods.first_on) > pd.Timestamp(day - timedelta(NEW_DAYS))
    return pd.DataFrame(
        {
            "brand": goods.brand.fillna(UNKNOWN).replace("", UNKNOWN),
            "price_band": band,
            "popularity": _popularity(goods.merit.to_numpy(float)),
            "newness": np.where(is_new, "new", "settled") if is_settled else "settled",
        },
        goods.index,
    )


def _popularity(merit: np.ndarray) -> np.ndarray:
    """Head, middle or tail of each item, by the share of the merit that those before it have; ties by place."""
    order = np.argsort(-merit, kind="stable")
    before = np.empty(len(merit))
    before[order] = np.r_[0.0, merit[order].cumsum()[:-1]] / max(merit.sum(), 1)
    return np.select([before < 0.5, before < 0.8], ["head", "middle"], "tail")


def rows(
    goods: pd.DataFrame, groups: pd.DataFrame, shown: pd.DataFrame, penalties: Mapping[tuple[str, str], float]
) -> pa.Table:
    """Rows of item_exposure.

    Args:
        goods: as of `grouped`.
        groups: of `grouped`.
        shown: item_id and rank of every place of every list; what is not among the goods counts for nobody.
        penalties: that tonight's lists were made with, by axis and group.
    """
    weight = pd.Series(discounts(int(shown["rank"].max()))[shown["rank"] - 1] if len(shown) else [], shown.index)
    seen = weight.groupby(shown.item_id).sum().reindex(goods.item_id, fill_value=0.0).to_numpy(float)
    merit, found = goods.merit.to_numpy(float), []
    for axis in AXES:
        names, group = np.unique(pooled(groups[axis], merit), return_inverse=True)
        ratios = exposure_ratio(seen, merit, group)
        shares = [np.bincount(group, of) / (of.sum() or 1) for of in (seen, merit)]
        found += [
            {
                "axis": axis,
                "group_name": name,
                "goods": int((group == number).sum()),
                "exposure_share": round(float(shares[0][number]), DIGITS),
                "merit_share": round(float(shares[1][number]), DIGITS),
                "exposure_ratio": round(float(ratios[number]), DIGITS) if np.isfinite(ratios[number]) else None,
                "exposure_penalty": penalties.get((axis, name), 0.0),
            }
            for number, name in enumerate(names)
        ]
    return ITEM_EXPOSURE.enforce(pa.Table.from_pylist(found, ITEM_EXPOSURE.schema))


def pooled(names: pd.Series, merit: np.ndarray) -> np.ndarray:
    """Groups by name [I], those with little merit together: the ratio of a small group is noise."""
    share = pd.Series(merit, names.index).groupby(names).transform("sum") / max(merit.sum(), 1)
    return np.where(share >= MAIN, names, OTHERS).astype(str)


def made_by_models(lists: pa.Table, least: int) -> pa.Table:
    """Rows of recommendations that a model made; none, if they are lists of fewer people than that.

    Where what is popular stands in for a model, lists are of the head and of what is known, whoever they are for: that
    is no model's bias, and judge has told of it. Lists of a few people show few goods.
    """
    made = lists.filter(pc.invert(lists.column("is_fallback")))
    return made if len(pc.unique(made.column("user_key"))) >= least else made.slice(0, 0)


def findings(found: pa.Table, made: pa.Table, rules: AuditRules) -> list[Finding]:
    """One an axis: groups whose ratio is outside the band that the policy allows; one of goods of no merit is none.

    Args:
        found: rows of item_exposure, of all lists.
        made: the same of the lists of `made_by_models`, of which the least ratio is asked.
        rules: of the policy.
    """
    out = []
    for axis in AXES:
        low, high = rules.exposure[axis]
        judged, own = _judged(found, axis), _judged(made, axis)
        name = f"exposure_{axis}"
        if len(judged) < 2:
            out.append(Finding(name, 0, 0, None, "No input: all goods are of one group, or nothing is shown."))
            continue
        outside = sorted(
            {group for group, row in judged.items() if row["exposure_ratio"] > high}
            | {group for group, row in own.items() if row["exposure_ratio"] < low}
        )
        farthest = max(
            (own or judged).values(), key=lambda row: (abs(np.log(max(row["exposure_ratio"], 1e-9))), row["group_name"])
        )
        words = (
            f"Each {axis.replace('_', ' ')} gets {low} to {high} times the exposure it merits: {len(judged)} groups, "
            f"farthest {farthest['group_name']} at {farthest['exposure_ratio']:.2f}"
            + (
                ""
                if own
                else f"; models made lists of fewer than {rules.least_group} people, so the {low} are not asked for"
            )
            + (f"; outside: {', '.join(outside)}." if outside else ".")
        )
        out.append(Finding(name, len(judged), len(outside), farthest["exposure_ratio"], words))
    return out


def _judged(rows: pa.Table, axis: str) -> dict[str, dict[str, Any]]:
    """Rows of an axis' groups that are large enough to be judged, by name."""
    return {
        row["group_name"]: row
        for row in rows.to_pylist()
        if row["axis"] == axis and row["exposure_ratio"] is not None and row["merit_share"] >= MAIN
    }
