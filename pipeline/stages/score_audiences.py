"""Stage ad_audiences, ad_audience_summary and ad_experiments for the campaigns that run after the business day."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES, AD_EXPERIMENTS
from pipeline.features.responses import Campaign, arrived, responders
from pipeline.learning import champions
from pipeline.models import audiences as models
from pipeline.models import membership
from pipeline.models.uplift import Effect
from pipeline.privacy.keys import key_id, load_secret
from pipeline.settings import Night, SegmentSettings
from pipeline.stages import consenting, desk, segments, suppressions, uplift
from pipeline.stages.response_inputs import ResponseInputs
from pipeline.tables import audiences as table
from pipeline.tables import experiments
from pipeline.warehouse.staging import Staging

TOLD_DAYS = 90  # after a campaign's end for which its hold-out still teaches what contacts do
NOBODY_HELD = "the shop holds nobody out (holdout_share is 0)"
NO_CAMPAIGN = "an audience of the shop's own making is no campaign whose contacts come back"
CONSENTS = ("consent_ad_user_data", "consent_ad_personalization")


def run(night: Night, staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Rank consenting users who have not responded yet, for each live campaign; nothing when the model is refused."""
    judgement = desk.noted(night, "judgement")["audiences"]
    if not judgement["serves"]:
        files = [staging.write(one, one.schema.empty_table()) for one in (AD_AUDIENCES, AD_AUDIENCE_SUMMARY)]
        files.append(staging.write(AD_EXPERIMENTS, uplift.enrolments(night)))
        why = f"the response model was refused: {judgement['why']}"
        return {"rows": {file.name: file.rows for file in files}, "empty": why}
    model, config = models.load(champions.folder(night.models, "audiences", judgement["serves"]))
    inputs = ResponseInputs(night, config["encoder"])
    learned = uplift.learn(inputs)
    people, last = _people(inputs)
    built = _build_all(inputs, model, learned, people, last, progress)
    rows = [table.audience_rows(audience) for audience in built] or [AD_AUDIENCES.schema.empty_table()]
    summary = pa.Table.from_pylist(table.summary_rows(built), schema=AD_AUDIENCE_SUMMARY.schema)
    files = [
        staging.write(AD_AUDIENCES, pa.concat_tables(rows)),
        staging.write(AD_AUDIENCE_SUMMARY, summary),
        staging.write(AD_EXPERIMENTS, _enrolled(inputs, built, people)),
    ]
    empty = "no campaign runs after the business day, or none reaches the minimum size"
    return {"rows": {file.name: file.rows for file in files}, "empty": empty, "metrics": dict(learned.metrics)}


@dataclass(frozen=True)
class _People:
    """Tonight's users, then those gone who were in an audience of last night; who agreed to ads."""

    users: pa.Array
    gone: int
    allowed: np.ndarray

    def padded(self, rows: np.ndarray, fill: float = 0) -> np.ndarray:
        """Rows of tonight's users, and as many more for who is gone."""
        return np.pad(rows, ((0, self.gone), *[(0, 0)] * (rows.ndim - 1)), constant_values=fill)


def _people(inputs: ResponseInputs) -> tuple[_People, dict[str, membership.Members]]:
    """Everybody whom an audience of tonight or last night is about, and last night's audiences."""
    users, last = _last_night(inputs)
    _everyone, consents = consenting.users(inputs.night, *CONSENTS)
    gone = len(users) - len(inputs.lines.users)
    allowed = np.asarray(pc.is_in(users, consents)) & (np.arange(len(users)) < len(users) - gone)
    return _People(users, gone, allowed), last


def _build_all(
    inputs: ResponseInputs,
    model: models.ResponseModel,
    learned: uplift.Learned,
    people: _People,
    last: dict[str, membership.Members],
    progress: desk.Progress,
) -> list[table.Audience]:
    night, policy = inputs.night, _policy(inputs.night)
    live = [campaign for campaign in inputs.campaigns if campaign.ends >= inputs.today]
    wanted = night.shop.audiences.segments
    scored = []
    for number, campaign in enumerate(live, start=1):
        scored.append(_campaign(inputs, campaign, people, learned, model, policy))
        progress(number, len(live) + len(wanted))
    for number, segment in enumerate(wanted, start=len(live) + 1):
        scored.append(_segment(inputs, segment, people, model, policy))
        progress(number, len(live) + len(wanted))
    room = suppressions.room(inputs)
    return table.settle(scored, last, model, policy, None if room is None else people.padded(room))


def _enrolled(inputs: ResponseInputs, built: list[table.Audience], people: _People) -> pa.Table:
    """Rows of ad_experiments: those of last night that may still tell something, and campaigns enrolled tonight."""
    night, last = inputs.night, uplift.enrolments(inputs.night)
    known = set(last.column("campaign_id").to_pylist())
    share = night.shop.audiences.holdout_share
    new = []
    for audience in built:
        one = audience.settled.scored
        planned = audience.settled.planned
        if not planned.any() or not share or one.id in known or one.id.startswith(segments.PREFIX):
            continue
        # Of whom the budget cuts off nobody is contacted: they would blur what contacts do.
        within = one.worth_cents >= one.worth_cents[planned].min()
        chosen = np.flatnonzero(audience.settled.wanted & within)
        new.append(experiments.Enrolment(one.id, people.users.take(pa.array(chosen)), one.holdout[chosen]))
    keep = [campaign.id for campaign in inputs.campaigns if campaign.ends >= inputs.today - TOLD_DAYS]
    allowed = people.users.filter(pa.array(people.allowed))
    return experiments.rows(last, keep, allowed, new, holdout_share=share, day=night.day)


