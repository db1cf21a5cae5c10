"""Goods that may be listed tonight, in groups by which the audit counts exposure and the balance makes up for it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit import exposure
from pipeline.balance.exposure import penalties
from pipeline.contracts.tables import ITEM_EXPOSURE
from pipeline.policy import AXES
from pipeline.settings import Night
from pipeline.stages import desk


@dataclass(frozen=True)
class Goods:
    """Goods of one night.

    Attributes:
        goods: item_id, brand, shelf, price_cents, merit and first_on of what may be listed.
        groups: their groups by axis.
        penalties: what groups lose tonight, by axis and group.
    """

    goods: pd.DataFrame
    groups: pd.DataFrame
    penalties: dict[tuple[str, str], float]

    @classmethod
    def of(cls, night: Night, shelves: pa.Array) -> "Goods":
        """Open them.

        Args:
            night: whose.
            shelves: category by which each item of the catalogue is compared.
        """
        catalogue, timeline = desk.catalogue(night), desk.timeline(night)
        first = np.full(len(catalogue), np.datetime64("NaT"), timeline.day.dtype)
        np.fmin.at(first, timeline.item, timeline.day)
        known = catalogue.append_column("shelf", shelves).append_column("first_on", pa.array(first))
        known = known.filter(pc.field("is_recommendable"))
        goods = known.select(["item_id", "brand", "shelf", "price_cents", "buyers_recent", "first_on"]).to_pandas()
        goods = goods.rename(columns={"buyers_recent": "merit"})
        before = desk.parent(night)
        last = before.table(ITEM_EXPOSURE.name) if before and ITEM_EXPOSURE.name in before.manifest.tables else None
        groups = exposure.grouped(goods, night.day, night.shop.first_day)
        return cls(goods, groups, penalties(last, night.shop.policy))

    def penalty(self, ids: pa.Array) -> np.ndarray:
        """What each item loses, over all axes within the policy's bound: float [I]; 0 for what may not be listed."""
        return self._lost.reindex(ids.to_pylist(), fill_value=0.0).to_numpy(float)

    @property
    def _lost(self) -> "pd.Series[float]":
        merit = self.goods.merit.to_numpy(float)
        lost = np.zeros(len(self.goods))
        for axis in AXES:
            names = exposure.pooled(self.groups[axis], merit)
            lost += [self.penalties.get((axis, name), 0.0) for name in names]
        return pd.Series(lost, self.goods.item_id.tolist())
