"""Opening what the recommender reads: item space, texts, histories, and its knowledge as of a day."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from pipeline.features import history as histories
from pipeline.features.split import Split
from pipeline.features.timeline import Timeline
from pipeline.models import recommendations
from pipeline.models.recommendations import Knowledge
from pipeline.settings import Night
from pipeline.stages import desk


@dataclass(frozen=True)
class RankingInputs:
    """A night's lines, items and cuts, opened once a stage."""

    night: Night

    @cached_property
    def cut(self) -> Split:
        """The night's dates."""
        return desk.cut(self.night)

    @cached_property
    def lines(self) -> ir.Table:
        """Purchases."""
        return desk.lines(self.night)

    @cached_property
    def timeline(self) -> Timeline:
        """Purchases in order."""
        return desk.timeline(self.night)

    @cached_property
    def catalogue(self) -> pa.Table:
        """The catalogue."""
        return desk.catalogue(self.night)

    @cached_property
    def space(self) -> histories.Items:
        """Items as arrays."""
        return histories.items(self.catalogue, pa.array(desk.text_index(self.catalogue)[0]))

    @cached_property
    def placements(self) -> ir.Table | None:
        """Placements of the weeks that any cut looks at."""
        landed = desk.landed(desk.connect(self.night), self.night, "placements")
        if landed is None:
            return None
        earliest = ibis.literal(self.cut.fit_end) - ibis.interval(days=7)
        return ibis.memtable(landed.filter(landed.starts_on >= earliest).to_pyarrow())

    def texts(self, encoder: str) -> np.ndarray:
        """Unit text vectors of the items: float32 [I, T]."""
        return desk.text_vectors(self.night, self.catalogue, encoder)[self.space.text]

    def history(self, as_of: date) -> histories.History:
        """Users × items as of a day."""
        recent = self.night.shop.recommender.recent_days
        return histories.history(self.timeline, self.placements, self.space, as_of, recent)

    def counted(self, history: histories.History, texts: np.ndarray, *, listed_tonight: bool = False) -> Knowledge:
        """What counting knows as of the history's day; for tonight's lists stock and price count too.

        Args:
            history: users and items.
            texts: float32 [I, T] unit text vectors.
            listed_tonight: leave out what cannot be had.
        """
        allowed = self.space.listable & (history.buyers_recent > 0)
        if listed_tonight:
            allowed &= self.space.recommendable
        return self.known(history, np.flatnonzero(allowed), texts)

    def known(self, history: histories.History, columns: np.ndarray, texts: np.ndarray) -> Knowledge:
        """The same of chosen items: int [R] places that may be listed."""
        shop = self.night.shop
        if shop.recommender.repeats:
            return recommendations.repeated(history, columns, shop.threads)
        return recommendations.once(history, columns, texts, shop.recommender.linear_items, shop.threads)
