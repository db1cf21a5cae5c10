"""The ad_audiences and ad_audience_summary tables: whom to contact for each live campaign, and what to expect."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import explain
from pipeline.features.responses import NAMES
from pipeline.models.audiences import ResponseModel
from pipeline.privacy import floors

TOP_SHARE = 0.2  # the part of an audience whose overlap with siblings is told
REASONS = 3


@dataclass(frozen=True)
class Audience:
    """One campaign's ranked users: all arrays [N], likeliest first.

    Attributes:
        campaign: row of the campaigns feed (campaign_id, campaign_name, campaign_kind, starts_on, ends_on).
        draws: [DRAWS] expected responses under each resampled model, hold-out left out.
    """

    campaign: dict[str, Any]
    users: pa.Array
    propensity: np.ndarray
    value_cents: np.ndarray
    holdout: np.ndarray
    reasons: list[str]
    draws: np.ndarray
    withheld: str | None
    platforms: list[str]

    @property
    def size(self) -> int:
        """Users to contact: the hold-out is left out."""
        return int((~self.holdout).sum())


def build(
    campaign: dict[str, Any],
    users: pa.Array,
    features: np.ndarray,
    model: ResponseModel,
    *,
    value_cents: float,
    cost_cents: float,
    holdout_share: float,
    salt: str,
    min_size: int,
    match_rate: float,
    seed: int,
) -> Audience:
    """Rank consenting users for a campaign; those whose expected value is not above zero are left out.

    Args:
        campaign: row of the campaigns feed.
        users: consenting users [U].
        features: their features [U, F].
        model: the response model.
        value_cents: mean spend of a responder on the advertised goods.
        cost_cents: of one contact.
        holdout_share: share never contacted, by salted hash of user and campaign.
        salt: of that hash.
        min_size: smaller audiences are withheld.
        match_rate: share an ad platform is assumed to match.
        seed: of the interval's drawing.
    """
    kind = np.full(len(users), campaign["campaign_kind"] or "", dtype=object)
    chance = np.round(model.propensity(features, kind), 6)
    worth = np.round(chance * value_cents - cost_cents, 2)
    keys = np.array(users.to_pylist(), dtype=object)
    order = np.lexsort((keys, -chance))
    order = order[worth[order] > 0]
    chosen = users.take(pa.array(order))
    holdout = np.asarray(floors.is_holdout(chosen, campaign["campaign_id"], holdout_share, salt), dtype=bool)
    draws = model.propensity_draws(features[order], kind[order])[:, ~holdout]
    noise = np.random.default_rng([seed, len(order)]).normal(size=len(draws))
    totals = draws.sum(1) + noise * np.sqrt((draws * (1 - draws)).sum(1))
    size = int((~holdout).sum())
    reasons = explain.audience_reasons(model.contributions(features[order], kind[order]), NAMES)
    return Audience(
        campaign,
        chosen,
        chance[order],
        worth[order],
        holdout,
        reasons,
        totals,
        floors.withheld(size, min_size),
        floors.platforms_ok(size, match_rate),
    )


def audience_rows(audience: Audience) -> pa.Table:
    """Rows of a published audience; none when it is withheld."""
    count = 0 if audience.withheld else len(audience.users)
    place = np.arange(count)
    return pa.table(
        {
            "campaign_id": pa.array([audience.campaign["campaign_id"]] * count, pa.string()),
            "rank": pa.array(place + 1, pa.int32()),
            "user_key": audience.users.slice(0, count),
            "propensity": pa.array(audience.propensity[:count]),
            "uplift": pa.nulls(count, pa.float64()),
            "expected_value_cents": pa.array(audience.value_cents[:count]),
            "decile": pa.array(place * 10 // max(1, count) + 1, pa.int32()),
            "is_holdout": pa.array(audience.holdout[:count]),
            "reason": pa.array(audience.reasons[:count], pa.string()),
        }
    )


def summary_rows(audiences: list[Audience]) -> list[dict[str, Any]]:
    """One row a campaign."""
    tops = {
        a.campaign["campaign_id"]: set(a.users.slice(0, int(len(a.users) * TOP_SHARE)).to_pylist()) for a in audiences
    }
    return [_summary(audience, tops) for audience in audiences]


def _summary(audience: Audience, tops: dict[str, set[str]]) -> dict[str, Any]:
    campaign = audience.campaign
    mine = tops[campaign["campaign_id"]]
    overlaps = sorted(
        (
            (len(mine & other) / max(1, len(mine | other)), name)
            for name, other in tops.items()
            if name != campaign["campaign_id"]
        ),
        key=lambda pair: (-pair[0], pair[1]),
    )
    nearest = overlaps[0] if overlaps else (None, None)
    first = audience.reasons[: max(1, len(audience.users) // 10)]
    counted = sorted(set(first), key=lambda words: (-first.count(words), words))
    contacted = audience.propensity[~audience.holdout]
    low, high = np.percentile(audience.draws, [2.5, 97.5]) if audience.size else (0.0, 0.0)
    return {
        **{name: campaign[name] for name in ("campaign_id", "campaign_name", "campaign_kind", "starts_on", "ends_on")},
        "size": audience.size,
        "expected_responses": round(float(contacted.sum()), 2),
        "expected_responses_low": round(max(0.0, float(low)), 2),
        "expected_responses_high": round(float(high), 2),
        "is_published": audience.withheld is None,
        "withheld_reason": audience.withheld,
        "platforms_ok": audience.platforms,
        "nearest_campaign_id": nearest[1],
        "nearest_overlap": None if nearest[0] is None else round(nearest[0], 4),
        "top_reasons": counted[:REASONS],
    }
