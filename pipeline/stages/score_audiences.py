"""Stage the ad_audiences and ad_audience_summary tables for the campaigns that run after the business day."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES
from pipeline.features.responses import Campaign, arrived, responders
from pipeline.learning import champions
from pipeline.models import audiences as models
from pipeline.privacy.keys import key_id, load_secret
from pipeline.settings import Night, SegmentSettings
from pipeline.stages import consenting, desk, segments, suppressions
from pipeline.stages.response_inputs import ResponseInputs
from pipeline.tables import audiences as table
from pipeline.warehouse.staging import Staging

CONSENTS = ("consent_ad_user_data", "consent_ad_personalization")


def run(night: Night, staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Rank consenting users who have not responded yet, for each live campaign; nothing when the model is refused."""
    judgement = desk.noted(night, "judgement")["audiences"]
    built: list[table.Audience] = []
    empty = f"the response model was refused: {judgement['why']}"
    if judgement["serves"]:
        model, config = models.load(champions.folder(night.models, "audiences", judgement["serves"]))
        built = _build_all(ResponseInputs(night, config["encoder"]), model, progress)
        empty = "no campaign runs after the business day, or none reaches the minimum size"
    rows = [table.audience_rows(audience) for audience in built]
    none = AD_AUDIENCES.schema.empty_table()
    audience_file = staging.write(AD_AUDIENCES, pa.concat_tables(rows) if rows else none)
    summary = pa.Table.from_pylist(table.summary_rows(built), schema=AD_AUDIENCE_SUMMARY.schema)
    summary_file = staging.write(AD_AUDIENCE_SUMMARY, summary)
    return {"rows": {file.name: file.rows for file in (audience_file, summary_file)}, "empty": empty}


@dataclass(frozen=True)
class _People:
    """Tonight's users, then those gone who were in an audience of last night; who agreed to ads."""

    users: pa.Array
    gone: int
    allowed: np.ndarray

    def padded(self, rows: np.ndarray, fill: float = 0) -> np.ndarray:
        """Rows of tonight's users, and as many more for who is gone."""
        return np.pad(rows, ((0, self.gone), *[(0, 0)] * (rows.ndim - 1)), constant_values=fill)


def _build_all(inputs: ResponseInputs, model: models.ResponseModel, progress: desk.Progress) -> list[table.Audience]:
    night, policy = inputs.night, _policy(inputs.night)
    users, last = _last_night(inputs)
    _everyone, consents = consenting.users(night, *CONSENTS)
    gone = len(users) - len(inputs.lines.users)
    allowed = np.asarray(pc.is_in(users, consents)) & (np.arange(len(users)) < len(users) - gone)
    people = _People(users, gone, allowed)
    live = [campaign for campaign in inputs.campaigns if campaign.ends >= inputs.today]
    wanted = night.shop.audiences.segments
    scored = []
    for number, campaign in enumerate(live, start=1):
        scored.append(_campaign(inputs, campaign, people, model, policy))
        progress(number, len(live) + len(wanted))
    for number, segment in enumerate(wanted, start=len(live) + 1):
        scored.append(_segment(inputs, segment, people, model, policy))
        progress(number, len(live) + len(wanted))
    return table.settle(scored, last, model, policy)


def _campaign(
    inputs: ResponseInputs, campaign: Campaign, people: _People, model: models.ResponseModel, policy: table.Policy
) -> table.Scored:
    """All users for a live campaign; nobody for one about what is sensitive."""
    described = {row["campaign_id"]: row for row in inputs.campaign_rows.to_pylist()}
    sent, answered = responders(campaign, inputs.contacts, inputs.today)
    is_open = ~suppressions.resting(inputs, campaign)
    is_open[sent[answered]] = False
    contacted = np.isin(np.arange(len(people.users)), sent)
    run = table.Run(
        arrived(model.arrival, campaign, inputs.today),
        arrived(model.arrival, campaign, campaign.starts + campaign.ends - inputs.today - 1),
        contacted,
    )
    features = inputs.features(campaign, inputs.today + 1)
    return _scored(inputs, described[campaign.id], campaign, features, is_open, run, people, model, policy)


def _segment(
    inputs: ResponseInputs, segment: SegmentSettings, people: _People, model: models.ResponseModel, policy: table.Policy
) -> table.Scored:
    """All users for an audience of the shop's own making."""
    campaign = segments.campaign(segment, inputs)
    features = inputs.features(campaign, inputs.today + 1, segments.creative(campaign, inputs.texts))
    mine = segments.members(segment, inputs.night, inputs.lines.users)
    is_open = mine & ~suppressions.resting(inputs, campaign)
    run = table.Run(0.0, 1.0, np.zeros(len(people.users), bool))
    described = segments.described(segment, inputs.night.day)
    return _scored(inputs, described, campaign, features, is_open, run, people, model, policy)


def _scored(
    inputs: ResponseInputs,
    described: dict[str, Any],
    campaign: Campaign,
    features: np.ndarray,
    is_open: np.ndarray,
    run: table.Run,
    people: _People,
    model: models.ResponseModel,
    policy: table.Policy,
) -> table.Scored:
    barred = suppressions.sensitive(inputs, campaign)
    return table.score(
        described,
        people.users,
        people.padded(features),
        model,
        policy,
        value_cents=desk.noted(inputs.night, "measured-audiences")["value_cents"],
        allowed=people.allowed & (barred is None),
        is_open=people.padded(is_open) > 0,
        run=run,
        barred=barred,
    )


def _policy(night: Night) -> table.Policy:
    settings = night.shop.audiences
    return table.Policy(
        day=night.day,
        cost_cents=settings.cost_per_contact,
        enter_above=settings.enter_above,
        leave_below=settings.leave_below,
        holdout_share=settings.holdout_share,
        salt=holdout_salt(night),
        min_size=settings.min_size,
        match_rate=settings.match_rate,
        seed=night.shop.seed,
    )


def holdout_salt(night: Night) -> str:
    """The hold-out is drawn by the user keys' secret: the same every night, and nobody outside can draw it."""
    return key_id(load_secret(night.home / "secrets"))


def _last_night(inputs: ResponseInputs) -> tuple[pa.Array, dict[str, table.Members]]:
    """The shop's users, then those gone who were in an audience of last night; and these audiences."""
    users, before = inputs.lines.users, desk.parent(inputs.night)
    if before is None or AD_AUDIENCES.name not in before.manifest.tables:
        return users, {}
    rows = before.table(AD_AUDIENCES.name)
    keys = pc.unique(rows.column("user_key").combine_chunks()).sort()
    users = pa.concat_arrays([users, keys.filter(pc.invert(pc.is_in(keys, users)))])
    return users, table.last_night(rows, users, before.manifest.day)
