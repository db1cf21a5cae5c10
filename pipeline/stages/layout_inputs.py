"""Opening what page layouts are learned from: the goods modules choose from as of a day, and what users then did."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from ibis import _

from pipeline.features import touches
from pipeline.features.history import History, bought_between
from pipeline.feeds import partitions
from pipeline.models.layouts import Goods
from pipeline.pages import Module
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.stages.ranking_inputs import RankingInputs

LESSONS = 1  # weeks before the judged one; each costs a history, and more of them changed no order
OPEN = timedelta(days=7)  # what was touched longer ago is not to be continued


@dataclass(frozen=True)
class LayoutInputs:
    """What layouts read, opened once a stage."""

    night: Night

    @cached_property
    def ranking(self) -> RankingInputs:
        """Lines, items and cuts."""
        return RankingInputs(self.night)

    @cached_property
    def weeks(self) -> list[tuple[date, date]]:
        """The weeks that teach, oldest first, the judged one last: the day known by, and the last day."""
        cut = self.ranking.cut
        return [*cut.lessons[:LESSONS][::-1], (cut.tune_end, cut.day)]

    @cached_property
    def category(self) -> np.ndarray:
        """Int [I] number of each item's category as profiles name it, -1 for none."""
        goods = ibis.memtable(self.ranking.catalogue)
        label = goods.order_by("item_id").select("is_listable", label=_.category.split(" > ")[1]).to_pyarrow()
        named = pc.and_(label.column("is_listable"), pc.not_equal(label.column("label"), "(unnamed)"))
        labels = pc.if_else(pc.fill_null(named, False), label.column("label"), None)
        names = pc.unique(labels.drop_null()).sort()
        return np.asarray(pc.fill_null(pc.index_in(labels, names), -1)).astype(np.int64)

    @cached_property
    def touched(self) -> ir.Table | None:
        """Touches of the weeks that any cut looks at, in memory; None where the shop logs none."""
        return self._of_events(touches.touches, self.weeks[0][0] - OPEN)

    @cached_property
    def rated(self) -> ir.Table | None:
        """Ratings, in memory; None where nobody rates."""
        return self._of_events(touches.ratings, None)

    def _of_events(self, build: touches.Build, after: date | None) -> ir.Table | None:
        shop, night = self.night.shop, self.night
        events = desk.landed(desk.connect(night), night, "events")
        if events is None:
            return None
        rows = build(events, shop.zone, shop.first_day, night.day)
        found = (rows if after is None else rows.filter(rows.ds > ibis.literal(after))).to_pyarrow()
        return ibis.memtable(found) if len(found) else None

    @cached_property
    def campaigns(self) -> list[tuple[date, date, np.ndarray]]:
        """First and last day of each campaign, and the places of its items."""
        rows = desk.landed(desk.connect(self.night), self.night, "campaigns")
        if rows is None:
            return []
        found = partitions.latest(rows, "campaign_id").order_by("campaign_id")
        found = found.select("starts_on", "ends_on", "target_item_ids").to_pyarrow()
        none = pa.array([], pa.string())
        return [
            (row["starts_on"], row["ends_on"], self.ranking.space.index(pa.array(row["target_item_ids"] or none)))
            for row in found.to_pylist()
        ]

    @cached_property
    def missing(self) -> dict[Module, str]:
        """Modules that the shop has no input for, and why."""
        lacks: dict[Module, str] = {}
        if not self.night.shop.recommender.repeats:
            lacks["buy_again"] = "users of this shop take an item once"
        if not self.campaigns and self.ranking.placements is None:
            lacks["offers"] = "the shop hands over no campaigns and no placements"
        if self.rated is None:
            lacks["top_rated"] = "no event carries a rating"
        if self.touched is None:
            lacks["continue"] = "the shop logs no views, clicks or open baskets"
        return lacks

    def goods(self, as_of: date, *, allowed: np.ndarray) -> Goods:
        """What modules choose from as of a day.

        Args:
            as_of: last day that counts.
            allowed: bool [I] may be listed at all.
        """
        ranking = self.ranking
        history, space = ranking.history(as_of), ranking.space
        offered = history.stores > 0
        for starts, ends, items in self.campaigns:
            if starts <= as_of <= ends:
                offered[items[items >= 0]] = True
        touched = sp.csr_matrix(history.weight.shape, dtype=np.float32)
        if self.touched is not None:
            found = touches.touched_between(self.touched, history.users, space, as_of - OPEN, as_of)
            since = history.age.multiply(found > 0)
            touched = sp.csr_matrix(found - found.multiply((since > 0).multiply(since <= OPEN.days)))
        return Goods(
            history=history,
            listed=allowed & (history.buyers_recent > 0),
            category=self.category,
            offered=offered,
            rating=np.zeros(len(space.ids)) if self.rated is None else touches.mean_ratings(self.rated, space, as_of),
            touched=touched,
            repeats=self.night.shop.recommender.repeats,
        )

    @cached_property
    def _on_pages(self) -> ir.Table | None:
        """Touches on the shop's pages, if any of the weeks has one."""
        if self.touched is None:
            return None
        rows = touches.on_surfaces(self.touched, tuple(self.night.shop.pages.surfaces))
        rows = rows.filter(rows.ds > ibis.literal(self.weeks[0][0]))
        return rows if int(rows.count().execute()) else None

    @property
    def source(self) -> str:
        """What worth is learned from: `logged` touches on the pages, else `replayed` purchases."""
        return "replayed" if self._on_pages is None else "logged"

    def done(self, history: History, after: date, upto: date) -> sp.csr_matrix:
        """What users did with items in a range of days: CSR [U, I]."""
        if self._on_pages is None:
            return bought_between(self.ranking.lines, history.users, self.ranking.space, after, upto)
        return touches.touched_between(self._on_pages, history.users, self.ranking.space, after, upto)
