"""The contract between surfaces: what no list, page or answer may show, one row of RULES a rule, read top to bottom.

`eligible` says beforehand what a surface may show; `contradictions` says afterwards, from what is shown, what breaks a
rule. The two are written apart, so that one finds the other's mistakes. Not here: how alike surfaces are in what they
show (`metrics.coherence`), and which candidates suit a surface (`surfaces`).
Shapes: U users, I items, G categories, n places shown on one surface.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from pipeline.policy import SURFACES, Policy

LAYOUT, CHAT = "layout", "chat"  # surfaces that show pages and answers, not lists of items


@dataclass(frozen=True)
class Facts:
    """What the contract is judged by, as of a night.

    Attributes:
        recommendable: bool [I], in stock and fit to be listed.
        replenishable: bool [I], taken again and again.
        age: CSR [U, I] days since the user took the item, plus one; zero means never.
        just_bought_days: days for which an item counts as just bought.
        rest_days: by surface, days for which what was taken stays out.
        disliked: bool [I], under the sentiment floor; None where no reviews are read.
        has_top_category: bool [U], the profile names one; None where there are no layouts.
        snapshot: float [I] by name (price_cents, in_stock, rating), nan where not known; None where nothing answers.
    """

    recommendable: np.ndarray
    replenishable: np.ndarray
    age: sp.csr_matrix
    just_bought_days: int
    rest_days: Mapping[str, int]
    disliked: np.ndarray | None = None
    has_top_category: np.ndarray | None = None
    snapshot: Mapping[str, np.ndarray] | None = None

    @property
    def showable(self) -> np.ndarray:
        """Bool [I]: may be listed for anybody, and is not under the sentiment floor."""
        return self.recommendable if self.disliked is None else self.recommendable & ~self.disliked


@dataclass(frozen=True)
class Shown:
    """What one surface shows.

    Attributes:
        surface: one of the policy's surfaces, `layout` or `chat`.
        user: int [n].
        item: int [n]; -1 for a page, which shows no item of its own.
        has_categories: bool [n], of pages: the user's own categories stand on it.
        told: float [n] by name, of answers: what is stated of the item, nan where nothing is.
    """

    surface: str
    user: np.ndarray
    item: np.ndarray
    has_categories: np.ndarray | None = None
    told: Mapping[str, np.ndarray] = field(default_factory=dict)


# Which places break a rule: bool [n]; None where the shop hands over nothing to judge it by.
Breaks = Callable[[Facts, Shown], np.ndarray | None]


@dataclass(frozen=True)
class Rule:
    """One line of the contract."""

    name: str
    sentence: str
    surfaces: tuple[str, ...]
    breaks: Breaks


def _just_bought(facts: Facts, shown: Shown) -> np.ndarray:
    age = _days(facts, shown)
    return (age > 0) & (age <= facts.just_bought_days) & ~facts.replenishable[shown.item]


def _resting(facts: Facts, shown: Shown) -> np.ndarray:
    age = _days(facts, shown)
    return (age > 0) & (age <= facts.rest_days[shown.surface])


def _unavailable(facts: Facts, shown: Shown) -> np.ndarray:
    return ~facts.recommendable[shown.item]


def _disliked(facts: Facts, shown: Shown) -> np.ndarray | None:
    return None if facts.disliked is None else facts.disliked[shown.item]


def _lost_category(facts: Facts, shown: Shown) -> np.ndarray | None:
    if facts.has_top_category is None or shown.has_categories is None:
        return None
    return facts.has_top_category[shown.user] & ~shown.has_categories


def _misstated(facts: Facts, shown: Shown) -> np.ndarray | None:
    if facts.snapshot is None:
        return None
    wrong = np.zeros(len(shown.item), bool)
    for name, stated in shown.told.items():
        known = facts.snapshot[name][shown.item]
        wrong |= ~np.isnan(stated) & ~(stated == known)  # a value stated of what is not known is made up
    return wrong


RULES = (
    Rule("unavailable", "It may not be listed: out of stock, or not sold of late.", SURFACES, _unavailable),
    Rule("just_bought", "It was just bought, and people do not buy it again and again.", SURFACES, _just_bought),
    Rule("resting", "It was bought of late, and this surface leaves that alone for a while.", SURFACES, _resting),
    Rule("disliked", "Its reviews are under the sentiment floor.", SURFACES, _disliked),
    Rule("lost_category", "The page leaves out the categories that the profile names.", (LAYOUT,), _lost_category),
    Rule("misstated", "The answer states another price, stock or rating than the snapshot.", (CHAT,), _misstated),
)


def gather(
    policy: Policy,
    recommendable: np.ndarray,
    baskets: sp.csr_matrix,
    age: sp.csr_matrix,
    category: np.ndarray,
    disliked: np.ndarray | None = None,
) -> Facts:
    """The facts about lists.

    Args:
        policy: thresholds of the contract.
        recommendable: bool [I].
        baskets: CSR [U, I] baskets of each user that hold the item, of everybody whose habits are known.
        age: CSR [V, I] as in Facts, of the users who are shown something; they need not be the same.
        category: int [I].
        disliked: bool [I] or None.
    """
    lasting = replenishable(baskets, category, policy.replenishable_share, policy.min_buyers)
    rest_days = {str(name): surface.rest_days for name, surface in policy.surfaces.items()}
    return Facts(recommendable, lasting, age, policy.just_bought_days, rest_days, disliked)


def replenishable(baskets: sp.csr_matrix, category: np.ndarray, share: float, min_buyers: int) -> np.ndarray:
    """Items that people take again and again: bool [I].

    A share `share` of its buyers took the item at least twice. Under `min_buyers` buyers its category's buyers decide,
    under as many of those the shop's; what nobody ever bought twice is not replenishable.

    Args:
        baskets: CSR [U, I] baskets that hold the item.
        category: int [I], 0 and up.
        share: of buyers, 0 to 1.
        min_buyers: fewer say nothing.
    """
    count = baskets.shape[1]
    buyers = np.bincount(baskets.indices[baskets.data > 0], minlength=count).astype(float)
    again = np.bincount(baskets.indices[baskets.data > 1], minlength=count).astype(float)
    by_category = [np.bincount(category, weights=values)[category] for values in (buyers, again)]
    overall = [np.full(count, values.sum()) for values in (buyers, again)]
    few, fewer = buyers < min_buyers, by_category[0] < min_buyers
    asked = np.where(few, np.where(fewer, overall[0], by_category[0]), buyers)
    said = np.where(few, np.where(fewer, overall[1], by_category[1]), again)
    return (said > 0) & (said >= share * asked)


def eligible(facts: Facts, surface: str) -> tuple[np.ndarray, sp.csr_matrix]:
    """What a surface may show: items for anybody, and what is barred for single users.

    Args:
        facts: of the night.
        surface: one of the policy's.

    Returns:
        bool [I] items that may be shown, and bool CSR [U, I] of those that may not be shown to a user.
    """
    days = np.where(facts.replenishable, 0, facts.just_bought_days)
    barred = facts.age.copy()
    barred.data = barred.data <= np.maximum(days, facts.rest_days[surface])[barred.indices]
    barred.data &= facts.age.data > 0
    barred.eliminate_zeros()
    return facts.showable, barred


@dataclass(frozen=True)
class Broken:
    """What of the things shown breaks the contract.

    Attributes:
        places: bool [n] of each surface's Shown, in their order: breaks any rule.
        by_rule: int [m] users at whom each rule breaks, ascending; None where there was nothing to judge it by.
    """

    places: tuple[np.ndarray, ...]
    by_rule: Mapping[str, np.ndarray | None]

    @property
    def users(self) -> np.ndarray:
        """Users at whom any rule breaks, ascending."""
        found = [users for users in self.by_rule.values() if users is not None]
        return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))

    def words(self) -> dict[str, str]:
        """Each rule's finding in plain words."""
        return {
            name: "no input" if users is None else f"{len(users):,} users" if len(users) else "kept"
            for name, users in self.by_rule.items()
        }


