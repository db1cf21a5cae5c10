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
from pipeline.models.audiences import ResponseModel, still_to_come
from pipeline.privacy import differencing, floors
from pipeline.privacy.differencing import Wish

TOP_SHARE = 0.2  # the part of an audience whose overlap with siblings is told
REASONS = 3
FLAP_DAYS = 7


@dataclass(frozen=True)
class Policy:
    """What the shop's settings say of audiences.

    Attributes:
        day: the business day.
        cost_cents: of one contact.
        enter_above: expected worth, in costs of a contact, above which a user enters.
        leave_below: and below which one leaves.
        holdout_share: share never contacted, by salted hash of user and campaign.
        salt: of that hash.
        min_size: smaller audiences are withheld, and no two differ by fewer users.
        match_rate: share an ad platform is assumed to match.
        seed: of the interval's drawing.
    """

    day: date
    cost_cents: float
    enter_above: float
    leave_below: float
    holdout_share: float
    salt: str
    min_size: int
    match_rate: float
    seed: int


@dataclass(frozen=True)
class Members:
    """A published audience of last night, as arrays over tonight's users [U].

    Attributes:
        contacted: who was in it to be contacted.
        held: who was in it and held out.
        in_since: days since when, day numbers of numpy; not a time for who was not in it.
    """

    contacted: np.ndarray
    held: np.ndarray
    in_since: np.ndarray


@dataclass(frozen=True)
class Run:
    """How far a campaign has run.

    Attributes:
        arrived: share of its responses to be expected so far.
        remaining: share to be expected in the days that are left, of who is contacted now.
        contacted: bool [U], whom it has reached.
    """

    arrived: float
    remaining: float
    contacted: np.ndarray

    def to_come(self, chance: np.ndarray, rows: Any = slice(None)) -> np.ndarray:
        """Probabilities of a response from now on, of some users [..., n]."""
        return still_to_come(chance, self.arrived, self.remaining, self.contacted[rows])


@dataclass(frozen=True)
class Scored:
    """All users of the shop for one campaign: arrays [U].

    Attributes:
        campaign: row of the campaigns feed (campaign_id, campaign_name, campaign_kind, starts_on, ends_on).
        users: user keys.
        features: [U, F] that propensities are made of.
        propensity: probability of a response.
        gross_cents: what a contact is expected to bring.
        worth_cents: the same with its cost taken off.
        allowed: who agreed to ads.
        is_open: who has not responded yet.
        holdout: who is held out of contact.
        run: how far the campaign has run, and whom it has reached.
        barred: the sensitive category that it is about, and so reaches nobody.
    """

    campaign: dict[str, Any]
    users: pa.Array
    features: np.ndarray
    propensity: np.ndarray
    gross_cents: np.ndarray
    worth_cents: np.ndarray
    allowed: np.ndarray
    is_open: np.ndarray
    holdout: np.ndarray
    run: Run
    barred: str | None = None

    @property
    def id(self) -> str:
        """The campaign's id."""
        return str(self.campaign["campaign_id"])


@dataclass(frozen=True)
class Audience:
    """One campaign's ranked users: arrays [N], likeliest first; those whom it would have held when it is withheld.

    Attributes:
        draws: [DRAWS] expected responses under each resampled model, hold-out left out.
        changes: what the summary tells of differences to other audiences.
    """

    campaign: dict[str, Any]
    users: pa.Array
    propensity: np.ndarray
    value_cents: np.ndarray
    holdout: np.ndarray
    in_since: np.ndarray
    reasons: list[str]
    draws: np.ndarray
    withheld: str | None
    platforms: list[str]
    changes: dict[str, Any]

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
    found = {}
    for name in sorted(set(names)):
        mine = names == name
        members = Members(
            np.zeros(len(users), bool), np.zeros(len(users), bool), np.full(len(users), "NaT", "datetime64[D]")
        )
        members.contacted[place[mine & ~held]] = True
        members.held[place[mine & held]] = True
        members.in_since[place[mine]] = days[mine]
        found[str(name)] = members
    return found


def score(
    campaign: dict[str, Any],
    users: pa.Array,
    features: np.ndarray,
    model: ResponseModel,
    policy: Policy,
    *,
    value_cents: float,
    allowed: np.ndarray,
    is_open: np.ndarray,
    run: Run,
    barred: str | None = None,
) -> Scored:
    """What every user is expected to bring when contacted, and who may not be.

    Args:
        campaign: row of the campaigns feed.
        users: user keys [U].
        features: [U, F].
        model: the response model.
        policy: the shop's.
        value_cents: mean spend of a responder on the advertised goods.
        allowed: bool [U], who agreed to ads.
        is_open: bool [U], who has not responded yet.
        run: how far the campaign has run.
        barred: the sensitive category that it is about, and so may reach nobody.
    """
    chance = np.round(run.to_come(model.propensity(features, _kinds(campaign, len(users)))), 6)
    gross = chance * value_cents
    holdout = np.asarray(floors.is_holdout(users, campaign["campaign_id"], policy.holdout_share, policy.salt), bool)
    worth = np.round(gross - policy.cost_cents, 2)
    return Scored(campaign, users, features, chance, gross, worth, allowed, is_open, holdout, run, barred)


