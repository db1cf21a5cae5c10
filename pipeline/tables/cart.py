"""The cart_recommendations table: what goes with an item, and what completes each user's last basket taken as open."""

import numpy as np
import pyarrow as pa

from pipeline.models.cart import Complements


def item_rows(found: Complements, chosen: np.ndarray, item_ids: pa.Array, titles: list[str]) -> pa.Table:
    """Rows of complements, in the order of `chosen` (item, then rank)."""
    item, other = found.item[chosen], found.other[chosen]
    rank = np.arange(len(chosen)) - np.searchsorted(item, item) + 1
    reasons = [
        f"Together with {titles[i]} in {n} baskets, {lift:.1f} times as often as by chance"
        for i, n, lift in zip(item, found.together[chosen], found.lift[chosen], strict=True)
    ]
    return pa.table(
        {
            "context": pa.array(["item"] * len(chosen), pa.string()),
            "context_id": item_ids.take(pa.array(item)),
            "rank": pa.array(rank, pa.int32()),
            "item_id": item_ids.take(pa.array(other)),
            "score": pa.array(np.round(np.log(found.sure[chosen]), 6)),
            "lift": pa.array(np.round(found.lift[chosen], 4)),
            "together": pa.array(found.together[chosen]),
            "reason": pa.array(reasons, pa.string()),
        }
    )


def basket_rows(
    users: pa.Array,
    items: np.ndarray,
    scores: np.ndarray,
    leads: np.ndarray,
    often: np.ndarray,
    item_ids: pa.Array,
    titles: list[str],
) -> pa.Table:
    """Rows that complete baskets, from arrays [U, k].

    Args:
        users: user keys.
        items: places, -1 pads.
        scores: of each.
        leads: the basket's item it goes with, -1 for none.
        often: whether the user has bought it lately.
        item_ids: ids by item place.
        titles: names by item place.
    """
    user, place = np.nonzero(items >= 0)
    reasons = [
        f"Goes with {titles[lead]} in your basket" if lead >= 0 else "You often buy it" if own else "Fits your basket"
        for lead, own in zip(leads[user, place], often[user, place], strict=True)
    ]
    return pa.table(
        {
            "context": pa.array(["basket"] * len(user), pa.string()),
            "context_id": users.take(pa.array(user)),
            "rank": pa.array(place + 1, pa.int32()),
            "item_id": item_ids.take(pa.array(items[user, place])),
            "score": pa.array(scores[user, place]),
            "lift": pa.nulls(len(user), pa.float64()),
            "together": pa.nulls(len(user), pa.int64()),
            "reason": pa.array(reasons, pa.string()),
        }
    )
