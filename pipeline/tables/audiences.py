"""The ad_audiences and ad_audience_summary tables: whom to contact for each live campaign, and what to expect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import explain
from pipeline.features.responses import NAMES
from pipeline.models import membership
from pipeline.models.audiences import ResponseModel
from pipeline.models.membership import Members, Policy, Scored, Settled
from pipeline.privacy import differencing, floors

TOP_SHARE = 0.2  # the part of an audience whose overlap with siblings is told
REASONS = 3
FLAP_DAYS = 7
WITHHELD = "its audience is withheld"
MEASURED = ("measured_uplift", "measured_uplift_low", "measured_uplift_high")


@dataclass(frozen=True)
class Audience:
    """One campaign's ranked users: arrays [N], likeliest first; those whom it would have held when it is withheld.

    Attributes:
        settled: of which it is made.
        planned: whom the night's plan contacts.
        uplift: effect of a contact on each; None where it cannot be told.
        draws: [DRAWS] expected responses under each resampled model, hold-out left out.
        changes: what the summary tells of differences to other audiences.
    """

    settled: Settled
    users: pa.Array
    propensity: np.ndarray
    value_cents: np.ndarray
    holdout: np.ndarray
    in_since: np.ndarray
    planned: np.ndarray
    uplift: np.ndarray | None
    reasons: list[str]
    draws: np.ndarray
    withheld: str | None
    platforms: list[str]
    changes: dict[str, Any]

    @property
    def campaign(self) -> dict[str, Any]:
        """Row of the campaigns feed."""
        return self.settled.scored.campaign

    @property
    def size(self) -> int:
        """Users to contact: the hold-out is left out."""
        return int((~self.holdout).sum())


def last_night(rows: pa.Table, users: pa.Array, day: date) -> dict[str, Members]:
    """Last night's published audiences by campaign id.

    Args:
        rows: ad_audiences as published.
        users: tonight's user keys [U], those of last night among them.
        day: last night's business day, for rows that do not say since when.
    """
    since = rows.column("in_since") if "in_since" in rows.column_names else pa.array([day] * len(rows), pa.date32())
    place = np.asarray(pc.index_in(rows.column("user_key"), users)).astype(np.int64)
    held, days = np.asarray(rows.column("is_holdout")), np.asarray(since).astype("datetime64[D]")
    names = np.asarray(rows.column("campaign_id").to_pylist(), dtype=object)
    planned = np.asarray(rows.column("is_planned")) if "is_planned" in rows.column_names else np.zeros(len(rows), bool)
    found = {}
    for name in sorted(set(names)):
        mine = names == name
        nobody, never = np.zeros(len(users), bool), np.full(len(users), "NaT", "datetime64[D]")
        members = Members(nobody, nobody.copy(), nobody.copy(), never)
        members.contacted[place[mine & ~held]] = True
        members.held[place[mine & held]] = True
        members.planned[place[mine & planned]] = True
        members.in_since[place[mine]] = days[mine]
        found[str(name)] = members
    return found


def settle(
    scored: Sequence[Scored],
    last: Mapping[str, Members],
    model: ResponseModel,
    policy: Policy,
    room: np.ndarray | None = None,
) -> list[Audience]:
    """Tonight's audiences as they are published; arguments as of `membership.settle`, and the response model."""
    settled = membership.settle(scored, last, policy, room)
    return [_audience(one, last.get(one.scored.id), model, policy) for one in settled]


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
            "uplift": pa.nulls(count, pa.float64()) if audience.uplift is None else pa.array(audience.uplift[:count]),
            "expected_value_cents": pa.array(audience.value_cents[:count]),
            "decile": pa.array(place * 10 // max(1, count) + 1, pa.int32()),
            "is_holdout": pa.array(audience.holdout[:count]),
            "is_planned": pa.array(audience.planned[:count]),
            "in_since": pa.array(audience.in_since[:count], pa.date32()),
            "reason": pa.array(audience.reasons[:count], pa.string()),
        }
    )


def summary_rows(audiences: list[Audience]) -> list[dict[str, Any]]:
    """One row a campaign."""
    tops = {
        a.campaign["campaign_id"]: set(a.users.slice(0, int(len(a.users) * TOP_SHARE)).to_pylist()) for a in audiences
    }
    return [_summary(audience, tops) for audience in audiences]


