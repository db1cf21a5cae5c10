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
    lists: Lists, fusion: Fusion, known: Knowledge, titles: Sequence[str], shelves: Sequence[str]
) -> list[list[str]]:
    """A sentence for each place of each list: the largest group of contributions, in words.

    Args:
        lists: what was ranked.
        fusion: the weights behind it.
        known: what the ranking read.
        titles: item names by place.
        shelves: the narrowest category of each item.
    """
    history = known.history
    groups = list(GROUPS)
    parts = np.stack([group_contributions(lists.features, fusion)[name] for name in groups])
    strange = lists.features[..., FEATURES.index("bought_before")] == 0
    for name in OWN:
        parts[groups.index(name)][strange] = -np.inf
    gap = np.asarray(
        [history.gap[np.repeat(u, row.size), np.maximum(row, 0)] for u, row in enumerate(lists.items)]
    ).reshape(lists.items.shape)
    parts[groups.index("rhythm")][gap <= 0] = -np.inf
    best = parts.argmax(0)
    out: list[list[str]] = []
    for user, row in enumerate(lists.items):
        mine = history.weight[user]
        out.append(
            [
                _words(groups[best[user, at]], known, user, int(item), titles, shelves, mine) if item >= 0 else ""
                for at, item in enumerate(row)
            ]
        )
    return out


def _words(
    group: str,
    known: Knowledge,
    user: int,
    item: int,
    titles: Sequence[str],
    shelves: Sequence[str],
    mine: sp.csr_matrix,
) -> str:
    history = known.history
    if group in OWN:
        days, baskets = int(history.age[user, item]) - 1, int(history.baskets[user, item])
        if group == "rhythm":
            return f"You buy it about every {history.gap[user, item]:.0f} days, last {_ago(days)}"
        return f"You bought it {_times(baskets)}, last {_ago(days)}"
    if group == "follows":
        flow = known.transitions[mine.indices, item].toarray().ravel() * mine.data
        if flow.size and flow.max() > 0:
            return f"Often in the next basket after {titles[mine.indices[int(flow.argmax())]]}"
        group = "popular"
    if group == "alike":
        return f"Close to what you buy: {shelves[item]}"
    if group == "fits":
        return "Fits your latest baskets"
    if group == "promoted":
        return f"On display or in the mailer this week ({history.stores[item]:.0f} placements)"
    return popular_words(int(history.buyers_recent[item]))


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
