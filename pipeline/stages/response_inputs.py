"""Opening what the response model reads: lines, campaigns and contacts as arrays, and its examples."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.features import responses
from pipeline.features.responses import Campaign, Contacts, Lines
from pipeline.feeds import partitions
from pipeline.models import encoder as encoders
from pipeline.models.audiences import Examples, together
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.stages.ranking_inputs import RankingInputs

OBSERVED_DAYS = 14  # a campaign younger than this has not shown yet who responds


@dataclass(frozen=True)
class ResponseInputs:
    """Campaign data of a night, under one encoder version."""

    night: Night
    encoder: str
    _features: dict[tuple[str, int], np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def ranking(self) -> RankingInputs:
        """Items and texts."""
        return RankingInputs(self.night)

    @cached_property
    def campaign_rows(self) -> pa.Table:
        """Campaigns that have arrived; none when the shop has no such feed."""
        rows = desk.landed(desk.connect(self.night), self.night, "campaigns")
        if rows is None:
            return pa.table({"campaign_id": pa.array([], pa.string())})
        return partitions.latest(rows, "campaign_id").order_by("campaign_id").to_pyarrow()

    @cached_property
    def campaigns(self) -> list[Campaign]:
        """Campaigns by first day."""
        return responses.campaign_list(self.campaign_rows, self.ranking.space)

    @cached_property
    def lines(self) -> Lines:
        """Purchases as arrays."""
        bought = desk.read(self.night, desk.LINES)
        return responses.line_arrays(
            bought, pc.unique(bought.column("user_key").combine_chunks()).sort(), self.ranking.space
        )

    @cached_property
    def contacts(self) -> Contacts:
        """Sends and responses as arrays."""
        rows = desk.landed(desk.connect(self.night), self.night, "contacts")
        empty = {"user_key": pa.string(), "campaign_id": pa.string(), "ds": pa.date32(), "contact_kind": pa.string()}
        table = pa.schema(empty).empty_table() if rows is None else rows.select(*empty).order_by(*empty).to_pyarrow()
        return responses.contact_arrays(table, self.lines.users)

    @cached_property
    def texts(self) -> np.ndarray:
        """Unit text vectors of the items."""
        return self.ranking.texts(self.encoder)

    @cached_property
    def creatives(self) -> dict[str, np.ndarray]:
        """Unit text vector of each campaign's creative."""
        settings = self.night.shop.encoder
        encoder = encoders.load(self.night.models, self.encoder, settings.max_tokens, settings.reads_in)
        vectors = encoder.encode([campaign.creative for campaign in self.campaigns])
        return {campaign.id: vector for campaign, vector in zip(self.campaigns, vectors, strict=True)}

    @property
    def today(self) -> int:
        """The business day as a day number."""
        return responses.day_number(self.night.day)

    def features(self, campaign: Campaign, before: int | None = None, creative: np.ndarray | None = None) -> np.ndarray:
        """Every user's features the day before a campaign (or before another day)."""
        day = campaign.starts if before is None else before
        if (campaign.id, day) not in self._features:
            self._features[campaign.id, day] = responses.features(
                campaign,
                day,
                self.lines,
                self.contacts,
                self.texts,
                self.creatives[campaign.id] if creative is None else creative,
            )
        return self._features[campaign.id, day]

    def examples(self, campaigns: Iterable[Campaign], upto: int) -> Examples:
        """Contacted users of some campaigns and whether they had responded by a day."""
        curve = self.arrival(upto)
        parts = [
            Examples(
                np.zeros((0, len(responses.NAMES))),
                np.zeros(0, bool),
                np.zeros(0, int),
                np.zeros(0, object),
                np.zeros(0),
            )
        ]
        for number, campaign in enumerate(campaigns):
            sent, answered = responses.responders(campaign, self.contacts, min(upto, campaign.ends))
            parts.append(
                Examples(
                    self.features(campaign)[sent],
                    answered,
                    np.full(len(sent), number),
                    np.full(len(sent), campaign.kind, dtype=object),
                    np.full(len(sent), responses.arrived(curve, campaign, upto)),
                )
            )
        return together(parts)

    def arrival(self, upto: int) -> np.ndarray:
        """Share of responses that have come by each step of a campaign's run, as known by a day."""
        return responses.arrival(self.campaigns, self.contacts, upto)

    def observed(self, upto: int) -> list[Campaign]:
        """Campaigns that ran long enough by a day."""
        return [campaign for campaign in self.campaigns if campaign.starts <= upto - OBSERVED_DAYS]

    def value_cents(self, campaigns: list[Campaign]) -> float:
        """Mean spend of responders on the advertised goods while a campaign ran; descriptive, no effect of it."""
        spent, people = 0.0, 0
        for campaign in campaigns:
            sent, answered = responses.responders(campaign, self.contacts, self.today)
            buyers = sent[answered]
            lines = self.lines
            during = (lines.day >= campaign.starts) & (lines.day <= min(campaign.ends, self.today))
            aimed = during & np.isin(lines.item, campaign.targets) & np.isin(lines.user, buyers)
            spent, people = spent + float(lines.cents[aimed].sum()), people + len(buyers)
        return round(spent / people, 2) if people else 0.0
