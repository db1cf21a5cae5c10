"""Who was contacted by which campaign, who responded, and what was known of them the day before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline.features.history import Items

RECENT, LONG, FRESH = 90, 180, 60
HALF_LIFE = 30.0
STEPS = np.linspace(0, 1, 21)  # of a campaign's run, at which arrived answers are counted
EXACT = 2.0**20  # reals are summed as multiples of its inverse, so that the order of rows cannot matter
EVEN = 10  # answers as if they came evenly, until enough are known
NAMES = (
    "days_since_basket",
    "baskets_90d",
    "spend_90d",
    "lines_per_basket_180d",
    "price_paid_180d",
    "target_lines_180d",
    "target_share_180d",
    "target_items_180d",
    "target_spend_180d",
    "target_items_60d",
    "target_weight",
    "sends_before",
    "responses_before",
    "response_rate_before",
    "coupons_before",
    "taste_of_targets",
    "taste_of_creative",
    "taste_of_responders",
    "targets",
    "campaign_days",
)


@dataclass(frozen=True)
class Lines:
    """Basket lines as arrays [N]: user and item place, day number, cents, basket number; and the user keys [U]."""

    users: pa.Array
    user: np.ndarray
    item: np.ndarray
    day: np.ndarray
    cents: np.ndarray
    basket: np.ndarray


@dataclass(frozen=True)
class Campaign:
    """One campaign as models see it; days are day numbers since 1970."""

    id: str
    name: str
    kind: str
    starts: int
    ends: int
    targets: np.ndarray
    creative: str


@dataclass(frozen=True)
class Contacts:
    """Sends and responses as arrays: campaign id, user place, day number."""

    campaign: np.ndarray
    user: np.ndarray
    day: np.ndarray
    responded: np.ndarray


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


def line_arrays(purchases: pa.Table, users: pa.Array, space: Items) -> Lines:
    """Arrays of purchases (user_key, item_id, ds, amount_cents, basket_id) over given users and items."""
    return Lines(
        users=users,
        user=np.asarray(pc.index_in(purchases.column("user_key"), users)).astype(np.int64),
        item=space.index(purchases.column("item_id")),
        day=np.asarray(purchases.column("ds").cast(pa.int32())).astype(np.int64),
        cents=np.asarray(pc.fill_null(purchases.column("amount_cents"), 0)),
        basket=np.asarray(purchases.column("basket_id").combine_chunks().dictionary_encode().indices).astype(np.int64),
    )


def campaign_list(rows: pa.Table, space: Items) -> list[Campaign]:
    """Campaigns by first day, then id."""
    found = [
        Campaign(
            row["campaign_id"],
            row["campaign_name"],
            row["campaign_kind"] or "",
            day_number(row["starts_on"]),
            day_number(row["ends_on"]),
            np.unique(space.index(pa.array(row["target_item_ids"] or [], pa.string()))),
            row["creative"] or "",
        )
        for row in rows.to_pylist()
    ]
    return sorted(found, key=lambda campaign: (campaign.starts, campaign.id))


def contact_arrays(rows: pa.Table, users: pa.Array) -> Contacts:
    """Arrays of contacts whose user is known."""
    user = np.asarray(pc.fill_null(pc.index_in(rows.column("user_key"), users), -1)).astype(np.int64)
    kept = user >= 0
    return Contacts(
        campaign=np.asarray(rows.column("campaign_id").to_pylist(), dtype=object)[kept],
        user=user[kept],
        day=np.asarray(rows.column("ds").cast(pa.int32())).astype(np.int64)[kept],
        responded=np.asarray(pc.equal(rows.column("contact_kind"), "response"))[kept],
    )


def features(
    campaign: Campaign,
    day: int,
    lines: Lines,
    contacts: Contacts,
    texts: np.ndarray,
    creative: np.ndarray,
    others: "Crowd | None" = None,
) -> np.ndarray:
    """What was known of every user before a day: float64 [U, F], columns NAMES.

    Args:
        campaign: the campaign.
        day: day number; for learning, the campaign's first.
        lines: purchases; those from that day on are not looked at.
        contacts: sends and responses; likewise.
        texts: float32 [I, T] unit text vectors of the items.
        creative: float32 [T] unit text vector of the creative.
        others: whom users are held against, if not these users themselves.
    """
    known = _Known.before(day, lines)
    earlier = contacts.day < day
    answered = earlier & contacts.responded
    taste = _tastes(known, texts)
    against = others or Crowd.of(known, taste, np.unique(contacts.user[answered]), len(texts))
    return np.concatenate(
        [
            _habits(known, against.usual),
            _aims(campaign, known, len(texts)),
            _answers(contacts, earlier & ~contacts.responded, answered, known.users),
            _likings(campaign, taste, against, texts, creative),
            np.full((known.users, 1), np.log1p((campaign.targets >= 0).sum())),
            np.full((known.users, 1), np.log1p(campaign.ends - campaign.starts)),
        ],
        axis=1,
    )


@dataclass(frozen=True)
class _Known:
    """Basket lines before a day, and sums over them by user."""

    users: int
    user: np.ndarray
    item: np.ndarray
    age: np.ndarray
    cents: np.ndarray
    basket: np.ndarray

    @classmethod
    def before(cls, day: int, lines: Lines) -> "_Known":
        rows = lines.day < day
        parts = (lines.user[rows], lines.item[rows], day - lines.day[rows], lines.cents[rows], lines.basket[rows])
        return cls(len(lines.users), *parts)

    def total(self, rows: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Lines, or the sum of their weights, by user: [U]."""
        found = np.bincount(self.user[rows], None if weights is None else weights[rows], minlength=self.users)
        return found.astype(np.float64)

    def distinct(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Different values by user: [U]."""
        return _distinct(self.user[rows], values[rows], self.users)


@dataclass(frozen=True)
class Crowd:
    """What a user is held against.

    Attributes:
        usual: float64 [I] log of what an item usually costs, in steps of 1 / EXACT.
        everyone: float64 [T] mean taste.
        towards: float64 [T] unit direction from there to the taste of who has answered a campaign.
    """

    usual: np.ndarray
    everyone: np.ndarray
    towards: np.ndarray

    @classmethod
    def of(cls, known: _Known, taste: np.ndarray, answered: np.ndarray, items: int) -> "Crowd":
        """Of all users: their lines, tastes [U, T], and who has answered."""
        paid, times = (np.bincount(known.item, of, minlength=items) for of in (_log_cents(known), None))
        everyone = taste.mean(0)
        towards = taste[answered].mean(0) - everyone if len(answered) else everyone * 0
        return cls(np.rint(paid / np.maximum(times, 1)), everyone, _unit(towards))


def crowd(day: int, lines: Lines, contacts: Contacts, texts: np.ndarray) -> Crowd:
    """All users as they stood before a day; arguments as of `features`."""
    known = _Known.before(day, lines)
    answered = np.unique(contacts.user[(contacts.day < day) & contacts.responded])
    return Crowd.of(known, _tastes(known, texts), answered, len(texts))


def _log_cents(known: _Known) -> np.ndarray:
    """Log of what each line cost, in steps of 1 / EXACT: [N]."""
    return np.asarray(np.rint(np.log(np.maximum(known.cents, 1)) * EXACT))


def _distinct(user: np.ndarray, values: np.ndarray, users: int) -> np.ndarray:
    if not len(user):
        return np.zeros(users)
    pairs = np.unique(user.astype(np.int64) * (int(values.max()) + 1) + values)
    return np.bincount(pairs // (int(values.max()) + 1), minlength=users).astype(np.float64)


def _habits(known: _Known, usual: np.ndarray) -> np.ndarray:
    """How often, how much, and at what price against what is usual for the same item: [U, 5]."""
    last = np.full(known.users, 2 * LONG, np.int64)
    np.minimum.at(last, known.user, known.age)
    recent, long = known.age <= RECENT, known.age <= LONG
    lines = known.total(long)
    return np.stack(
        [
            np.log1p(last),
            np.log1p(known.distinct(recent, known.basket)),
            np.log1p(known.total(recent, known.cents) / 100),
            np.log1p(lines / np.maximum(known.distinct(long, known.basket), 1)),
            known.total(long, _log_cents(known) - usual[known.item]) / EXACT / np.maximum(lines, 1),
        ],
        axis=1,
    )


def _aims(campaign: Campaign, known: _Known, items: int) -> np.ndarray:
    """What a user bought of a campaign's goods: [U, 6]."""
    is_target = np.zeros(items + 1, bool)
    is_target[campaign.targets[campaign.targets >= 0]] = True
    aimed, weight = is_target[known.item], np.rint(0.5 ** (known.age / HALF_LIFE) * EXACT)
    long = known.age <= LONG
    lines = known.total(long & aimed)
    return np.stack(
        [
            np.log1p(lines),
            lines / np.maximum(known.total(long), 1),
            np.log1p(known.distinct(long & aimed, known.item)),
            np.log1p(known.total(long & aimed, known.cents) / 100),
            np.log1p(known.distinct((known.age <= FRESH) & aimed, known.item)),
            np.log1p(known.total(aimed, weight) / EXACT),
        ],
        axis=1,
    )


def _answers(contacts: Contacts, sent: np.ndarray, answered: np.ndarray, users: int) -> np.ndarray:
    """Sends, campaigns answered, their share, and answers altogether (coupons, say): [U, 4]."""
    sends = np.bincount(contacts.user[sent], minlength=users).astype(np.float64)
    codes = np.unique(contacts.campaign[answered].astype(str), return_inverse=True)[1]
    responses = _distinct(contacts.user[answered], codes, users)
    rows = np.bincount(contacts.user[answered], minlength=users)
    return np.stack([np.log1p(sends), np.log1p(responses), (responses + 0.1) / (sends + 1.0), np.log1p(rows)], axis=1)


def _tastes(known: _Known, texts: np.ndarray) -> np.ndarray:
    """Unit mean text vector of what users bought: float64 [U, T]."""
    long = known.age <= LONG
    counts = sp.csr_matrix(
        (np.ones(int(long.sum()), np.float32), (known.user[long], known.item[long])), shape=(known.users, len(texts))
    )
    return _unit(np.asarray(counts @ texts, np.float64))


def _likings(
    campaign: Campaign, taste: np.ndarray, against: Crowd, texts: np.ndarray, creative: np.ndarray
) -> np.ndarray:
    """How near a user's taste is to the campaign's goods, its words, and those who answer campaigns: [U, 3]."""
    targets = campaign.targets[campaign.targets >= 0]
    aim = texts[targets].mean(0) if len(targets) else creative * 0
    near = (taste - against.everyone) @ against.towards
    return np.stack([taste @ _unit(aim), taste @ creative, near], axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), np.float64)


