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
            "kept_since": pa.nulls(len(chosen), pa.date32()),
            "change_cause": pa.nulls(len(chosen), pa.string()),
        }
    )


def basket_rows(
    users: pa.Array,
    items: np.ndarray,
    scores: np.ndarray,
    reasons: np.ndarray,
    since: np.ndarray,
    causes: np.ndarray,
    item_ids: pa.Array,
) -> pa.Table:
    """Rows that complete baskets, from arrays [U, k].

    Args:
        users: user keys.
        items: places in `item_ids`, -1 pads.
        scores: of each.
        reasons: plain words.
        since: datetime64[D] night of entry.
        causes: of `contracts.tables.CAUSES`.
        item_ids: ids by place.
    """
    user, place = np.nonzero(items >= 0)
    return pa.table(
        {
            "context": pa.array(["basket"] * len(user), pa.string()),
            "context_id": users.take(pa.array(user)),
            "rank": pa.array(place + 1, pa.int32()),
            "item_id": item_ids.take(pa.array(items[user, place])),
            "score": pa.array(np.round(scores[user, place], 6)),
            "lift": pa.nulls(len(user), pa.float64()),
            "together": pa.nulls(len(user), pa.int64()),
            "reason": pa.array(reasons[user, place].tolist(), pa.string()),
            "kept_since": pa.array(since[user, place].astype("datetime64[D]")),
            "change_cause": pa.array(causes[user, place].tolist(), pa.string()),
        }
    )
