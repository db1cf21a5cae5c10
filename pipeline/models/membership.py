"""Who is in an audience, who is held out of it and whom the night's plan contacts, as masks over all users.

Whoever is worth a contact enters and stays by hysteresis, the guard against small differences makes changes wait, and
the plan keeps to budgets and the cap of contacts. Not here: rows and words (`tables.audiences`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.models import allocation
from pipeline.models.audiences import ResponseModel, still_to_come
from pipeline.models.uplift import Effect
from pipeline.privacy import differencing, floors
from pipeline.privacy.differencing import Wish


@dataclass(frozen=True)
class Policy:
    """What the shop's settings say of audiences.

    Attributes:
        day: the business day.
        enter_above: expected worth, in costs of a contact, above which a user enters.
        leave_below: and below which one leaves.
        holdout_share: share never contacted, by salted hash of user and campaign.
        salt: of that hash.
        later: secrets that user keys have been turned by since keys were first made, oldest first.
        min_size: smaller audiences are withheld, and no two differ by fewer users.
        match_rate: share an ad platform is assumed to match.
        seed: of the interval's drawing.
    """

    day: date
    enter_above: float
    leave_below: float
    holdout_share: float
    salt: str
    min_size: int
    match_rate: float
    seed: int
    later: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Members:
    """A published audience of last night, as arrays over tonight's users [U].

    Attributes:
        contacted: who was in it to be contacted.
        held: who was in it and held out.
        planned: who was contacted by the night's plan.
        in_since: days since when, day numbers of numpy; not a time for who was not in it.
    """

    contacted: np.ndarray
    held: np.ndarray
    planned: np.ndarray
    in_since: np.ndarray


@dataclass(frozen=True)
class Purse:
    """What a campaign may cost, in hundredths of the currency.

    Attributes:
        cost_cents: of one contact.
        budget_cents: for all contacts; None for no limit.
        sent: contacts made so far.
    """

    cost_cents: float
    budget_cents: float | None = None
    sent: int = 0

    @property
    def contacts(self) -> int | None:
        """Contacts that can still be paid for; None for any number."""
        if self.budget_cents is None or self.cost_cents == 0:
            return None
        return max(0, int(self.budget_cents // self.cost_cents) - self.sent)


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
        purse: what it may cost.
        effect: of its contacts so far, or why none can be told.
        uplift: effect of a contact on each user; None where it cannot be told.
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
    purse: Purse
    effect: Effect
    uplift: np.ndarray | None = None
    barred: str | None = None

    @property
    def id(self) -> str:
        """The campaign's id."""
        return str(self.campaign["campaign_id"])