def responders(campaign: Campaign, contacts: Contacts, upto: int) -> tuple[np.ndarray, np.ndarray]:
    """Users who were sent a campaign, and whether each had responded by a day: int [S], bool [S]."""
    mine = (contacts.campaign == campaign.id) & (contacts.day <= upto)
    sent = np.unique(contacts.user[mine & ~contacts.responded])
    return sent, np.isin(sent, contacts.user[mine & contacts.responded])


def arrival(campaigns: Sequence[Campaign], contacts: Contacts, upto: int) -> np.ndarray:
    """Share of a campaign's answers that have come by each of STEPS of its run: [21], 0 at first and 1 at the end.

    Counted over the first answers to campaigns that had ended by a day.
    """
    parts = [np.zeros(0)]
    for campaign in campaigns:
        if campaign.ends > upto:
            continue
        mine = (contacts.campaign == campaign.id) & contacts.responded & (contacts.day <= campaign.ends)
        first = np.full(int(contacts.user.max(initial=-1)) + 1, campaign.ends + 1)
        np.minimum.at(first, contacts.user[mine], contacts.day[mine])
        days = first[first <= campaign.ends] - campaign.starts + 1
        parts.append(days / (campaign.ends - campaign.starts + 1))
    places = np.concatenate(parts)
    come = np.array([(places <= step).sum() for step in STEPS])
    return (come + EVEN * STEPS) / (len(places) + EVEN)


def arrived(curve: np.ndarray, campaign: Campaign, upto: int) -> float:
    """Share of a campaign's answers to be expected by a day, from `arrival`."""
    run = (upto - campaign.starts + 1) / (campaign.ends - campaign.starts + 1)
    return float(np.interp(run, STEPS, curve))
