"""Settings of the audiences: who may be contacted, at what cost, and audiences of the shop's own making."""

from pathlib import Path

from pydantic import Field, model_validator

from pipeline.section import Section


class SegmentSettings(Section):
    """An audience of the shop's own making, beside those of its campaigns."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    where: str | None = Field(default=None, description="attributes, such as department = 'TEA' and baskets_90d > 3")
    item: str | None = Field(default=None, description="an item id: who is likeliest to respond to it")
    like: Path | None = Field(default=None, description="CSV of user_id: who is like them")
    like_share: float = Field(default=0.2, gt=0, le=1, description="share of users that count as like them")

    @model_validator(mode="after")
    def _says_one_thing(self) -> "SegmentSettings":
        if sum(one is not None for one in (self.where, self.item, self.like)) != 1:
            raise ValueError("a segment says one of where, item and like")
        return self


class CampaignSettings(Section):
    """What one campaign may cost, in hundredths of the currency."""

    budget: float | None = Field(default=None, ge=0, description="for all its contacts, those made so far too")
    cost_per_contact: float | None = Field(default=None, ge=0, description="that of the shop when left out")


class AudienceSettings(Section):
    """The response model and the audiences made of it."""

    holdout_share: float = Field(ge=0, lt=0.5)
    min_size: int = Field(ge=100, description="audiences below are withheld; under 1,000 only in a demo profile")
    match_rate: float = Field(gt=0, le=1, description="share of an audience a platform is assumed to match")
    min_evaluation_sends: int = Field(gt=0)
    cost_per_contact: float = Field(ge=0)
    enter_above: float = Field(default=1.25, description="expected worth, in costs of a contact, to enter an audience")
    leave_below: float = Field(default=1.0, ge=1, description="and to leave it; lower, so that nobody flaps")
    contact_cap: int | None = Field(default=None, gt=0, description="sends to a user within contact_days, at most")
    contact_days: int = Field(default=30, gt=0)
    just_bought_days: int = Field(default=0, ge=0, description="who bought all of a campaign's few goods lately rests")
    sensitive: tuple[str, ...] = Field(default=(), description="widest categories that no audience may be about")
    segments: tuple[SegmentSettings, ...] = ()
    campaigns: dict[str, CampaignSettings] = Field(
        default={}, description="by campaign id, or segment:NAME; those left out may contact all who are worth it"
    )

    def cost_of(self, campaign: str) -> float:
        """Cost of one contact of a campaign, in hundredths of the currency."""
        own = self.campaigns.get(campaign, CampaignSettings()).cost_per_contact
        return self.cost_per_contact if own is None else own

    @model_validator(mode="after")
    def _in_order(self) -> "AudienceSettings":
        if self.leave_below >= self.enter_above:
            raise ValueError("leave_below must be lower than enter_above, or users enter and leave night by night")
        return self