def kinds(campaign: Mapping[str, Any], count: int) -> np.ndarray:
    """The campaign's kind, once a user: str [count]."""
    return np.full(count, campaign["campaign_kind"] or "", dtype=object)


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
    purse: Purse,
    effect: Effect,
    uplift: np.ndarray | None = None,
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
        purse: what it may cost.
        effect: of its contacts so far, or why none can be told.
        uplift: effect on each user; None where it cannot be told.
        barred: the sensitive category that it is about, and so may reach nobody.
    """
    chance = np.round(run.to_come(model.propensity(features, kinds(campaign, len(users)))), 6)
    gross = chance * value_cents
    holdout = np.asarray(
        floors.is_holdout(users, campaign["campaign_id"], policy.holdout_share, policy.salt, policy.later), bool
    )
    worth = np.round(gross - purse.cost_cents, 2)
    return Scored(
        campaign, users, features, chance, gross, worth, allowed, is_open, holdout, run, purse, effect, uplift, barred
    )


@dataclass(frozen=True)
class Settled:
    """One campaign's audience as it may be published, over all users: bool [U].

    Attributes:
        wanted: who should be in it, held out or not.
        contacts: who is contacted; None when it is withheld.
        planned: whom of them the night's plan contacts.
        others: [O, U] the other audiences of tonight and last night.
    """

    scored: Scored
    wanted: np.ndarray
    contacts: np.ndarray | None
    planned: np.ndarray
    others: np.ndarray


def settle(
    scored: Sequence[Scored], last: Mapping[str, Members], policy: Policy, room: np.ndarray | None = None
) -> list[Settled]:
    """Tonight's audiences: hysteresis against last night's, the guard against small differences, then the plan.

    Args:
        scored: one a live campaign, all over the same users.
        last: audiences that were published last night, by campaign id.
        policy: the shop's.
        room: int [U] contacts that each user may get by the plan; any number when left out.
    """
    wanted = [_wanted(one, last.get(one.id), policy) for one in scored]
    # Audiences of last night come first: what is new bends to them.
    order = sorted(range(len(scored)), key=lambda at: (scored[at].id not in last, at))
    before = _stacked([members.contacted for members in last.values()], scored)
    wishes = [_wish(scored[at], wanted[at], last.get(scored[at].id)) for at in order]
    contacts = dict(zip(order, differencing.guard(wishes, before, policy.min_size), strict=True))

    def beside(at: int) -> np.ndarray:
        siblings = [found for other, found in contacts.items() if other != at and found is not None]
        return np.concatenate([before, _stacked(siblings, scored)])

    plans = _plans(scored, contacts, last, room, beside(-1), policy.min_size)
    return [Settled(one, wanted[at], contacts[at], plans[at], beside(at)) for at, one in enumerate(scored)]


def held(one: Scored, wanted: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """Who would be contacted but for the draw: held out, wanted, and worth no less than those contacted: bool [U]."""
    least = one.worth_cents[contacts & wanted].min(initial=np.inf)
    return wanted & one.holdout & (one.worth_cents >= least)


def _plans(
    scored: Sequence[Scored],
    contacts: Mapping[int, np.ndarray | None],
    last: Mapping[str, Members],
    room: np.ndarray | None,
    audiences: np.ndarray,
    min_size: int,
) -> list[np.ndarray]:
    """Whom the night's plan contacts for each campaign: bool [U] each."""
    if not scored:
        return []
    nobody = np.zeros(len(scored[0].users), bool)
    found = {at: nobody if contacted is None else contacted for at, contacted in contacts.items()}
    offers = [
        allocation.Offer(
            found[at], one.worth_cents, one.purse.contacts, last[one.id].planned if one.id in last else nobody
        )
        for at, one in enumerate(scored)
    ]
    return allocation.plan(offers, np.full(len(nobody), len(scored)) if room is None else room, audiences, min_size)


def _stacked(masks: Sequence[np.ndarray], scored: Sequence[Scored]) -> np.ndarray:
    """Masks over users as one array [n, U], none included."""
    return np.array(masks, bool).reshape(len(masks), len(scored[0].users) if scored else 0)


def _wanted(one: Scored, members: Members | None, policy: Policy) -> np.ndarray:
    """Who should be in an audience, held out or not: bool [U]."""
    was_in = np.zeros(len(one.users), bool) if members is None else members.contacted | members.held
    enter, leave = (at * one.purse.cost_cents for at in (policy.enter_above, policy.leave_below))
    if one.purse.cost_cents == 0:  # every contact is worth it
        return one.allowed & one.is_open & (one.gross_cents > 0)
    return one.allowed & one.is_open & differencing.stays_or_enters(one.gross_cents, was_in, enter, leave)


def _wish(one: Scored, wanted: np.ndarray, members: Members | None) -> Wish:
    # Whoever is worth a contact may join so that enough change together; who was in may wait until enough leave.
    may_be_in = one.is_open & (one.worth_cents > 0)
    if members is not None:
        may_be_in |= members.contacted
    # Who has responded is the first to leave.
    return Wish(wanted, one.allowed & ~one.holdout & may_be_in, np.where(one.is_open, one.worth_cents, -np.inf))