def contradictions(facts: Facts, shown: Sequence[Shown]) -> Broken:
    """Hold what is shown against every rule.

    Args:
        facts: of the night.
        shown: what each surface shows; a surface that is left out shows nothing.
    """
    places = [np.zeros(len(one.user), bool) for one in shown]
    by_rule: dict[str, np.ndarray | None] = {}
    for rule in RULES:
        judged = False
        users = [np.zeros(0, np.int64)]
        for one, broken in zip(shown, places, strict=True):
            found = rule.breaks(facts, one) if one.surface in rule.surfaces else None
            if found is not None:
                judged = True
                broken |= found
                users.append(one.user[found])
        by_rule[rule.name] = np.unique(np.concatenate(users)) if judged else None
    return Broken(tuple(places), by_rule)


def why_barred(facts: Facts, shown: Shown) -> np.ndarray:
    """Name of the first rule that each place would break, empty where none: str [n]."""
    why = np.full(len(shown.item), "", dtype=object)
    for rule in RULES:
        broken = rule.breaks(facts, shown) if shown.surface in rule.surfaces else None
        if broken is not None:
            why[broken & (why == "")] = rule.name
    return why


def _days(facts: Facts, shown: Shown) -> np.ndarray:
    if not len(shown.user):  # of no places scipy gives a matrix
        return np.zeros(0)
    return np.asarray(facts.age[shown.user, shown.item]).ravel()
