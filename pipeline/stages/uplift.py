"""What hold-outs have shown: of which campaigns chance decided the contacts, what these caused, why others say nothing.

Who was enrolled stands in `ad_experiments` since a campaign's first night, drawn before any contact. Purchases of the
campaign's goods afterwards are compared between the arms as drawn, whoever was really reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import AD_EXPERIMENTS
from pipeline.features.responses import Campaign, day_number, responders
from pipeline.metrics import intervals, uplift
from pipeline.models import uplift as models
from pipeline.models.uplift import Effect, Trial, UpliftModel
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.stages.response_inputs import OBSERVED_DAYS, ResponseInputs

REACHED = 0.8  # share of the users to contact who must have been; fewer were chosen by something else than chance
OUTCOMES = 10  # buyers, and others, that each arm must have
DIGITS = 6
FIRST = "its hold-out is drawn tonight; effects can be told once contacts and purchases have followed"


@dataclass(frozen=True)
class Learned:
    """What all hold-outs together have shown.

    Attributes:
        effects: by campaign id; of those that are not in it nothing was enrolled before tonight.
        model: of the effect on each user; None as long as no campaign can tell.
        metrics: Qini and AUUC of users who taught the judged model nothing.
    """

    effects: Mapping[str, Effect]
    model: UpliftModel | None
    metrics: Mapping[str, float]

    def of(self, campaign: str, features: np.ndarray) -> tuple[Effect, np.ndarray | None]:
        """The effect of one campaign, and that on each user [U] by their features where it can be told."""
        found = self.effects.get(campaign, Effect(FIRST))
        return found, None if found.reason or self.model is None else self.model.effect(features).round(DIGITS)


def learn(inputs: ResponseInputs) -> Learned:
    """Read last night's enrolments and what their users have bought since."""
    enrolled = enrolments(inputs.night)
    effects, trials = {}, []
    for campaign in inputs.campaigns:
        mine = enrolled.filter(pc.equal(enrolled.column("campaign_id"), campaign.id))
        if not len(mine):
            continue
        trial, reason = _trial(inputs, campaign, mine)
        effects[campaign.id] = Effect(reason)
        if trial is not None:
            trials.append(trial)
            cases = (trial.outcome, trial.treated, trial.chance)
            told = intervals.bootstrap_statistic(uplift.effect, *cases, seed=inputs.night.shop.seed)
            effects[campaign.id] = Effect(None, told)
    if not trials:
        return Learned(effects, None, {})
    pooled = Trial(*(np.concatenate([getattr(one, name) for one in trials]) for name in Trial.__dataclass_fields__))
    seed = inputs.night.shop.seed
    model, held_out = models.fit(pooled, seed)
    judged = uplift.told(pooled.outcome, pooled.treated, held_out, pooled.chance, seed=seed)
    metrics = {f"uplift/{name}": value for name, (value, _low, _high) in judged.items()}
    for name in ("qini", "auuc"):
        metrics |= {f"uplift/{name}_low": judged[name][1], f"uplift/{name}_high": judged[name][2]}
    return Learned(effects, model, metrics | {"uplift/users": float(len(pooled.outcome))})


def enrolments(night: Night) -> pa.Table:
    """Who was enrolled before tonight, as last published."""
    before = desk.parent(night)
    if before is None or AD_EXPERIMENTS.name not in before.manifest.tables:
        return AD_EXPERIMENTS.schema.empty_table()
    return before.table(AD_EXPERIMENTS.name)


def _trial(inputs: ResponseInputs, campaign: Campaign, enrolled: pa.Table) -> tuple[Trial | None, str | None]:
    """The users of a campaign whose contact chance decided, or why there are none."""
    user = np.asarray(pc.fill_null(pc.index_in(enrolled.column("user_key"), inputs.lines.users), -1)).astype(np.int64)
    held, chance = np.asarray(enrolled.column("is_holdout")), np.asarray(enrolled.column("contact_propensity"))
    start = day_number(enrolled.column("enrolled_on")[0].as_py())
    goods = campaign.targets[campaign.targets >= 0]
    if not len(goods):
        return None, "it names no goods whose purchase could be counted"
    earlier, _answered = responders(campaign, inputs.contacts, start)
    fresh = (user >= 0) & ~np.isin(user, earlier)  # whom it had reached before the draw tells nothing of the draw
    user, held, chance = user[fresh], held[fresh], chance[fresh]
    sent = np.isin(user, responders(campaign, inputs.contacts, inputs.today)[0])
    if spoiled := int((sent & held).sum()):
        return (
            None,
            f"{spoiled:,} of {int(held.sum()):,} users held out were contacted: contacts did not keep to the draw",
        )
    share = float(sent[~held].mean()) if (~held).any() else 0.0
    if share < REACHED:
        told = "nobody" if share == 0 else f"only {share:.0%}"
        return None, f"{told} of those enrolled to be contacted has been, so that chance did not decide who was"
    if inputs.today - start < OBSERVED_DAYS:
        return None, f"its hold-out is younger than {OBSERVED_DAYS} days"
    lines = inputs.lines
    after = (lines.day > start) & (lines.day <= min(campaign.ends, inputs.today)) & np.isin(lines.item, goods)
    bought = np.isin(user, lines.user[after])
    counts = [int((bought[arm] == one).sum()) for arm in (held, ~held) for one in (True, False)]
    if min(counts) < OUTCOMES:
        return None, (
            f"{counts[0]:,} of {counts[0] + counts[1]:,} users held out bought, and {counts[2]:,} of "
            f"{counts[2] + counts[3]:,} others: too few to tell an effect"
        )
    features = inputs.features(campaign, start + 1)[user]
    return Trial(features, (~held).astype(float), bought.astype(float), chance), None