def _audience(settled: Settled, members: Members | None, model: ResponseModel, policy: Policy) -> Audience:
    one, wanted, contacts = settled.scored, settled.wanted, settled.contacts
    size = int((wanted & ~one.holdout).sum() if contacts is None else contacts.sum())
    withheld = _withheld(one, size, policy.min_size) if contacts is None else None
    chosen = np.flatnonzero(wanted if contacts is None else contacts | membership.held(one, wanted, contacts))
    keys = np.array(one.users.take(pa.array(chosen)).to_pylist(), dtype=object)
    order = chosen[np.lexsort((keys, -one.propensity[chosen]))]
    holdout, kinds = one.holdout[order], membership.kinds(one.campaign, len(order))
    draws = one.run.to_come(model.propensity_draws(one.features[order], kinds), order)[:, ~holdout]
    noise = np.random.default_rng([policy.seed, len(order)]).normal(size=len(draws))
    since = np.full(len(order), policy.day, "datetime64[D]")
    if members is not None:
        since = np.where(np.isnat(members.in_since[order]), since, members.in_since[order])
    return Audience(
        settled,
        one.users.take(pa.array(order)),
        one.propensity[order],
        one.worth_cents[order],
        holdout,
        since,
        settled.planned[order],
        None if one.uplift is None else one.uplift[order],
        explain.audience_reasons(model.contributions(one.features[order], kinds), NAMES),
        draws.sum(1) + noise * np.sqrt((draws * (1 - draws)).sum(1)),
        withheld,
        floors.platforms_ok(size, policy.match_rate),
        {"min_size": policy.min_size, "plan_reason": _plan_reason(settled, withheld, policy.min_size)}
        | _changes(contacts, members, settled.others, policy.day),
    )


def _withheld(one: Scored, size: int, min_size: int) -> str:
    """Why an audience that the guard let through for nobody is not published."""
    if one.barred:
        return f"it is about a sensitive category, {one.barred.lower()}"
    return floors.withheld(size, min_size) or (
        f"differs from another audience by fewer than {min_size:,} users, who could be told from it"
    )


def _plan_reason(settled: Settled, withheld: str | None, min_size: int) -> str | None:
    """Why nobody is planned for a campaign; None when somebody is."""
    if settled.planned.any():
        return None
    if withheld:
        return WITHHELD
    if settled.scored.purse.contacts == 0:
        return "its budget is spent"
    return f"budgets and the contact cap leave it fewer than {min_size:,} users, or some who could be told from others"


def _changes(
    contacts: np.ndarray | None, members: Members | None, others: np.ndarray, day: date
) -> dict[str, int | float | None]:
    """How a published audience differs from the others, and from itself last night."""
    told: dict[str, int | float | None] = dict.fromkeys(
        ("smallest_difference", "entered", "left", "last_overlap", "flapped")
    )
    if contacts is None:
        return told
    told["smallest_difference"] = differencing.smallest_difference(contacts, others)
    if members is None:
        return told
    gone = members.contacted & ~contacts
    recent = members.in_since > np.datetime64(day, "D") - FLAP_DAYS
    return told | {
        "entered": int((contacts & ~members.contacted).sum()),
        "left": int(gone.sum()),
        "last_overlap": round(float((members.contacted & contacts).sum() / (members.contacted | contacts).sum()), 4),
        "flapped": int((gone & recent).sum()),
    }


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
    nearest, effect = overlaps[0] if overlaps else (None, None), audience.settled.scored.effect
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
        **audience.changes,
        **_costs(audience),
        **dict(zip(MEASURED, effect.told or (None,) * 3, strict=True)),
        "uplift_reason": effect.reason and (WITHHELD if audience.withheld else effect.reason),
        "top_reasons": counted[:REASONS],
    }


def _costs(audience: Audience) -> dict[str, Any]:
    """What the campaign may cost, and what the night's plan does."""
    purse, planned = audience.settled.scored.purse, audience.planned
    return {
        "cost_per_contact_cents": purse.cost_cents,
        "budget_cents": purse.budget_cents,
        "spent_cents": round(purse.sent * purse.cost_cents, 2),
        "planned": int(planned.sum()),
        "planned_cost_cents": round(float(planned.sum()) * purse.cost_cents, 2),
        "planned_responses": round(float(audience.propensity[planned].sum()), 2),
        "planned_value_cents": round(float(audience.value_cents[planned].sum()), 2),
    }
