"""What groups of goods get of all that lists show, against what they merit: by brand, price, popularity and newness.

Not here: the ratio itself (`metrics.exposure`), and what the next night makes of it (`balance.exposure`).
Shapes: I items.
"""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

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


def findings(found: pa.Table, rules: AuditRules) -> list[Finding]:
    """One an axis: groups whose ratio is outside the band that the policy allows; one of goods of no merit is none."""
    out = []
    for axis in AXES:
        low, high = rules.exposure[axis]
        judged = [
            row for row in found.to_pylist()
            if row["axis"] == axis and row["exposure_ratio"] is not None and row["merit_share"] >= MAIN
        ]  # fmt: skip
        name = f"exposure_{axis}"
        if len(judged) < 2:
            out.append(Finding(name, 0, 0, None, "No input: all goods are of one group, or nothing is shown."))
            continue
        outside = [row["group_name"] for row in judged if not low <= row["exposure_ratio"] <= high]
        farthest = max(judged, key=lambda row: (abs(np.log(max(row["exposure_ratio"], 1e-9))), row["group_name"]))
        words = (
            f"Each {axis.replace('_', ' ')} gets {low} to {high} times the exposure it merits: {len(judged)} groups, "
            f"farthest {farthest['group_name']} at {farthest['exposure_ratio']:.2f}"
            + (f"; outside: {', '.join(outside)}." if outside else ".")
        )
        out.append(Finding(name, len(judged), len(outside), farthest["exposure_ratio"], words))
    return out
