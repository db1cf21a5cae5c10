"""Stage the ad_audiences and ad_audience_summary tables for the campaigns that run after the business day."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES
from pipeline.features.responses import arrived, responders
from pipeline.learning import champions
from pipeline.models import audiences as models
from pipeline.privacy.keys import key_id, load_secret
from pipeline.settings import Night
from pipeline.stages import consenting, desk
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


def _build_all(inputs: ResponseInputs, model: models.ResponseModel, progress: desk.Progress) -> list[table.Audience]:
    night, policy = inputs.night, _policy(inputs.night)
    users, last = _last_night(inputs)
    gone = len(users) - len(inputs.lines.users)
    _everyone, consenting_keys = consenting.users(night, *CONSENTS)
    allowed = np.asarray(pc.is_in(users, consenting_keys)).copy()
    allowed[len(users) - gone :] = False
    described = {row["campaign_id"]: row for row in inputs.campaign_rows.to_pylist()}
    live = [campaign for campaign in inputs.campaigns if campaign.ends >= inputs.today]
    value = desk.noted(night, "measured-audiences")["value_cents"]
    scored = []
    for number, campaign in enumerate(live, start=1):
        sent, answered = responders(campaign, inputs.contacts, inputs.today)
        is_open = np.ones(len(users), bool)
        is_open[sent[answered]] = False
        contacted = np.zeros(len(users), bool)
        contacted[sent] = True
        run = table.Run(
            arrived(model.arrival, campaign, inputs.today),
            arrived(model.arrival, campaign, campaign.starts + campaign.ends - inputs.today - 1),
            contacted,
        )
        features = np.pad(inputs.features(campaign, inputs.today + 1), ((0, gone), (0, 0)))
        scored.append(
            table.score(
                described[campaign.id],
                users,
                features,
                model,
                policy,
                value_cents=value,
                allowed=allowed,
                is_open=is_open,
                run=run,
            )
        )
        progress(number, len(live))
    return table.settle(scored, last, model, policy)


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
