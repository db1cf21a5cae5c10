"""Which advertised item stands in which ad slot of a surface: of whom campaigns plan to contact, and what may be shown.

A campaign that stood on the surface last night stays with its item while it may; what is left goes to the contacts of
most expected worth, each with the goods of the campaign that the user is likeliest to take. Not here: who is planned
(`models.allocation`) and what may be shown (`balance.coherence`).
Shapes: B users, I items, N candidates.
"""

from dataclasses import dataclass, fields

import numpy as np
import scipy.sparse as sp

NOTHING = -1


@dataclass(frozen=True)
class Candidates:
    """What could stand in a surface's slots: arrays [N]; a user's candidate items may repeat.

    Attributes:
        user: place of the user.
        campaign: its number; NOTHING for the shop's own pick, which takes what campaigns leave.
        item: place of the item.
        value: by which a user's candidates are taken, high first.
        chance: of a response; nan where nobody knows.
        known: the item is one that the user's own ranking names.
        before: slot in which the same stood last night; 0 for none.
    """

    user: np.ndarray
    campaign: np.ndarray
    item: np.ndarray
    value: np.ndarray
    chance: np.ndarray
    known: np.ndarray
    before: np.ndarray

    def take(self, places: np.ndarray) -> "Candidates":
        """Some of them, in the order of their places."""
        return Candidates(*(getattr(self, one.name)[places] for one in fields(self)))

    @classmethod
    def together(cls, parts: "list[Candidates]") -> "Candidates":
        """Several, one after the other."""
        none = np.zeros(0, np.int64)
        start = cls(none, none, none, none.astype(float), none.astype(float), none.astype(bool), none)
        return cls(*(np.concatenate([getattr(part, one.name) for part in (start, *parts)]) for one in fields(cls)))


def goods_for(
    users: np.ndarray,
    goods: np.ndarray,
    liking: sp.csr_matrix,
    common: np.ndarray,
    open_to: tuple[np.ndarray, sp.csr_matrix],
    before: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The item of a campaign that each of some users is shown.

    Args:
        users: int [N] places of users.
        goods: int [G] the campaign's items, ascending.
        liking: CSR [B, I] how likely a user takes an item, above 0; 0 where their ranking does not name it.
        common: float [I] how well an item sells, by which users' own rankings are followed.
        open_to: what may be shown: bool [I] to anybody, and CSR [B, I] not to a user.
        before: int [N] the item they were shown last night; NOTHING for none.

    Returns:
        Items int [N], NOTHING where none may be shown; and bool [N] whether their ranking names it.
    """
    if not len(goods) or not len(users):
        return np.full(len(users), NOTHING), np.zeros(len(users), bool)
    likes = liking[users][:, goods].toarray()
    score = np.where(likes > 0, 2 + likes / max(likes.max(), 1e-9), common[goods] / max(common[goods].max(), 1e-9))
    score = np.where(goods == before[:, None], np.inf, score)
    score[:, ~open_to[0][goods]] = -np.inf
    score[open_to[1][users][:, goods].toarray() != 0] = -np.inf
    best = score.argmax(axis=1)
    row = np.arange(len(users))
    none = np.isneginf(score[row, best])
    return np.where(none, NOTHING, goods[best]), ~none & (likes[row, best] > 0)


def fill(candidates: Candidates, slots: int) -> tuple[Candidates, np.ndarray]:
    """What stands in the slots of one surface, and in which: 1 first.

    Campaigns before the shop's own picks, those of last night before others; an item stands once, a campaign as well.
    """
    own = candidates.campaign == NOTHING
    last = np.where(candidates.before > 0, candidates.before, np.iinfo(np.int64).max)
    order = np.lexsort((candidates.item, candidates.campaign, -candidates.value, last, own, candidates.user))
    chosen = candidates.take(order[candidates.item[order] >= 0])
    _pairs, first = np.unique(np.stack([chosen.user, chosen.item]), axis=1, return_index=True)
    chosen = chosen.take(np.sort(first))
    begins = np.r_[True, np.diff(chosen.user) != 0] if len(chosen.user) else np.zeros(0, bool)
    place = np.arange(len(chosen.user)) - np.maximum.accumulate(np.where(begins, np.arange(len(chosen.user)), 0))
    stands = np.flatnonzero(place < slots)
    return chosen.take(stands), place[stands] + 1


@dataclass(frozen=True)
class Stood:
    """What stood in one surface's slots last night, of the same users, campaigns and items: arrays [M].

    Attributes:
        user: place of the user.
        campaign: its number; NOTHING for the shop's own pick, below that for a campaign that is gone.
        item: place of the item.
        slot: 1 first.
        since: datetime64[D] when it took its place.
        users: how many users are counted.
    """

    user: np.ndarray
    campaign: np.ndarray
    item: np.ndarray
    slot: np.ndarray
    since: np.ndarray
    users: int

    def item_of(self, campaign: int) -> np.ndarray:
        """The item of a campaign that each user was shown: int [B], NOTHING for none."""
        mine, items = self.campaign == campaign, np.full(self.users, NOTHING)
        items[self.user[mine]] = self.item[mine]
        return items

    def slot_of(self, user: np.ndarray, campaign: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Slot in which each of [N] stood; 0 for none."""
        place = self._place(user, campaign, item)
        return np.where(place < 0, 0, np.r_[self.slot, 0][place])

    def told(self, shown: Candidates, idle: np.ndarray, today: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """Since when, datetime64[D] [N], and why, str [N], what is shown tonight stands there.

        Args:
            shown: tonight's.
            idle: bool [B] who did nothing since last night.
            today: business day.
        """
        place = self._place(shown.user, shown.campaign, shown.item)
        left = np.ones(len(self.user), bool)
        left[place[place >= 0]] = False
        had, lost = np.zeros(self.users, bool), np.zeros(self.users, bool)
        had[self.user] = True
        # What a campaign showed stays as long as it may, so that its leaving was forced.
        lost[self.user[left & (self.campaign != NOTHING)]] = True
        new = np.where(~had, "first_night", np.where(lost, "forced", np.where(idle, "data", "user")))
        since = np.where(place < 0, today, np.r_[self.since, today][place])
        return since, np.where(place < 0, new[shown.user], "kept")

    def _place(self, user: np.ndarray, campaign: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Where the same is among these rows: int [N], -1 for nowhere."""
        rows = {
            one: at
            for at, one in enumerate(zip(self.user.tolist(), self.campaign.tolist(), self.item.tolist(), strict=True))
        }
        asked = zip(user.tolist(), campaign.tolist(), item.tolist(), strict=True)
        return np.array([rows.get(one, -1) for one in asked], np.int64)