def settle(
    scored: Sequence[Scored], last: Mapping[str, Members], model: ResponseModel, policy: Policy
) -> list[Audience]:
    """Tonight's audiences: hysteresis against last night's, then the guard against small differences.

    Args:
        scored: one a live campaign, all over the same users.
        last: audiences that were published last night, by campaign id.
        model: the response model.
        policy: the shop's.
    """
    wanted = [_wanted(one, last.get(one.id), policy) for one in scored]
    # Audiences of last night come first: what is new bends to them.
    order = sorted(range(len(scored)), key=lambda at: (scored[at].id not in last, at))
    before = _stacked([members.contacted for members in last.values()], scored)
    contacts = dict(
        zip(
            order,
            differencing.guard(
                [_wish(scored[at], wanted[at], last.get(scored[at].id)) for at in order], before, policy.min_size
            ),
            strict=True,
        )
    )
    out = []
    for at, one in enumerate(scored):
        siblings = [found for other, found in contacts.items() if other != at and found is not None]
        others = np.concatenate([before, _stacked(siblings, scored)])
        out.append(_audience(one, wanted[at], contacts[at], last.get(one.id), others, model, policy))
    return out


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


def _kinds(campaign: Mapping[str, Any], count: int) -> np.ndarray:
    return np.full(count, campaign["campaign_kind"] or "", dtype=object)


def _stacked(masks: Sequence[np.ndarray], scored: Sequence[Scored]) -> np.ndarray:
    """Masks over users as one array [n, U], none included."""
    return np.array(masks, bool).reshape(len(masks), len(scored[0].users) if scored else 0)


def _wanted(one: Scored, members: Members | None, policy: Policy) -> np.ndarray:
    """Who should be in an audience, held out or not: bool [U]."""
    was_in = np.zeros(len(one.users), bool) if members is None else members.contacted | members.held
    enter, leave = (at * policy.cost_cents for at in (policy.enter_above, policy.leave_below))
    if policy.cost_cents == 0:  # every contact is worth it
        return one.allowed & one.is_open & (one.gross_cents > 0)
    return one.allowed & one.is_open & differencing.stays_or_enters(one.gross_cents, was_in, enter, leave)


def _wish(one: Scored, wanted: np.ndarray, members: Members | None) -> Wish:
    # Whoever is worth a contact may join so that enough change together; who was in may wait until enough leave.
    may_be_in = one.is_open & (one.worth_cents > 0)
    if members is not None:
        may_be_in |= members.contacted
    # Who has responded is the first to leave.
    return Wish(wanted, one.allowed & ~one.holdout & may_be_in, np.where(one.is_open, one.worth_cents, -np.inf))


def _held(one: Scored, wanted: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """Who would be contacted but for the draw: held out, wanted, and worth no less than those contacted."""
    least = one.worth_cents[contacts & wanted].min(initial=np.inf)
    return wanted & one.holdout & (one.worth_cents >= least)


def _audience(
    one: Scored,
    wanted: np.ndarray,
    contacts: np.ndarray | None,
    members: Members | None,
    others: np.ndarray,
    model: ResponseModel,
    policy: Policy,
) -> Audience:
    size = int((wanted & ~one.holdout).sum() if contacts is None else contacts.sum())
    withheld = None
    if contacts is None:
        barred = f"it is about a sensitive category, {one.barred.lower()}" if one.barred else None
        withheld = (
            barred
            or floors.withheld(size, policy.min_size)
            or (f"differs from another audience by fewer than {policy.min_size:,} users, who could be told from it")
        )
    chosen = np.flatnonzero(wanted if contacts is None else contacts | _held(one, wanted, contacts))
    keys = np.array(one.users.take(pa.array(chosen)).to_pylist(), dtype=object)
    order = chosen[np.lexsort((keys, -one.propensity[chosen]))]
    holdout, kinds = one.holdout[order], _kinds(one.campaign, len(order))
    draws = one.run.to_come(model.propensity_draws(one.features[order], kinds), order)[:, ~holdout]
    noise = np.random.default_rng([policy.seed, len(order)]).normal(size=len(draws))
    since = np.full(len(order), policy.day, "datetime64[D]")
    if members is not None:
        since = np.where(np.isnat(members.in_since[order]), since, members.in_since[order])
    return Audience(
        one.campaign,
        one.users.take(pa.array(order)),
        one.propensity[order],
        one.worth_cents[order],
        holdout,
        since,
        explain.audience_reasons(model.contributions(one.features[order], kinds), NAMES),
        draws.sum(1) + noise * np.sqrt((draws * (1 - draws)).sum(1)),
        withheld,
        floors.platforms_ok(size, policy.match_rate),
        {"min_size": policy.min_size} | _changes(contacts, members, others, policy.day),
    )


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
        **audience.changes,
        "top_reasons": counted[:REASONS],
    }
