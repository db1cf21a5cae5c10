"""Why: plain words for the largest contribution to a score. Contributions are weight times standardised feature."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipeline.models.recommendations import FEATURES, Fusion, Knowledge, Lists

GROUPS = {
    "repeat": ("recent_baskets", "bought_before", "all_baskets", "days_since"),
    "rhythm": ("due", "overdue"),
    "follows": ("co_visitation",),
    "fits": ("transformer",),
    "alike": ("text",),
    "popular": ("popularity",),
    "promoted": ("promoted",),
}
OWN = ("repeat", "rhythm")

AUDIENCE_WORDS = {
    "days_since_basket": "shopped lately",
    "baskets_90d": "shops often",
    "spend_90d": "spends much",
    "target_lines_180d": "often buys the advertised goods",
    "target_share_180d": "the advertised goods fill much of the basket",
    "target_items_180d": "buys many of the advertised goods",
    "target_spend_180d": "spends much on the advertised goods",
    "sends_before": "is in many campaigns",
    "responses_before": "has responded before",
    "response_rate_before": "responds to most campaigns",
    "taste_of_targets": "buys goods like those advertised",
    "taste_of_creative": "buys what the creative is about",
    "targets": "the campaign covers many goods",
    "campaign_days": "the campaign runs long",
}


def group_contributions(features: np.ndarray, fusion: Fusion) -> dict[str, np.ndarray]:
    """Each group's share of the log-odds: arrays of the features' leading shape."""
    parts = (features - np.array(fusion.mean)) / np.array(fusion.deviation) * np.array(fusion.weights)
    place = {name: i for i, name in enumerate(FEATURES)}
    return {group: parts[..., [place[name] for name in names]].sum(-1) for group, names in GROUPS.items()}


def item_reasons(
    lists: Lists, fusion: Fusion, known: Knowledge, titles: Sequence[str], shelves: Sequence[str], wanted: np.ndarray
) -> np.ndarray:
    """A sentence for places of lists: the largest group of contributions, in words. Object array [U, K].

    Args:
        lists: what was ranked.
        fusion: the weights behind it.
        known: what the ranking read.
        titles: item names by place.
        shelves: the narrowest category of each item.
        wanted: bool [U, K], the places to explain; the others stay empty.
    """
    history, groups = known.history, list(GROUPS)
    user, column = np.nonzero(wanted)
    item, features = lists.items[user, column], lists.features[user, column]
    age, baskets, gap = (np.asarray(m[user, item]).ravel() for m in (history.age, history.baskets, history.gap))
    by_group = group_contributions(features, fusion)
    parts = np.stack([by_group[name] for name in groups])
    for name in OWN:
        parts[groups.index(name)][baskets == 0] = -np.inf
    parts[groups.index("rhythm")][gap <= 0] = -np.inf
    flows = known.transitions.tocsc()
    out = np.full(wanted.shape, "", dtype=object)
    for at, best in enumerate(parts.argmax(0)):
        group, days, place = groups[best], int(age[at]) - 1, int(item[at])
        if group == "rhythm":
            words = f"You buy it about every {gap[at]:.0f} days, last {_ago(days)}"
        elif group == "repeat":
            words = f"You bought it {_times(int(baskets[at]))}, last {_ago(days)}"
        else:
            words = _shop_words(group, known, flows, int(user[at]), place, titles, shelves)
        out[user[at], column[at]] = words
    return out


def _shop_words(
    group: str,
    known: Knowledge,
    flows: sp.csc_matrix,
    user: int,
    item: int,
    titles: Sequence[str],
    shelves: Sequence[str],
) -> str:
    """Words of a reason that is not the user's own habit with the item."""
    if group == "follows" and (source := _source(known, flows, user, item)) is not None:
        return f"Often in the next basket after {titles[source]}"
    if group == "alike":
        return f"Close to what you buy: {shelves[item]}"
    if group == "fits":
        return "Fits your latest baskets"
    if group == "promoted":
        return f"On display or in the mailer this week ({known.history.stores[item]:.0f} placements)"
    return popular_words(int(known.history.buyers_recent[item]))


def _source(known: Knowledge, flows: sp.csc_matrix, user: int, item: int) -> int | None:
    """The user's item from which most flows to another item."""
    mine, towards = known.history.weight[user], flows[:, [item]]
    shared, left, right = np.intersect1d(mine.indices, towards.indices, assume_unique=True, return_indices=True)
    return int(shared[int((mine.data[left] * towards.data[right]).argmax())]) if len(shared) else None


def popular_words(buyers: int) -> str:
    """The reason of a popular item."""
    return f"{buyers} shoppers bought it in the last 4 weeks"


def audience_reasons(contributions: np.ndarray, names: Sequence[str], most: int = 2) -> list[str]:
    """The largest positive contributions of each row, in words: [N]."""
    order = np.argsort(-contributions, axis=1, kind="stable")[:, :most]
    words = [AUDIENCE_WORDS[name] for name in names]
    out = []
    for row, best in zip(contributions, order, strict=True):
        chosen = [words[i] for i in best if row[i] > 0.05]
        out.append((" and ".join(chosen) or "like the average contact").capitalize())
    return out


def shelf_names(categories: pa.ChunkedArray) -> list[str]:
    """The narrowest part of each category path, lower case."""
    return [(path or "other").rsplit(" > ", 1)[-1].lower() for path in categories.to_pylist()]


def _ago(days: int) -> str:
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
