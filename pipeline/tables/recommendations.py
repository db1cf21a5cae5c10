"""The recommendations table: what each surface shows each user, since when, and why."""

import numpy as np
import pyarrow as pa


def rows(
    surface: str,
    users: pa.Array,
    items: np.ndarray,
    scores: np.ndarray,
    reasons: np.ndarray,
    since: np.ndarray,
    causes: np.ndarray,
    item_ids: pa.Array,
    *,
    fallback: bool,
) -> pa.Table:
    """Rows of one surface's lists.

    Args:
        surface: its name.
        users: user keys [B].
        items: int [B, K] places in `item_ids`, -1 behind the end of a list.
        scores: float [B, K].
        reasons: object [B, K] plain words.
        since: datetime64[D] [B, K] night of entry.
        causes: object [B, K] of `contracts.tables.CAUSES`.
        item_ids: ids by place.
        fallback: the lists are made of what is popular.
    """
    user, place = np.nonzero(items >= 0)
    count = len(user)
    return pa.table(
        {
            "user_key": users.take(pa.array(user)),
            "surface": pa.array([surface] * count, pa.string()),
            "rank": pa.array(place + 1, pa.int32()),
            "item_id": item_ids.take(pa.array(items[user, place])),
            "score": pa.array(np.round(scores[user, place], 6), pa.float64()),
            "reason": pa.array(reasons[user, place].tolist(), pa.string()),
            "kept_since": pa.array(since[user, place].astype("datetime64[D]")),
            "change_cause": pa.array(causes[user, place].tolist(), pa.string()),
            "is_fallback": pa.array([fallback] * count, pa.bool_()),
        }
    )