def _campaign(
    inputs: ResponseInputs,
    campaign: Campaign,
    people: _People,
    learned: uplift.Learned,
    model: models.ResponseModel,
    policy: membership.Policy,
) -> membership.Scored:
    """All users for a live campaign; nobody for one about what is sensitive."""
    described = {row["campaign_id"]: row for row in inputs.campaign_rows.to_pylist()}
    sent, answered = responders(campaign, inputs.contacts, inputs.today)
    is_open = ~suppressions.resting(inputs, campaign)
    is_open[sent[answered]] = False
    contacted = np.isin(np.arange(len(people.users)), sent)
    run = membership.Run(
        arrived(model.arrival, campaign, inputs.today),
        arrived(model.arrival, campaign, campaign.starts + campaign.ends - inputs.today - 1),
        contacted,
    )
    features = inputs.features(campaign, inputs.today + 1)
    found = learned.of(campaign.id, features) if policy.holdout_share else (Effect(NOBODY_HELD), None)
    row = described[campaign.id]
    return _scored(inputs, row, campaign, features, is_open, run, found, people, model, policy)


def _segment(
    inputs: ResponseInputs,
    segment: SegmentSettings,
    people: _People,
    model: models.ResponseModel,
    policy: membership.Policy,
) -> membership.Scored:
    """All users for an audience of the shop's own making."""
    campaign = segments.campaign(segment, inputs)
    features = inputs.features(campaign, inputs.today + 1, segments.creative(campaign, inputs.texts))
    mine = segments.members(segment, inputs.night, inputs.lines.users)
    is_open = mine & ~suppressions.resting(inputs, campaign)
    run = membership.Run(0.0, 1.0, np.zeros(len(people.users), bool))
    described = segments.described(segment, inputs.night.day)
    found = Effect(NO_CAMPAIGN), None
    return _scored(inputs, described, campaign, features, is_open, run, found, people, model, policy)


def _purse(inputs: ResponseInputs, campaign: Campaign) -> membership.Purse:
    """What a campaign may cost; its sends so far are paid for."""
    settings, contacts = inputs.night.shop.audiences, inputs.contacts
    own = settings.campaigns.get(campaign.id)
    sent = (contacts.campaign == campaign.id) & ~contacts.responded & (contacts.day <= inputs.today)
    return membership.Purse(settings.cost_of(campaign.id), own.budget if own else None, int(sent.sum()))


def _scored(
    inputs: ResponseInputs,
    described: dict[str, Any],
    campaign: Campaign,
    features: np.ndarray,
    is_open: np.ndarray,
    run: membership.Run,
    found: tuple[Effect, np.ndarray | None],
    people: _People,
    model: models.ResponseModel,
    policy: membership.Policy,
) -> membership.Scored:
    barred = suppressions.sensitive(inputs, campaign)
    return membership.score(
        described,
        people.users,
        people.padded(features),
        model,
        policy,
        value_cents=desk.noted(inputs.night, "measured-audiences")["value_cents"],
        allowed=people.allowed & (barred is None),
        is_open=people.padded(is_open) > 0,
        run=run,
        purse=_purse(inputs, campaign),
        effect=found[0],
        uplift=None if found[1] is None else people.padded(found[1]),
        barred=barred,
    )


def _policy(night: Night) -> membership.Policy:
    settings = night.shop.audiences
    return membership.Policy(
        day=night.day,
        enter_above=settings.enter_above,
        leave_below=settings.leave_below,
        holdout_share=settings.holdout_share,
        salt=holdout_salt(night),
        later=load_secret(night.home / "secrets").later,
        min_size=settings.min_size,
        match_rate=settings.match_rate,
        seed=night.shop.seed,
    )


def holdout_salt(night: Night) -> str:
    """The hold-out is drawn by the user keys' secret: the same every night, and nobody outside can draw it."""
    return key_id(load_secret(night.home / "secrets"))


def _last_night(inputs: ResponseInputs) -> tuple[pa.Array, dict[str, membership.Members]]:
    """The shop's users, then those gone who were in an audience of last night; and these audiences."""
    users, before = inputs.lines.users, desk.parent(inputs.night)
    if before is None or AD_AUDIENCES.name not in before.manifest.tables:
        return users, {}
    rows = before.table(AD_AUDIENCES.name)
    keys = pc.unique(rows.column("user_key").combine_chunks()).sort()
    users = pa.concat_arrays([users, keys.filter(pc.invert(pc.is_in(keys, users)))])
    return users, table.last_night(rows, users, before.manifest.day)
