"""Who was contacted by which campaign, who responded, and what was known of them the day before."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline.features.history import Items

RECENT, LONG = 90, 180
NAMES = (
    "days_since_basket",
    "baskets_90d",
    "spend_90d",
    "target_lines_180d",
    "target_share_180d",
    "target_items_180d",
    "target_spend_180d",
    "sends_before",
    "responses_before",
    "response_rate_before",
    "taste_of_targets",
    "taste_of_creative",
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
    campaign: Campaign, day: int, lines: Lines, contacts: Contacts, texts: np.ndarray, creative: np.ndarray
) -> np.ndarray:
    """What was known of every user before a day: float64 [U, F], columns NAMES.

    Args:
        campaign: the campaign.
        day: day number; for learning, the campaign's first.
        lines: purchases; those from that day on are not looked at.
        contacts: sends and responses; likewise.
        texts: float32 [I, T] unit text vectors of the items.
        creative: float32 [T] unit text vector of the creative.
    """
    users = len(lines.users)
    before = lines.day < day
    user, age = lines.user[before], day - lines.day[before]
    item, cents, basket = lines.item[before], lines.cents[before], lines.basket[before]
    is_target = np.zeros(len(texts) + 1, bool)
    is_target[campaign.targets[campaign.targets >= 0]] = True
    aimed = is_target[item]

    def total(rows: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(user[rows], None if weights is None else weights[rows], minlength=users).astype(np.float64)

    def distinct(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        pairs = np.unique(np.stack([user[rows], values[rows]]), axis=1)
        return np.bincount(pairs[0], minlength=users).astype(np.float64)

    last = np.full(users, 2 * LONG, np.int64)
    np.minimum.at(last, user, age)
    recent, long = age <= RECENT, age <= LONG
    lines_long, aimed_long = total(long), total(long & aimed)
    earlier = contacts.day < day
    sends = np.bincount(contacts.user[earlier & ~contacts.responded], minlength=users).astype(np.float64)
    answered = earlier & contacts.responded
    codes = (
        np.unique(contacts.campaign[answered].astype(str), return_inverse=True)[1]
        if answered.any()
        else np.zeros(0, int)
    )
    pairs = np.unique(np.stack([contacts.user[answered], codes]), axis=1)
    responses = np.bincount(pairs[0].astype(int), minlength=users).astype(np.float64)
    taste = _taste(user[long], item[long], texts, users)
    aim = texts[campaign.targets[campaign.targets >= 0]].mean(0) if (campaign.targets >= 0).any() else creative * 0
    return np.stack(
        [
            np.log1p(last),
            np.log1p(distinct(recent, basket)),
            np.log1p(total(recent, cents) / 100),
            np.log1p(aimed_long),
            aimed_long / np.maximum(lines_long, 1),
            np.log1p(distinct(long & aimed, item)),
            np.log1p(total(long & aimed, cents) / 100),
            np.log1p(sends),
            np.log1p(responses),
            (responses + 0.1) / (sends + 1.0),
            taste @ (aim / max(float(np.linalg.norm(aim)), 1e-9)),
            taste @ creative,
            np.full(users, np.log1p((campaign.targets >= 0).sum())),
            np.full(users, np.log1p(campaign.ends - campaign.starts)),
        ],
        axis=1,
    )


def _taste(user: np.ndarray, item: np.ndarray, texts: np.ndarray, users: int) -> np.ndarray:
    """Unit mean text vector of what users bought: float64 [U, T]."""
    counts = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(users, len(texts)))
    taste = np.asarray(counts @ texts, np.float64)
    return taste / np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-9)


def responders(campaign: Campaign, contacts: Contacts, upto: int) -> tuple[np.ndarray, np.ndarray]:
    """Users who were sent a campaign, and whether each had responded by a day: int [S], bool [S]."""
    mine = (contacts.campaign == campaign.id) & (contacts.day <= upto)
    sent = np.unique(contacts.user[mine & ~contacts.responded])
    return sent, np.isin(sent, contacts.user[mine & contacts.responded])
